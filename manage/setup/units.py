"""systemd's units: those of the roles that need no more than this machine are enabled and started."""

from __future__ import annotations

from manage import finding, unit_states
from manage.finding import Finding
from manage.node.host import Host
from manage.setup import tool
from manage.setup.step import Step

#: those of a Ganeti node or a console host have to be told where they are first
_ROLES = ("syros-dispatcher", "syros-apiserver")
_OTHERS = ("syros-eventd", "syros-metadatad", "syros-nfdhcpd", "syros-seriald", "syros-vncauthproxy")


def steps(host: Host) -> list[Step]:
    """Give the step, or none on a machine without systemd or without those packages."""
    units = _installed(host, _ROLES)
    if not units or not host.has_systemd():
        return []

    def look() -> Finding:
        states = [unit_states.of(host.run, unit) for unit in units]
        down = [state for state in states if not (state.active and state.enabled)]
        if not down:
            return finding.well("services", f"{', '.join(units)} run")
        text = ", ".join(f"{state.unit} is {state.word or 'unknown'}, {state.file or 'unknown'}" for state in down)
        failed = [state.unit for state in down if state.failed]
        remedy = f"`journalctl -u {failed[0]}` says why" if failed else "`syros-manage setup` starts them"
        return finding.wrong("services", text, remedy)

    def make() -> str:
        tool.run(["systemctl", "enable", "--now", *units], remedy="`journalctl -u UNIT` says why")
        return f"started {', '.join(units)}"

    return [Step("services", look, make)]


def others(host: Host) -> list[Finding]:
    """Judge the other units that are installed: they may rest, but neither fail nor be down though enabled."""
    if not host.has_systemd():
        return []
    found = [unit_states.judged(unit_states.of(host.run, unit), wanted=False) for unit in _installed(host, _OTHERS)]
    return [each for each in found if each.state is finding.State.TROUBLE]


def _installed(host: Host, roles: tuple[str, ...]) -> list[str]:
    return [f"{role}.service" for role in roles if host.has_unit(f"{role}.service")]
