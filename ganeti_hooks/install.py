"""Puts the hooks and the OS definition where Ganeti looks for them; again and again with the same result."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from types import ModuleType

import click

from ganeti_hooks import firewall_hook, kvm_network, os_definition, post_hook, sweep_hook
from ganeti_hooks.kvm_network import Node

HOOK_PATHS = (
    "instance-add",
    "instance-failover",
    "instance-migrate",
    "instance-modify",
    "instance-reboot",
    "instance-reinstall",
    "instance-remove",
    "instance-rename",
    "instance-start",
    "instance-stop",
    "network-add",
    "network-connect",
    "network-disconnect",
    "network-modify",
    "network-remove",
)
#: no dot, no `.py`: Ganeti passes over every other name without a word
HOOK_NAME = "syros"
OS_NAME = "syros"
#: what Ganeti's kvm-ifup runs in its own place
NETWORK_NAME = "kvm-vif-bridge"

#: beside the other hook, for the one operation after which a guest that runs may have another firewall
FIREWALL_NAME = "syros-firewall"

#: for those after which a guest may have gone from a node
SWEEP_NAME = "syros-sweep"

_OS_API_VERSION = 20
_NEEDED = {"nft": "nftables", "conntrack": "conntrack"}
_MARK = "Syros, installed by ganeti_hooks.install"
_STUB = """#!/bin/sh
# {mark}
python={python}
prefix={prefix}
# where the package is removed, this stays, as configuration does
if [ ! -x "$python" ]; then
    {without}
fi
exec "$python" -I - <<'END'
import os
import sys
from pathlib import PosixPath

from ganeti_hooks.kvm_network import Node
from {module} import main

sys.exit(main(os.environ, Node({settings})))
END
"""
#: the network script without its interpreter: others' guests are Ganeti's, and none of ours starts unguarded
_NETWORK_WITHOUT = f"""case "$INTERFACE" in
    {kvm_network.COMMUNICATION}*) exit 0 ;;
    esac
    case "$INSTANCE" in
    "$prefix"*)
        echo "syros: $INTERFACE of $INSTANCE: $python is gone: install syros-ganeti-hooks, or purge it" >&2
        exit 1
        ;;
    esac
    exec bash -e -c {shlex.quote(kvm_network.OWN_SETUP)}"""
_HOOK_WITHOUT = "exit 0"


def install_hooks(
    hooks_dir: Path,
    spool: Path = Path(post_hook.SPOOL),
    *,
    node_name: str = "",
    beside: Path | None = None,
    make_folders: bool = True,
) -> None:
    """Install the hook for every operation of interest, writing to `spool`, which is made.

    `node_name` is for a node whose host goes by another name than Ganeti's for it. A hook that is installed `beside`
    something does nothing once that is gone.
    """
    if make_folders:
        spool.mkdir(mode=0o750, parents=True, exist_ok=True)
    program = _with_setting(_source(post_hook.__file__), "SPOOL", f'"{post_hook.SPOOL}"', repr(str(spool)))
    program = _with_setting(program, "NODE", '""', repr(node_name))
    program = _with_setting(program, "BESIDE", '""', repr(str(beside or "")))
    for path in HOOK_PATHS:
        folder = hooks_dir / f"{path}-post.d"
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / HOOK_NAME, program, mode=0o755)


def install_os(os_dir: Path, images: Path | None = None, *, config: Path | None = None) -> None:
    """Install the OS definition; `images` is where it finds image files unless its configuration file says otherwise.

    Without `images` that is os_definition.IMAGES; without `config` the file is os_definition.CONFIG.
    """
    program = _source(os_definition.__file__)
    if config is not None:
        old = f'Path("{os_definition.CONFIG}")'
        program = _with_setting(program, "CONFIG", old, f"Path({str(config)!r})")
    if images is not None:
        old = f'Path("{os_definition.IMAGES}")'
        program = _with_setting(program, "IMAGES", old, f"Path({str(images)!r})")
    folder = os_dir / OS_NAME
    folder.mkdir(parents=True, exist_ok=True)
    for script in os_definition.SCRIPTS:
        _write(folder / script, program, mode=0o755)
    parameters = "".join(f"{name} {doc}\n" for name, doc in os_definition.PARAMETERS.items())
    _write(folder / "parameters.list", parameters, mode=0o644)
    _write(folder / "variants.list", "default\n", mode=0o644)
    _write(folder / "ganeti_api_version", f"{_OS_API_VERSION}\n", mode=0o644)


def install_network(
    hooks_dir: Path,
    ganeti_dir: Path,
    node: Node | None = None,
    *,
    python: str = sys.executable,
    make_folders: bool = True,
) -> None:
    """Install the network script, and hooks: what a running guest has follows its tags, and goes with it.

    `python` is the interpreter that they run by, which has this package. Raises FileExistsError where the node has a
    script of its own there, which does not yield to ours.
    """
    node = node or Node()
    path = ganeti_dir / NETWORK_NAME
    if path.exists() and _MARK not in path.read_text(encoding="utf-8", errors="replace"):
        raise FileExistsError(f"{path} is another program's: have it do what ours does, or remove it")
    if make_folders:
        node.bindings.mkdir(mode=0o750, parents=True, exist_ok=True)
    programs = [
        (path, kvm_network, _NETWORK_WITHOUT),
        (hooks_dir / "instance-modify-post.d" / FIREWALL_NAME, firewall_hook, _HOOK_WITHOUT),
    ]
    programs += [
        (hooks_dir / f"{each}-post.d" / SWEEP_NAME, sweep_hook, _HOOK_WITHOUT) for each in sweep_hook.OPERATIONS
    ]
    for target, module, without in programs:
        target.parent.mkdir(parents=True, exist_ok=True)
        _write(target, _stub(module, node, python, without=without), mode=0o755)


@click.command()
@click.option("--hooks-dir", type=click.Path(path_type=Path), default=Path("/etc/ganeti/hooks"), show_default=True)
@click.option("--spool", type=click.Path(path_type=Path), default=Path(post_hook.SPOOL), show_default=True)
@click.option("--node-name", default="", help="This node's name as Ganeti knows it  [default: the host's name]")
@click.option("--os-dir", type=click.Path(path_type=Path), default=Path("/usr/share/ganeti/os"), show_default=True)
@click.option("--images", type=click.Path(path_type=Path), help=f"Directory of image files [{os_definition.IMAGES}]")
@click.option("--ganeti-dir", type=click.Path(path_type=Path), default=Path("/etc/ganeti"), show_default=True)
@click.option("--prefix", default=Node.prefix, show_default=True, help="What the backend's instances begin with")
@click.option("--root", type=click.Path(path_type=Path), help="Install below this folder, as a package is built")
@click.option("--python", default=sys.executable, help="Interpreter of the network script  [default: this one]")
@click.option("--network/--no-network", default=True, help="Install the network script of KVM, too", show_default=True)
def main(  # noqa: PLR0917  # click passes them by name
    hooks_dir: Path,
    spool: Path,
    node_name: str,
    os_dir: Path,
    images: Path | None,
    ganeti_dir: Path,
    prefix: str,
    root: Path | None,
    python: str,
    *,
    network: bool,
) -> None:
    """Install Syros' hooks, OS definition and network script on this Ganeti node."""
    # of what a package installs, this goes when that is removed
    system = os_dir / OS_NAME
    hooks_dir, os_dir, ganeti_dir = (_below(root, each) for each in (hooks_dir, os_dir, ganeti_dir))
    here = root is None
    install_hooks(hooks_dir, spool, node_name=node_name, beside=system, make_folders=here)
    install_os(os_dir, images)
    if network:
        for program, package in _NEEDED.items():
            if here and shutil.which(program) is None:
                text = f"{program} is not installed (Debian: {package}): install it, or give --no-network"
                raise click.ClickException(text)
        try:
            install_network(hooks_dir, ganeti_dir, Node(prefix=prefix), python=python, make_folders=here)
        except FileExistsError as err:
            raise click.ClickException(str(err)) from err


def _below(root: Path | None, path: Path) -> Path:
    return path if root is None else root / path.relative_to(path.anchor)


def _stub(module: ModuleType, node: Node, python: str, *, without: str) -> str:
    """Give a program that runs a module's main with its own interpreter, whatever else the node has.

    `without` is what the shell does where there is none.
    """
    return _STUB.format(
        mark=_MARK,
        python=shlex.quote(python),
        prefix=shlex.quote(node.prefix),
        without=without,
        module=module.__name__,
        settings=", ".join(f"{name}={value!r}" for name, value in vars(node).items()),
    )


def _source(path: str | None) -> str:
    return Path(path or "").read_text(encoding="utf-8")


def _with_setting(program: str, name: str, old: str, new: str) -> str:
    """Set a constant in a program's text: Ganeti resets the environment, so there is no other way to tell it."""
    line = f"\n{name} = {old}\n"
    if program.count(line) != 1:
        raise ValueError(f"the program does not set {name} exactly once")
    return program.replace(line, f"\n{name} = {new}\n")


def _write(path: Path, text: str, *, mode: int) -> None:
    """Replace a file by rename: Ganeti may be about to run it."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(text, encoding="utf-8")
    temporary.chmod(mode)
    temporary.replace(path)


if __name__ == "__main__":
    main()
