"""What Ganeti runs on this node for a cloud: hooks, OS definition, network script, compared with the package's.

The package's own installer makes them once more, in a folder apart, and that is what they have to be, but for what an
operator may say otherwise: paths, the node's name, the interpreter.
"""

from __future__ import annotations

import re
import shlex
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from manage import finding
from manage.finding import Finding
from manage.node.host import Done, Host, command
from manage.node.settings import NodeSettings

INSTALLER = f"{sys.executable} -m ganeti_hooks.install"
_HOOKS = Path("etc/ganeti/hooks")
_SYSTEMS = Path("usr/share/ganeti/os")
_NETWORK = Path("etc/ganeti/kvm-vif-bridge")
#: where Ganeti looks for OS definitions before it looks where ours is
_EARLIER = ("/srv/ganeti/os", "/usr/local/lib/ganeti/os", "/usr/lib/ganeti/os")
_NET_COMMON = "/usr/lib/ganeti/net-common"
_MARK = "Syros, installed by ganeti_hooks.install"
_SETTING = re.compile(
    r"^(#!.*|(?:SPOOL|NODE|BESIDE|CONFIG|IMAGES) = .*|(?:python|prefix)=.*|sys\.exit\(main\(os\.environ, Node\(.*)$",
    re.MULTILINE,
)
#: of the programs that a shell begins
_PYTHON = re.compile(r"^python=(.*)$", re.MULTILINE)
_SPOOL = re.compile(r"^SPOOL = ['\"](.*)['\"]$", re.MULTILINE)
_PROGRAMS = {"nft": "nftables", "conntrack": "conntrack", "ip": "iproute2"}


@dataclass(frozen=True)
class _File:
    path: Path
    text: str
    executable: bool


def check(host: Host, settings: NodeSettings, *, in_cluster: bool) -> list[Finding]:
    """Compare all of it."""
    try:
        wanted = package(command)
    except LookupError as err:
        return [finding.wrong("hooks", str(err), "`apt-get install --reinstall syros-common syros-ganeti-hooks`")]
    again = f"`{_installer(settings)}` puts them there again"
    hooks = [each for each in wanted if each.path.is_relative_to(_HOOKS)]
    system = [each for each in wanted if each.path.is_relative_to(_SYSTEMS)]
    found = [
        _judged(host, "hooks", hooks, f"{len(hooks)} in /{_HOOKS}", again),
        *_spool(host, hooks, settings),
        *_dotted(host),
        _judged(host, "OS definition", system, f"/{_SYSTEMS}/syros", again),
        *_shadowed(host),
        _network(host, [each for each in wanted if each.path == _NETWORK], again, in_cluster=in_cluster),
    ]
    missing = [program for program in _PROGRAMS if host.run([program, "--version"], "").code == 127]
    if missing:
        packages = " ".join(_PROGRAMS[program] for program in missing)
        text = f"{', '.join(missing)} not installed: the network script needs them"
        found.append(finding.wrong("network tools", text, f"`apt-get install {packages}`"))
    return found


def package(run: Callable[[list[str]], Done]) -> list[_File]:
    """Give the files as the installed version makes them; raises LookupError where it does not."""
    with tempfile.TemporaryDirectory(prefix="syros-node-check-") as name:
        folder = Path(name)
        done = run([sys.executable, "-I", "-m", "ganeti_hooks.install", "--root", name])
        if done.code:
            raise LookupError(f"what the package installs can't be made for comparing: {done.words}")
        return [
            _File(each.relative_to(folder), each.read_text(encoding="utf-8"), bool(each.stat().st_mode & 0o100))
            for each in sorted(folder.rglob("*"))
            if each.is_file()
        ]


def _installer(settings: NodeSettings) -> str:
    """Give the installer's command line, with what the configuration has that is not as it is by default."""
    name = f" --node-name {settings.node_name}" if settings.node_name else ""
    spool = f" --spool {settings.spool_dir}" if settings.spool_dir != NodeSettings.spool_dir else ""
    return INSTALLER + name + spool


def _judged(host: Host, check: str, wanted: list[_File], where: str, again: str) -> Finding:
    missing: list[str] = []
    closed: list[str] = []
    other: list[str] = []
    lost: list[str] = []
    for each in wanted:
        text = host.read(Path("/") / each.path)
        path = host.path(Path("/") / each.path)
        name = f"{each.path.parent.name}/{each.path.name}"
        if text is None:
            missing.append(name)
            continue
        if each.executable and not path.stat().st_mode & 0o100:
            closed.append(name)
        if _SETTING.sub("", text) != _SETTING.sub("", each.text):
            other.append(name)
        gone = [each for each in _interpreters(text) if not host.path(each).exists()]
        lost += [f"{name} ({each})" for each in gone]
    faults = {
        "not there": missing,
        "not executable": closed,
        "not this version's": other,
        "without their interpreter": lost,
    }
    said = [f"{what}: {finding.some(names)}" for what, names in faults.items() if names]
    if said:
        return finding.wrong(check, "; ".join(said), again)
    return finding.well(check, f"{where}, as this version has them")


def _interpreters(text: str) -> list[Path]:
    first = text.partition("\n")[0]
    named = [first.removeprefix("#!").split()[0]] if first.startswith("#!/") else []
    own = _PYTHON.search(text)
    return [Path(each) for each in (*named, *(shlex.split(own[1]) if own else ()))]


def _spool(host: Host, hooks: list[_File], settings: NodeSettings) -> list[Finding]:
    """Tell of hooks that write where eventd does not read."""
    for each in hooks:
        written = _SPOOL.search(host.read(Path("/") / each.path) or "")
        if written is not None and written[1] != str(settings.spool_dir):
            text = f"the hooks write to {written[1]}, and eventd reads {settings.spool_dir}"
            remedy = f"`{_installer(settings)}`, or set [eventd] spool_dir"
            return [finding.wrong("hooks", text, remedy)]
    return []


def _dotted(host: Host) -> list[Finding]:
    """Tell of copies of ours that Ganeti passes over, by their names, without a word."""
    passed = sorted(host.path(Path("/") / _HOOKS).glob("*-post.d/syros*.*"))
    if not passed:
        return []
    names = [f"{each.parent.name}/{each.name}" for each in passed]
    return [finding.doubtful("hooks", f"Ganeti runs nothing with a dot in its name: {finding.some(names)}", "remove")]


def _shadowed(host: Host) -> list[Finding]:
    earlier = [folder for folder in _EARLIER if (host.path(folder) / "syros").exists()]
    if not earlier:
        return []
    text = f"Ganeti finds another `syros` first, in {', '.join(earlier)}"
    return [finding.wrong("OS definition", text, "remove that one")]


def _network(host: Host, wanted: list[_File], again: str, *, in_cluster: bool) -> Finding:
    text = host.read(Path("/") / _NETWORK)
    if text is not None and _MARK not in text:
        remedy = "have it do what ours does, or remove it, and then `" + INSTALLER + "`"
        return finding.wrong("network script", f"/{_NETWORK} is another program's", remedy)
    if in_cluster and not host.path(_NET_COMMON).exists():
        remedy = "`apt-get install --reinstall ganeti`"
        return finding.wrong("network script", f"{_NET_COMMON}, Ganeti's own part of it, is not there", remedy)
    return _judged(host, "network script", wanted, f"/{_NETWORK}", again)
