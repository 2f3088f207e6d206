"""v3 tokens: log in, look at a token, end it. A token's text travels in headers only."""

from __future__ import annotations

import flask

from apiserver import answers, docs
from apiserver.identity import access, catalog, logins, models, views
from apiserver.resource import Resource
from cloud import auth
from cloud.policy import Operation
from common.errors import Forbidden, Invalid, NotFound, Unauthorized
from db.tokens import Bearer


class Tokens(Resource):
    """Logging in, and tokens by their text in X-Subject-Token."""

    public = True  # logging in needs none; the other methods ask for their token themselves

    @docs.operation(body=models.LOGIN, gives=models.TOKEN, status=201, faults=models.LOGIN_FAULTS)
    def post(self) -> flask.Response:
        """Log in; the token's text is in the header X-Subject-Token."""
        login = logins.v3(self.cloud, self.body())
        document = views.token(self.front, login.bearer, with_catalog="nocatalog" not in self.args)
        return answers.json(document, 201, {"X-Subject-Token": login.text, "Vary": "X-Auth-Token"})

    @docs.operation(gives=models.TOKEN, faults=models.SUBJECT_FAULTS)
    def get(self) -> flask.Response:
        """Describe the token in X-Subject-Token: one's own, or, for an admin, any."""
        text, bearer = self._subject()
        document = views.token(self.front, bearer, with_catalog="nocatalog" not in self.args)
        return answers.json(document, 200, {"X-Subject-Token": text, "Vary": "X-Auth-Token"})

    @docs.operation(status=204, faults=models.SUBJECT_FAULTS)
    def delete(self) -> flask.Response:
        """End the token in X-Subject-Token: one's own, or, for an admin, any."""
        text, _ = self._subject()
        auth.revoke(self.cloud, text)
        return answers.empty(204)

    def _subject(self) -> tuple[str, Bearer]:
        asking = self.bearer
        text = flask.request.headers.get("X-Subject-Token")
        if not text:
            raise Invalid("a token is needed in X-Subject-Token")
        if text == flask.request.headers.get("X-Auth-Token"):
            return text, asking
        try:
            subject = auth.validate(self.cloud, text)
        except Unauthorized as err:
            raise NotFound("the subject token is unknown, revoked or expired") from err
        if subject.user.id != asking.user.id and not access.allows(asking, Operation.TOKEN_READ_ALL):
            raise Forbidden("only an admin may look at another user's token")
        return text, subject


class Catalog(Resource):
    """The services of this cloud."""

    @docs.operation(faults={401: "No valid token", 403: "The token has no project"})
    def get(self) -> flask.Response:
        """List the services and their endpoints."""
        if self.bearer.project is None:
            raise Forbidden("a token without a project has no catalog")
        here = f"{views.home(self.front)}/v3/auth/catalog"
        return answers.json({"catalog": catalog.catalog(self.front), "links": {"self": here}})


class OwnProjects(Resource):
    """Where a token may be scoped to."""

    @docs.operation(gives=models.PROJECTS, faults={401: "No valid token"})
    def get(self) -> flask.Response:
        """List the projects that one may log in to."""
        rows = auth.projects_of(self.cloud, self.bearer.user.id)
        return views.collection(self, "projects", [views.project(self.front, row) for row in rows])


class OwnDomains(Resource):
    """Tokens are never for a domain."""

    @docs.operation(faults={401: "No valid token"})
    def get(self) -> flask.Response:
        """List the domains that one may log in to: none."""
        return views.collection(self, "domains", [])
