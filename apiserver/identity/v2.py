"""Identity v2.0, as far as old clients log in by it."""

from __future__ import annotations

import flask

from apiserver import answers, docs
from apiserver.identity import catalog, logins, models, views
from apiserver.resource import Resource
from cloud import auth
from db.projects import Project


class TokensV2(Resource):
    """Logging in."""

    public = True

    @docs.operation(body=models.LOGIN_V2, faults=models.LOGIN_FAULTS)
    def post(self) -> flask.Response:
        """Log in by password or token; the text of the new token is access.token.id."""
        login = logins.v2(self.cloud, self.body())
        bearer = login.bearer
        token: dict[str, object] = {
            "id": login.text,
            "issued_at": answers.moment(bearer.token.issued_at),
            "expires": answers.moment(bearer.token.expires_at),
            "audit_ids": [bearer.token.audit_id],
        }
        if bearer.project is not None:
            token["tenant"] = _tenant(bearer.project)
        scoped = bearer.project is not None
        roles = [views.role(role) for role in auth.effective_roles(bearer)] if scoped else []
        user = {
            "id": bearer.user.id,
            "name": bearer.user.name,
            "username": bearer.user.name,
            "roles": roles,
            "roles_links": [],
        }
        services = catalog.catalog_v2(self.front) if scoped else []
        access = {"token": token, "user": user, "serviceCatalog": services, "metadata": {"is_admin": 0, "roles": []}}
        return answers.json({"access": access}, 200, {"Vary": "X-Auth-Token"})


class Tenants(Resource):
    """Projects, by their old name."""

    @docs.operation(faults={401: "No valid token"})
    def get(self) -> flask.Response:
        """List the projects that one may log in to."""
        rows = auth.projects_of(self.cloud, self.bearer.user.id)
        return answers.json({"tenants": [_tenant(row) for row in rows], "tenants_links": []})


def _tenant(row: Project) -> dict[str, object]:
    return {"id": row.id, "name": row.name, "description": row.description, "enabled": row.enabled}
