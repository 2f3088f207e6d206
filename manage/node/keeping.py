"""What has to be kept: secrets from others than root, hooks' files from piling up, the clock from drifting."""

from __future__ import annotations

from pathlib import Path

from manage import finding
from manage.finding import Finding
from manage.node.ganeti import Role
from manage.node.host import Host
from manage.node.settings import NodeSettings

FOLDER = Path("/etc/syros/secrets")
#: the program that each is for
_NEEDED = {"bus-url": "eventd", "console-token": "seriald", "metadata-secret": "metadatad"}
#: what opens the whole cloud
_FOREIGN = ("database-url", "key")
_HEADS = ("syros-apiserver.service", "syros-dispatcher.service")
#: seconds that a hook's file may wait for eventd
_PATIENCE = 300.0
#: files; the hook writes no more
_LIMIT = 10_000


def secrets(host: Host, programs: tuple[str, ...]) -> list[Finding]:
    """Look for those that the programs here need, and that root alone can read them."""
    found = []
    if not host.path(FOLDER).is_dir() and not set(_NEEDED.values()).intersection(programs):
        return [finding.well("secrets", "no program here needs any")]
    missing = [name for name, program in _NEEDED.items() if program in programs and not _file(host, name).exists()]
    if missing:
        remedy = f"copy them from {FOLDER} of the host that `syros-manage setup` ran on, and `chmod 0600`"
        found.append(finding.wrong("secrets", f"{', '.join(missing)} missing in {FOLDER}", remedy))
    loose = [str(each) for each in _listed(host) if host.path(each).stat().st_mode & 0o077]
    if loose:
        remedy = f"`chmod go-rwx {FOLDER} {FOLDER}/*`"
        found.append(finding.wrong("secrets", f"others than root can read {finding.some(loose)}", remedy))
    foreign = [name for name in _FOREIGN if _file(host, name).exists()]
    if foreign and not any(host.has_unit(unit) for unit in _HEADS):
        text = f"{' and '.join(foreign)} here: whoever takes this node has the whole cloud"
        found.append(finding.doubtful("secrets", text, "remove: no program of a node needs it"))
    return found or [finding.well("secrets", f"{FOLDER}, root's alone")]


def spool(host: Host, settings: NodeSettings, role: Role) -> list[Finding]:
    """Tell of hooks' files that eventd does not take; where this is not the master, they may wait until it is."""
    folder = host.path(settings.spool_dir)
    if not folder.is_dir():
        return []
    names = [each.name for each in folder.iterdir() if not each.name.startswith(".") and each.is_file()]
    bad = len(list((folder / "bad").glob("*")))
    found = []
    if bad:
        text = f"{bad} files in {settings.spool_dir}/bad, which no hook of ours wrote"
        found.append(finding.doubtful("spool", text, "look at them, and remove them"))
    if len(names) >= _LIMIT:
        text = f"{len(names)} files: the hooks write no more"
        return [*found, finding.wrong("spool", text, "`journalctl -u syros-eventd` says why it takes none")]
    began = min((int(name.partition("-")[0]) / 1e9 for name in names if name.partition("-")[0].isdigit()), default=None)
    waited = 0.0 if began is None else host.now().timestamp() - began
    if waited <= _PATIENCE:
        return [*found, finding.well("spool", f"{len(names)} files wait")]
    text = f"{len(names)} files wait, the oldest for {waited:.0f} s"
    if role is Role.MASTER:
        remedy = "`journalctl -u syros-eventd` says why it does not publish them"
        return [*found, finding.wrong("spool", f"{text} (more than {_PATIENCE:.0f})", remedy)]
    return [*found, finding.well("spool", f"{text}; they are published when this node is the master again")]


def clock(host: Host) -> Finding:
    """Tell whether something keeps the clock right."""
    known = host.disciplined()
    if known:
        return finding.well("clock", "synchronised")
    remedy = "`apt-get install systemd-timesyncd` or chrony; `timedatectl` tells of it"
    if known is None:
        return finding.doubtful("clock", "the kernel does not say whether it is synchronised", remedy)
    return finding.wrong("clock", "not synchronised: what happened when is told wrongly", remedy)


def _file(host: Host, name: str) -> Path:
    return host.path(FOLDER / name)


def _listed(host: Host) -> list[Path]:
    folder = host.path(FOLDER)
    return [FOLDER, *(FOLDER / each.name for each in sorted(folder.glob("*")))] if folder.is_dir() else []
