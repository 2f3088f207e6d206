"""Application credentials: a user's own, for one project, shown whole only when made."""

from __future__ import annotations

import flask

from apiserver import answers, docs
from apiserver.identity import access, models, views
from apiserver.resource import Resource
from apiserver.validation import Body
from cloud import credentials, policy
from cloud.policy import Operation
from common.errors import Invalid
from db.users import Role


class Credentials(Resource):
    """A user's application credentials."""

    @docs.operation(gives=models.CREDENTIALS, faults=models.LOOK_FAULTS)
    def get(self, user_id: str) -> flask.Response:
        """List a user's application credentials."""
        access.require_self_or(self.bearer, Operation.USER_READ_ALL, user_id)
        rows = credentials.of_user(self.cloud, user_id)
        return views.collection(self, "application_credentials", [views.credential(self.front, row) for row in rows])

    @docs.operation(body=models.CREDENTIAL, gives=models.CREDENTIAL, status=201, faults=models.KEEP_FAULTS)
    def post(self, user_id: str) -> flask.Response:
        """Make an application credential for the token's project; its secret is in this answer and nowhere else."""
        access.require_self(self.bearer, user_id)
        caller = self.caller
        policy.require(caller, Operation.CREDENTIAL_WRITE)
        spec = _spec(self.body().nested("application_credential"))
        row, secret = credentials.add(
            self.cloud, user_id=user_id, project_id=caller.project_id, held=caller.roles, spec=spec
        )
        return answers.json({"application_credential": {**views.credential(self.front, row), "secret": secret}}, 201)


class Credential(Resource):
    """One application credential."""

    @docs.operation(gives=models.CREDENTIAL, faults=models.LOOK_FAULTS)
    def get(self, user_id: str, credential_id: str) -> flask.Response:
        """Show an application credential, without its secret."""
        access.require_self_or(self.bearer, Operation.USER_READ_ALL, user_id)
        row = credentials.get(self.cloud, user_id, credential_id)
        return answers.json({"application_credential": views.credential(self.front, row)})

    @docs.operation(status=204, faults=models.LOOK_FAULTS)
    def delete(self, user_id: str, credential_id: str) -> flask.Response:
        """End an application credential and the tokens made by it."""
        access.require_self_or(self.bearer, Operation.USER_WRITE, user_id)
        access.require_unrestricted(self.bearer)
        credentials.remove(self.cloud, user_id, credential_id)
        return answers.empty(204)


def _spec(given: Body) -> credentials.CredentialSpec:
    if given.raw("access_rules"):
        raise Invalid("application_credential.access_rules: not supported; leave them out")
    roles: tuple[Role, ...] | None = None
    if given.raw("roles"):
        roles = tuple(_role(item) for item in given.nested_list("roles"))
    return credentials.CredentialSpec(
        name=given.text("name", shortest=1),
        secret=given.maybe_text("secret", longest=512, shortest=1),
        roles=roles,
        description=given.maybe_text("description", longest=4000, lines=True) or "",
        expires_at=given.maybe_moment("expires_at"),
        unrestricted=given.boolean("unrestricted", default=False),
    )


def _role(given: Body) -> Role:
    name = given.maybe_text("id") or given.text("name")
    try:
        return Role(name)
    except ValueError as err:
        raise Invalid(f"roles: there is no role {name}; there is {', '.join(Role)}") from err
