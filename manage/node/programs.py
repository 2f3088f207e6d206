"""Syros' programs on this node: their units, what they listen to, and the folders that they share with others."""

from __future__ import annotations

from manage import finding, unit_states
from manage.finding import Finding
from manage.node.ganeti import Role
from manage.node.host import Host
from manage.node.settings import NodeSettings

PROGRAMS = ("eventd", "nfdhcpd", "metadatad", "seriald")
#: what guests lack without one
_LACK = {
    "nfdhcpd": "guests get no address by DHCP",
    "metadatad": "guests have no metadata service",
    "seriald": "guests have no serial console, and nobody keeps what they print",
    "eventd": "nobody publishes what Ganeti does",
}


def installed(host: Host) -> tuple[str, ...]:
    """Give the programs of which this node has the package, or that run without one."""
    return tuple(each for each in PROGRAMS if host.has_unit(_unit(each)) or host.runs(f"syros-{each}"))


def check(host: Host, settings: NodeSettings, role: Role) -> list[Finding]:
    """Look at each program, and at what only a running one has."""
    found = []
    for program in PROGRAMS:
        judged = _judged(host, program, role)
        found.append(judged)
        if judged.state is not finding.State.TROUBLE and _up(host, program):
            found += _heard(host, settings, program)
    return [*found, *_folders(host, settings, role)]


def _unit(program: str) -> str:
    return f"syros-{program}.service"


def _up(host: Host, program: str) -> bool:
    if host.has_systemd() and host.has_unit(_unit(program)):
        return unit_states.of(host.run, _unit(program)).active
    return host.runs(f"syros-{program}")


def _judged(host: Host, program: str, role: Role) -> Finding:
    unit = _unit(program)
    idle = program == "eventd" and role in (Role.REGULAR, Role.NONE)
    if not host.has_unit(unit):
        if host.runs(f"syros-{program}"):
            return finding.well(unit, "runs, without a unit")
        if idle:
            return finding.well(unit, "not installed; master candidates alone need it")
        judge = finding.wrong if program in ("nfdhcpd", "eventd") else finding.doubtful
        return judge(unit, f"not installed: {_LACK[program]}", f"`apt-get install syros-{program}`")
    if not host.has_systemd():
        if host.runs(f"syros-{program}"):
            return finding.doubtful(unit, "runs, and without systemd nobody starts it again", "boot with systemd")
        return finding.wrong(unit, f"does not run: {_LACK[program]}", f"start syros-{program}")
    state = unit_states.of(host.run, unit)
    if idle and not state.active and not state.failed:
        return finding.well(unit, "does not run; master candidates alone need it")
    return unit_states.judged(state, wanted=True)


def _heard(host: Host, settings: NodeSettings, program: str) -> list[Finding]:
    """Tell whether a program that runs is connected with what it serves."""
    if program == "seriald" and settings.serial_port is not None and not host.listens(settings.serial_port):
        text = f"nobody listens at port {settings.serial_port}"
        return [finding.wrong("seriald's port", text, "`journalctl -u syros-seriald` says why")]
    if program != "nfdhcpd":
        return []
    bound = [line.split()[0] for line in (host.read("/proc/net/netfilter/nfnetlink_queue") or "").splitlines() if line]
    deaf = [str(number) for number in settings.queues if str(number) not in bound]
    found = []
    if deaf:
        text = f"nobody listens to the queues {', '.join(deaf)}"
        found.append(finding.wrong("nfdhcpd's queues", text, "`journalctl -u syros-nfdhcpd` says why"))
    missing = [
        family for family in ("bridge", "inet") if host.run(["nft", "list", "table", family, "syros_dhcp"], "").code
    ]
    if missing:
        text = f"{' and '.join(missing)} syros_dhcp not loaded: guests' packets do not reach nfdhcpd"
        found.append(finding.wrong("nfdhcpd's rules", text, "`nft -f /usr/share/syros/rules.nft`"))
    return found or [finding.well("nfdhcpd's queues", f"{', '.join(map(str, settings.queues))}, and the rules")]


def _folders(host: Host, settings: NodeSettings, role: Role) -> list[Finding]:
    again = "`systemd-tmpfiles --create` makes what the packages have there"
    wanted = {settings.bindings_dir: f"the network script leaves bindings there: {again}"}
    if role in (Role.CANDIDATE, Role.MASTER) or "eventd" in installed(host):
        wanted[settings.spool_dir] = f"hooks write there: {again}"
    if settings.ctrl_dir is not None and role is not Role.NONE:
        wanted[settings.ctrl_dir] = "Ganeti makes it with its first guest of KVM; or [seriald] ctrl_dir is another"
    found = []
    for folder, remedy in wanted.items():
        path = host.path(folder)
        if not path.is_dir():
            judge = finding.doubtful if folder == settings.ctrl_dir else finding.wrong
            found.append(judge("folders", f"{folder} is not there", remedy))
        elif path.stat().st_mode & 0o022:
            text = f"others than its owner may write to {folder}"
            found.append(finding.wrong("folders", text, f"`chmod go-w {folder}`"))
    return found or [finding.well("folders", ", ".join(map(str, wanted)))]
