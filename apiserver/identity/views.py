"""Identity's nouns as its clients read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import flask

from apiserver import answers, paging, times
from apiserver.front import Front
from apiserver.identity import catalog
from apiserver.resource import Resource
from apiserver.validation import check_boolean
from cloud import auth
from common.errors import Invalid
from db.projects import Project
from db.tokens import Bearer
from db.users import ApplicationCredential, User

Args = Mapping[str, str]

DOMAIN_ID = "default"
DOMAIN = {"id": DOMAIN_ID, "name": "Default"}
#: the parameters of paged lists, for their documentation
PAGE_QUERY = {
    "domain_id": "Only those of this domain",
    "limit": "How many, at most",
    "marker": "The id of the last one of the page before",
}


def home(front: Front) -> str:
    """Give the URL that this request reached the service by: under /identity, or the root."""
    under = flask.request.path.startswith("/identity")
    return front.urls.absolute("/identity" if under else "")


def token(front: Front, bearer: Bearer, *, with_catalog: bool = True) -> dict[str, object]:
    """Describe a token, never its text."""
    row, user = bearer.token, bearer.user
    document: dict[str, object] = {
        "methods": row.methods,
        "user": {"id": user.id, "name": user.name, "domain": DOMAIN, "password_expires_at": None},
        "audit_ids": [row.audit_id],
        "expires_at": answers.moment(row.expires_at),
        "issued_at": answers.moment(row.issued_at),
    }
    if bearer.project is not None:
        document["project"] = {"id": bearer.project.id, "name": bearer.project.name, "domain": DOMAIN}
        document["is_domain"] = False
        document["roles"] = [role(name) for name in auth.effective_roles(bearer)]
        if with_catalog:
            document["catalog"] = catalog.catalog(front)
    if bearer.credential is not None:
        held = bearer.credential
        document["application_credential"] = {
            "id": held.id,
            "name": held.name,
            "restricted": not held.unrestricted,
        }
    return {"token": document}


def role(name: str) -> dict[str, object]:
    """Describe a role; its id is its name."""
    return {"id": name, "name": name}


def role_in_full(front: Front, name: str) -> dict[str, object]:
    """Describe a role as lists and its own page do."""
    links = {"self": f"{home(front)}/v3/roles/{name}"}
    return {**role(name), "domain_id": None, "description": None, "options": {}, "links": links}


def project(front: Front, row: Project) -> dict[str, object]:
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "enabled": row.enabled,
        "domain_id": DOMAIN_ID,
        "parent_id": DOMAIN_ID,
        "is_domain": False,
        "tags": [],
        "options": {},
        "links": {"self": f"{home(front)}/v3/projects/{row.id}"},
    }


def user(front: Front, row: User) -> dict[str, object]:
    document: dict[str, object] = {
        "id": row.id,
        "name": row.name,
        "enabled": row.enabled,
        "domain_id": DOMAIN_ID,
        "password_expires_at": None,
        "options": {},
        "links": {"self": f"{home(front)}/v3/users/{row.id}"},
    }
    if row.default_project_id is not None:
        document["default_project_id"] = row.default_project_id
    if row.description is not None:
        document["description"] = row.description
    if row.email is not None:
        document["email"] = row.email
    return document


def credential(front: Front, row: ApplicationCredential) -> dict[str, object]:
    """Describe an application credential, without its secret."""
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "project_id": row.project_id,
        "user_id": row.user_id,
        "roles": [role(name) for name in row.roles],
        "expires_at": times.bare(row.expires_at),
        "unrestricted": row.unrestricted,
        "system": None,
        "links": {"self": f"{home(front)}/v3/users/{row.user_id}/application_credentials/{row.id}"},
    }


def in_the_domain(args: Args) -> bool:
    """Tell whether a list is asked for of the one domain, or of any."""
    return args.get("domain_id", DOMAIN_ID) == DOMAIN_ID


def flag(args: Args, key: str) -> bool | None:
    """Read true or false from a query; None if it says nothing. Raises Invalid."""
    return check_boolean(args[key], key) if args.get(key) else None


def page(resource: Resource, key: str, items: Sequence[Mapping[str, object]], wanted: paging.Page) -> flask.Response:
    """Answer with a page of a list that the database has cut."""
    following = paging.next_link(resource.urls, wanted, [str(item["id"]) for item in items])
    here = resource.urls.absolute(flask.request.path)
    return answers.json({key: items, "links": {"next": following, "self": here, "previous": None}})


def collection(resource: Resource, key: str, items: Sequence[Mapping[str, object]]) -> flask.Response:
    """Answer with the wanted page of a list; filters by `name` and `enabled` count where the items have them."""
    page, args = resource.page(), resource.args
    if "name" in args:
        items = [item for item in items if item.get("name") == args["name"]]
    if args.get("enabled"):
        wanted = check_boolean(args["enabled"], "enabled")
        items = [item for item in items if item.get("enabled", True) is wanted]
    if args.get("domain_id", DOMAIN_ID) != DOMAIN_ID:
        items = []
    ids = [str(item.get("id")) for item in items]
    if page.marker is not None and page.marker not in ids:
        raise Invalid(f"marker: nothing in this list has the id {page.marker}")
    start = ids.index(page.marker) + 1 if page.marker is not None else 0
    shown = items[start : start + page.limit]
    more = start + page.limit < len(items)
    following = paging.next_link(resource.urls, page, ids[start : start + page.limit]) if more else None
    here = resource.urls.absolute(flask.request.path)
    return answers.json({key: shown, "links": {"next": following, "self": here, "previous": None}})
