"""Asks a Keystone what a token stands for, and remembers its word for a while."""

from __future__ import annotations

import hashlib
import logging
import re
import threading
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime, timedelta

from keystoneauth1 import exceptions
from keystoneauth1.identity import v3
from keystoneauth1.session import Session

from apiserver.keystone_settings import KeystoneSettings
from apiserver.validation import Body, parse
from cloud import foreigners
from cloud.context import Cloud
from cloud.foreigners import Known, Named
from common.errors import Forbidden, Invalid, Unauthorized, Unavailable
from db.tokens import Bearer
from db.users import Role

log = logging.getLogger(__name__)

_MOST = 10_000
_TOKEN = re.compile(r"[\x21-\x7e]{1,4096}")


class Keystone:
    """One Keystone. Threads may share it."""

    def __init__(self, cloud: Cloud, settings: KeystoneSettings) -> None:
        self.url = settings.auth_url.rstrip("/")
        if not self.url.endswith("/v3"):
            self.url += "/v3"
        self._cloud = cloud
        self._roles = _role_names(settings)
        self._keep = timedelta(seconds=settings.cache_seconds)
        self._remembered: OrderedDict[str, tuple[datetime, Bearer]] = OrderedDict()
        self._lock = threading.Lock()
        service = v3.Password(
            auth_url=self.url,
            username=settings.username,
            password=settings.password,
            user_domain_name=settings.user_domain,
            project_name=settings.project,
            project_domain_name=settings.project_domain,
        )
        self._session = Session(auth=service, verify=settings.ca_file or True, timeout=settings.timeout)

    def validate(self, text: str) -> Bearer:
        """Give what a token stands for; raises Unauthorized, Forbidden for one without a role that counts here.

        Raises Unavailable if Keystone does not answer, or does not accept the service user.
        """
        if not _TOKEN.fullmatch(text):
            raise Unauthorized("the token is unknown, revoked or expired")
        digest = hashlib.sha256(text.encode()).hexdigest()
        bearer = self._recall(digest)
        if bearer is None:
            bearer = foreigners.welcome(self._cloud, self._ask(text))
            self._remember(digest, bearer)
        if bearer.token.expires_at <= self._cloud.clock():
            raise Unauthorized("the token is unknown, revoked or expired")
        if not bearer.user.enabled or (bearer.project is not None and not bearer.project.enabled):
            raise Unauthorized("the user or the project is disabled here")
        if bearer.project is not None and not bearer.roles:
            raise Forbidden("none of the token's roles counts here")
        return bearer

    def _ask(self, text: str) -> Known:
        try:
            answer = self._session.get(
                f"{self.url}/auth/tokens?nocatalog",
                headers={"X-Subject-Token": text, "Accept": "application/json"},
                authenticated=True,
            )
        except exceptions.NotFound as err:
            raise Unauthorized("the token is unknown, revoked or expired") from err
        except exceptions.ClientException as err:
            log.error("keystone.failed", extra={"reason": type(err).__name__})  # noqa: TRY400  # the class says it all
            raise Unavailable("the identity service does not answer now; try again soon") from err
        try:
            return self._known(parse(answer.content).nested("token"))
        except Invalid as err:
            log.error("keystone.unreadable", extra={"reason": str(err)})  # noqa: TRY400
            raise Unavailable("the identity service gave an answer that can't be read") from err

    def _known(self, token: Body) -> Known:
        project = token.maybe_nested("project")
        named = [role.text("name") for role in token.nested_list("roles")] if token.has("roles") else []
        audit = token.texts("audit_ids") if token.has("audit_ids") else []
        return Known(
            user=_named(token.nested("user")),
            project=_named(project) if project is not None else None,
            roles=sorted({self._roles[name] for name in named if name in self._roles}),
            methods=token.texts("methods") if token.has("methods") else [],
            audit_id=audit[0] if audit else "",
            issued_at=token.moment("issued_at"),
            expires_at=token.moment("expires_at"),
        )

    def _recall(self, digest: str) -> Bearer | None:
        with self._lock:
            until, bearer = self._remembered.get(digest, (None, None))
            return bearer if until is not None and until > self._cloud.clock() else None

    def _remember(self, digest: str, bearer: Bearer) -> None:
        with self._lock:
            self._remembered[digest] = (self._cloud.clock() + self._keep, bearer)
            self._remembered.move_to_end(digest)
            while len(self._remembered) > _MOST:
                self._remembered.popitem(last=False)


def _role_names(settings: KeystoneSettings) -> Mapping[str, Role]:
    given = {Role.READER: settings.reader_roles, Role.MEMBER: settings.member_roles, Role.ADMIN: settings.admin_roles}
    return {name: role for role, names in given.items() for name in names}


def _named(given: Body) -> Named:
    return Named(id=given.text("id", shortest=1), name=given.text("name", shortest=1))
