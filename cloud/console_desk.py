"""What consoles are shown with: who knows where they are, who lets viewers to them, and the rules."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from cloud import console_proxies
from cloud.clients import Clients
from cloud.console_places import GanetiPlaces, Places
from cloud.console_proxies import Proxies
from cloud.console_settings import ConsoleSettings
from cloud.settings import CloudSettings
from cloud.vault import Vault
from common.config import ConfigError
from db.sessions import Sessions

#: to one backend at once: a console is a single short question
_CONNECTIONS = 2


@dataclass(frozen=True)
class Desk:
    """The collaborators of whoever shows consoles."""

    settings: ConsoleSettings
    places: Places
    proxies: Proxies
    #: another identity service tells users' roles, and no row here does
    roles_elsewhere: bool = False


def of(
    settings: ConsoleSettings, rules: CloudSettings, sessions: Sessions, vault: Vault | None, *, roles_elsewhere: bool
) -> Desk | None:
    """Give what the settings name, None where they name no proxy; raises ConfigError."""
    proxies = console_proxies.of(settings)
    if proxies is None:
        return None
    if vault is None:
        raise ConfigError("[secrets] key: it is needed to ask Ganeti where consoles are ([console] proxies)")
    patience = dataclasses.replace(rules, rapi_timeout=settings.ganeti_timeout, rapi_connections=_CONNECTIONS)
    places = GanetiPlaces(sessions, Clients(patience, vault))
    return Desk(settings, places, proxies, roles_elsewhere=roles_elsewhere)
