"""The sandbox's section of the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from common import config


@dataclass(frozen=True)
class SandboxSettings:
    """A cloud in one process."""

    state_dir: Path = config.setting(
        Path("var"), "where everything is kept: database, simulated Ganeti, clouds.yaml, syros.toml"
    )
    ganeti_port: int = config.setting(0, "port of the simulated RAPI; 0 for any that is free")
    console_port: int = config.setting(0, "port at which browsers see consoles; 0 for any that is free")
    job_scale: float = config.setting(1.0, "how slow the simulated Ganeti is: 0 for no pause at all")
    hooks: bool = config.setting(True, "let the simulated Ganeti run the hooks, as a real one does")
