"""Who asks, and what the answers are made from: passed to every operation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from cloud.console_desk import Desk
from cloud.image_settings import ImageSettings
from cloud.serial_logs import SerialLogs
from cloud.settings import CloudSettings
from cloud.vault import Vault
from common import clock
from db.sessions import Sessions
from db.users import Role


def _nobody_to_wake() -> None:
    """The default of Cloud.wake and its kin: a program that has no such worker leaves the work to those that do."""


@dataclass(frozen=True)
class Cloud:
    """The domain's collaborators."""

    sessions: Sessions
    settings: CloudSettings
    clock: clock.Clock = clock.now
    #: called after a commit that left a job to submit
    wake: Callable[[], None] = field(default=_nobody_to_wake)
    #: None where the installation's key is not at hand
    vault: Vault | None = None
    images: ImageSettings = field(default_factory=ImageSettings)
    #: called after a commit that left an image to check or convert
    wake_importer: Callable[[], None] = field(default=_nobody_to_wake)
    #: None where nobody keeps what guests print
    serial_logs: SerialLogs | None = None
    #: None where nobody lets viewers to consoles
    console_desk: Desk | None = None


@dataclass(frozen=True)
class Caller:
    """An authenticated user, in one project, with this request's id."""

    user_id: str
    user_name: str
    project_id: str
    project_name: str
    roles: tuple[Role, ...]
    request_id: str

    @property
    def admin(self) -> bool:
        return Role.ADMIN in self.roles
