"""Reads what a client wants to log in with, and logs it in."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from apiserver.identity import views
from apiserver.validation import Body
from cloud import auth
from cloud.auth import Login, Scope
from cloud.context import Cloud
from common.errors import Invalid, Unauthorized

_LONGEST = 512
#: clients that name no domain mean the one there is
_DOMAIN_NAMES = (views.DOMAIN_ID, views.DOMAIN["name"])


def v3(cloud: Cloud, body: Body) -> Login:
    """Log in by a v3 body; raises Invalid for what can't be read and Unauthorized for what is not accepted."""
    request = body.nested("auth")
    identity = request.nested("identity")
    methods = identity.texts("methods")
    if len(methods) != 1:
        raise Invalid("auth.identity.methods: exactly one method is expected")
    method = _METHODS.get(methods[0])
    if method is None:
        raise Unauthorized(f"there is no login by this method; there is {', '.join(_METHODS)}")
    return method(cloud, identity.nested(methods[0]), _scope(request))


def v2(cloud: Cloud, body: Body) -> Login:
    """Log in by a v2.0 body; raises Invalid or Unauthorized."""
    request = body.nested("auth")
    scope = Scope(
        project_id=request.maybe_text("tenantId") or None, project_name=request.maybe_text("tenantName") or None
    )
    old = request.maybe_nested("token")
    if old is not None:
        return auth.by_token(cloud, old.text("id", longest=_LONGEST), scope)
    given = request.nested("passwordCredentials")
    return auth.by_password(
        cloud,
        password=given.text("password", longest=_LONGEST, lines=True),
        scope=scope,
        user_id=given.maybe_text("userId"),
        user_name=given.maybe_text("username"),
    )


def _by_password(cloud: Cloud, given: Body, scope: Scope) -> Login:
    user = given.nested("user")
    user_id, user_name = _user(user)
    password = user.text("password", longest=_LONGEST, lines=True)
    return auth.by_password(cloud, password=password, scope=scope, user_id=user_id, user_name=user_name)


def _by_token(cloud: Cloud, given: Body, scope: Scope) -> Login:
    return auth.by_token(cloud, given.text("id", longest=_LONGEST), scope)


def _by_credential(cloud: Cloud, given: Body, scope: Scope) -> Login:
    if scope != Scope():
        raise Unauthorized("an application credential has its own project: no scope can be asked for")
    secret = given.text("secret", longest=_LONGEST, lines=True)
    if given.has("id"):
        return auth.by_credential(cloud, secret=secret, credential_id=given.text("id"))
    user_id, user_name = _user(given.nested("user"))
    return auth.by_credential(cloud, secret=secret, name=given.text("name"), user_id=user_id, user_name=user_name)


_METHODS: Mapping[str, Callable[[Cloud, Body, Scope], Login]] = {
    "password": _by_password,
    "token": _by_token,
    "application_credential": _by_credential,
}


def _user(user: Body) -> tuple[str | None, str | None]:
    """Give the user's id, or the name within the one domain."""
    if user.has("id"):
        return user.text("id"), None
    name = user.text("name")
    _check_domain(user.maybe_nested("domain"))
    return None, name


def _scope(request: Body) -> Scope:
    if not request.has("scope"):
        return Scope()
    if request.raw("scope") == "unscoped":
        return Scope(unscoped=True)
    scope = request.nested("scope")
    if scope.has("unscoped"):
        return Scope(unscoped=True)
    project = scope.maybe_nested("project")
    if project is None:
        raise Unauthorized("tokens are for a project, or unscoped: there are none for domains or the system")
    if project.has("id"):
        return Scope(project_id=project.text("id"))
    name = project.text("name")
    _check_domain(project.maybe_nested("domain"))
    return Scope(project_name=name)


def _check_domain(domain: Body | None) -> None:
    if domain is None:
        return
    named = domain.maybe_text("id") or domain.maybe_text("name")
    if named not in _DOMAIN_NAMES:
        raise Unauthorized("the user, the password or the project is wrong")
