"""What systemd says of a unit, and what to make of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from manage import finding
from manage.finding import Finding
from manage.node.host import Done

Run = Callable[[Sequence[str], str], Done]

_PROPERTIES = ("LoadState", "ActiveState", "SubState", "Result", "UnitFileState")


@dataclass(frozen=True)
class UnitState:
    """A unit's state, in systemd's words (systemd(1), org.freedesktop.systemd1(5))."""

    unit: str
    load: str
    word: str
    sub: str
    result: str
    file: str

    @property
    def active(self) -> bool:
        return self.word in ("active", "reloading")

    @property
    def failed(self) -> bool:
        """Whether it has ended badly, or does so again and again."""
        return self.word == "failed" or self.sub == "auto-restart"

    @property
    def enabled(self) -> bool:
        return self.file.startswith("enabled")


def of(run: Run, unit: str) -> UnitState:
    """Ask systemd; a unit that it does not know is `not-found`."""
    done = run(["systemctl", "show", unit, f"--property={','.join(_PROPERTIES)}"], "")
    facts = dict(line.split("=", 1) for line in done.out.splitlines() if "=" in line)
    load, word, sub, result, file = (facts.get(name, "") for name in _PROPERTIES)
    return UnitState(unit, load or "not-found", word, sub, result, file)


def judged(state: UnitState, *, wanted: bool) -> Finding:
    """Judge a unit that is installed; one that is not `wanted` may rest, but may not have failed."""
    if not state.word:
        return finding.wrong(state.unit, "systemd does not say how it is", f"`systemctl status {state.unit}`")
    look = f"`journalctl -u {state.unit}` says why"
    if state.failed:
        return finding.wrong(state.unit, f"{state.word} ({state.result or state.sub})", look)
    if not state.active:
        if not wanted and not state.enabled:
            return finding.well(state.unit, "rests")
        text = f"{state.word}: it does not run"
        return finding.wrong(state.unit, text, f"`systemctl enable --now {state.unit}`; {look}")
    if not state.enabled:
        text = "runs, and will not after the next boot"
        return finding.doubtful(state.unit, text, f"`systemctl enable {state.unit}`")
    return finding.well(state.unit, "runs")
