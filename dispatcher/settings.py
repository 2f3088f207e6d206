"""The dispatcher's section of the configuration."""

from __future__ import annotations

from dataclasses import dataclass

from common import config


@dataclass(frozen=True)
class DispatcherSettings:
    """How many hands, and how often the background work is done."""

    consumers: int = config.setting(2, "threads that apply events")
    look_seconds: float = config.setting(2.0, "seconds between looks at instances that changed place")
    sweep_seconds: float = config.setting(5.0, "seconds between sweeps for jobs that went silent")
    sweep_patience: float = config.setting(60.0, "seconds of silence after which Ganeti is asked about a job")
    refresh_seconds: float = config.setting(30.0, "seconds between looks at the backends' capacity")
    console_seconds: float = config.setting(
        3.0, "seconds between questions to the console proxies: who is at which console, and who may not be any more"
    )
    reconcile_seconds: float = config.setting(
        600.0, "seconds between comparisons of a whole backend with the database; 0 for never"
    )
    reconcile_grace: float = config.setting(60.0, "seconds that an instance has to be missing before it counts as lost")
    metrics: str = config.setting("", "host:port to show Prometheus metrics at; empty for nowhere")
