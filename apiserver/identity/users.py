"""Users: oneself, or, for an admin, all; and one's password."""

from __future__ import annotations

import flask

from apiserver import answers, docs
from apiserver.identity import access, bodies, models, views
from apiserver.resource import Resource
from cloud import accounts, auth
from cloud.accounts import UserChange
from cloud.policy import Operation
from db import users

_QUERY = {
    "name": "Only the user of this name",
    "enabled": "true or false: only those that may log in, or may not",
    "email": "Only users with this address",
    **views.PAGE_QUERY,
}


class Users(Resource):
    """All users."""

    @docs.operation(gives=models.USERS, query=_QUERY, faults=models.LIST_FAULTS)
    def get(self) -> flask.Response:
        """List users by name; for admins."""
        access.require(self.bearer, Operation.USER_READ_ALL)
        page, args = self.page(), self.args
        wanted = users.Filter(name=args.get("name"), enabled=views.flag(args, "enabled"), email=args.get("email"))
        rows = []
        if views.in_the_domain(args):
            rows = list(accounts.page_of_users(self.cloud, wanted, limit=page.limit, marker=page.marker))
        return views.page(self, "users", [views.user(self.front, row) for row in rows], page)

    @docs.operation(body=models.USER, gives=models.USER, status=201, faults=models.KEEP_FAULTS)
    def post(self) -> flask.Response:
        """Make a user; for admins."""
        access.require(self.bearer, Operation.USER_WRITE)
        given = self.body().nested("user")
        bodies.check_domain(given)
        row = accounts.add_user(
            self.cloud,
            given.text("name", shortest=1),
            password=given.maybe_text("password", longest=512),
            email=given.maybe_text("email"),
            default_project=bodies.default_project(self.cloud, given),
            description=given.maybe_text("description", longest=4000, lines=True),
            enabled=given.boolean("enabled", default=True),
        )
        return answers.json({"user": views.user(self.front, row)}, 201)


class User(Resource):
    """One user."""

    @docs.operation(gives=models.USER, faults=models.LOOK_FAULTS)
    def get(self, user_id: str) -> flask.Response:
        """Show a user: oneself, or, for an admin, any."""
        access.require_self_or(self.bearer, Operation.USER_READ_ALL, user_id)
        if self.bearer.user.id == user_id:
            return answers.json({"user": views.user(self.front, self.bearer.user)})
        return answers.json({"user": views.user(self.front, accounts.user_by_id(self.cloud, user_id))})

    @docs.operation(body=models.USER, gives=models.USER, faults=models.KEEP_FAULTS)
    def patch(self, user_id: str) -> flask.Response:
        """Change a user; a new password, and being disabled, end the user's tokens. For admins."""
        access.require(self.bearer, Operation.USER_WRITE)
        given = self.body().nested("user")
        bodies.check_domain(given)
        change = UserChange(
            name=given.maybe_text("name", shortest=1),
            password=given.maybe_text("password", longest=512),
            email=bodies.clearable(given, "email"),
            default_project=bodies.default_project(self.cloud, given),
            description=bodies.clearable(given, "description"),
            enabled=given.boolean("enabled") if given.has("enabled") else None,
        )
        row = accounts.update_user(self.cloud, accounts.user_by_id(self.cloud, user_id).id, change)
        return answers.json({"user": views.user(self.front, row)})

    @docs.operation(status=204, faults=models.KEEP_FAULTS)
    def delete(self, user_id: str) -> flask.Response:
        """Delete a user; the servers they made stay with their projects. For admins."""
        access.require(self.bearer, Operation.USER_WRITE)
        accounts.remove_user(self.cloud, accounts.user_by_id(self.cloud, user_id).id)
        return answers.empty(204)


class UserProjects(Resource):
    """A user's projects."""

    @docs.operation(gives=models.PROJECTS, faults=models.LOOK_FAULTS)
    def get(self, user_id: str) -> flask.Response:
        """List the projects in which a user has a role."""
        access.require_self_or(self.bearer, Operation.USER_READ_ALL, user_id)
        rows = auth.projects_of(self.cloud, user_id)
        return views.collection(self, "projects", [views.project(self.front, row) for row in rows])


class UserGroups(Resource):
    """A user's groups."""

    @docs.operation(faults=models.LOOK_FAULTS)
    def get(self, user_id: str) -> flask.Response:
        """List a user's groups: roles are given to users, there are no groups."""
        access.require_self_or(self.bearer, Operation.USER_READ_ALL, user_id)
        if self.bearer.user.id != user_id:
            accounts.user_by_id(self.cloud, user_id)
        return views.collection(self, "groups", [])


class Password(Resource):
    """A user's own password."""

    @docs.operation(body=models.PASSWORD, status=204, faults=models.CHANGE_FAULTS)
    def post(self, user_id: str) -> flask.Response:
        """Change one's password, which ends every token of one's own."""
        access.require_self(self.bearer, user_id)
        given = self.body().nested("user")
        accounts.change_password(
            self.cloud,
            user_id,
            original=given.text("original_password", longest=512, lines=True),
            password=given.text("password", longest=512),
        )
        return answers.empty(204)
