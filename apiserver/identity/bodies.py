"""Reads what the bodies about users and projects have in common."""

from __future__ import annotations

from apiserver.identity import views
from apiserver.validation import Body
from cloud import accounts
from cloud.context import Cloud
from common.errors import Invalid, NotFound


def check_domain(given: Body) -> None:
    """Raise NotFound for a domain other than the one there is."""
    domain = given.maybe_text("domain_id")
    if domain not in (None, views.DOMAIN_ID):
        raise NotFound(f"domain_id: there is one domain, {views.DOMAIN_ID}")


def clearable(given: Body, key: str) -> str | None:
    """Read a text that null takes away: the empty text then; None if the member is missing."""
    if key in given.keys() and given.raw(key) is None:  # noqa: SIM118  # a body is no dict
        return ""
    return given.maybe_text(key, longest=255 if key == "email" else 4000, lines=key != "email")


def default_project(cloud: Cloud, given: Body) -> str | None:
    """Read the id of a user's default project as `clearable` does; raises Invalid for one that is not there."""
    wanted = clearable(given, "default_project_id")
    if wanted:
        try:
            accounts.project_by_id(cloud, wanted)
        except NotFound as err:
            raise Invalid(f"default_project_id: {err}") from err
    return wanted
