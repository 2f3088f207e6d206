"""What this node's configuration says, for all of its programs; a section that can't be meant is a finding."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from common import config
from manage import finding
from manage.finding import Finding

#: the program that reads each section
SECTIONS = ("eventd", "nfdhcpd", "metadatad", "seriald")


@dataclass(frozen=True)
class NodeSettings:
    """What the checks go by; what is None could not be read."""

    ganeti_dir: Path = Path("/var/lib/ganeti")
    spool_dir: Path = Path("/var/spool/syros/hooks")
    #: this node's name as Ganeti knows it; empty for the host's
    node_name: str = ""
    bindings_dir: Path = Path("/var/lib/nfdhcpd")
    #: the numbers of nfdhcpd's queues
    queues: tuple[int, ...] = (42, 43, 44, 45)
    #: seriald's port and where Ganeti has its consoles
    serial_port: int | None = None
    ctrl_dir: Path | None = None


def read(conf: config.Config, programs: tuple[str, ...]) -> tuple[NodeSettings, list[Finding]]:
    """Read the sections of the programs that are installed."""
    found: list[Finding] = []
    # their keys are the programs' own; values have gone through their classes
    known: dict[str, object] = {}
    # the others' sections can't be meant without what they have to be told
    read_here = [name for name in SECTIONS if name in ("eventd", "nfdhcpd") or name in programs]
    for name in read_here:
        try:
            section = conf.registered(name)
        except config.ConfigError as err:
            found.append(finding.wrong(f"configuration [{name}]", str(err), f"say it in {config.DEFAULT_PATH}"))
            continue
        if name == "eventd":
            known |= {key: getattr(section, key) for key in ("ganeti_dir", "spool_dir", "node_name")}
        elif name == "nfdhcpd":
            numbers = tuple(sorted(number for number in section.queues.values() if number >= 0))
            known |= {"bindings_dir": section.bindings_dir, "queues": numbers}
        elif name == "seriald":
            known |= {"serial_port": section.port, "ctrl_dir": section.ctrl_dir}
    if not found:
        found.append(finding.well("configuration", f"{', '.join(read_here)} can be meant"))
    return NodeSettings(**known), found  # type: ignore[arg-type]  # as their classes converted them
