"""Who has which role in which project."""

from __future__ import annotations

import flask

from apiserver import answers, docs
from apiserver.identity import access, models, views
from apiserver.resource import Resource
from cloud import accounts
from cloud.policy import Operation
from common.errors import NotFound
from db.users import Held, Role

#: filters that nobody here fits: roles are given to users, in projects
_EMPTY = ("group.id", "scope.domain.id", "scope.system", "scope.OS-INHERIT:inherited_to")
_QUERY = {
    "user.id": "Only this user's",
    "scope.project.id": "Only those in this project",
    "role.id": "Only those of this role",
    "include_names": "true: with the names of users, roles and projects",
}


class Assignments(Resource):
    """All roles of everybody."""

    @docs.operation(query=_QUERY, faults=models.LIST_FAULTS)
    def get(self) -> flask.Response:
        """List role assignments: all for an admin; others ask for their own."""
        args = self.args
        if args.get("user.id") != self.bearer.user.id:
            access.require(self.bearer, Operation.ROLE_READ_ALL)
        role = args.get("role.id")
        found = []
        if not any(args.get(key) for key in _EMPTY) and (role is None or role in list(Role)):
            found = list(
                accounts.held(
                    self.cloud,
                    user_id=args.get("user.id"),
                    project_id=args.get("scope.project.id"),
                    role=Role(role) if role else None,
                )
            )
        with_names = args.get("include_names", "false").lower() not in ("false", "0")
        here = self.urls.absolute(flask.request.path)
        return answers.json(
            {
                "role_assignments": [self._described(held, with_names=with_names) for held in found],
                "links": {"self": here, "next": None, "previous": None},
            }
        )

    def _described(self, held: Held, *, with_names: bool) -> dict[str, object]:
        where = f"{views.home(self.front)}/v3/projects/{held.project_id}/users/{held.user_id}/roles/{held.role}"
        links = {"assignment": where}
        if not with_names:
            user: dict[str, object] = {"id": held.user_id}
            project: dict[str, object] = {"id": held.project_id}
            return {"user": user, "role": {"id": held.role}, "scope": {"project": project}, "links": links}
        role = {**views.role(held.role), "domain": None}
        user = {"id": held.user_id, "name": held.user_name, "domain": views.DOMAIN}
        project = {"id": held.project_id, "name": held.project_name, "domain": views.DOMAIN}
        return {"user": user, "role": role, "scope": {"project": project}, "links": links}


class RolesOfUser(Resource):
    """A user's roles in a project."""

    @docs.operation(faults=models.LOOK_FAULTS)
    def get(self, project_id: str, user_id: str) -> flask.Response:
        """List a user's roles in a project; for admins."""
        access.require(self.bearer, Operation.ROLE_READ_ALL)
        accounts.user_by_id(self.cloud, user_id)
        accounts.project_by_id(self.cloud, project_id)
        found = accounts.held(self.cloud, user_id=user_id, project_id=project_id)
        return views.collection(self, "roles", [views.role_in_full(self.front, held.role) for held in found])


class RoleOfUser(Resource):
    """One role of a user in a project."""

    @docs.operation(status=204, faults=models.LOOK_FAULTS)
    def get(self, project_id: str, user_id: str, role_id: str) -> flask.Response:
        """Tell whether a user has a role in a project; for admins."""
        access.require(self.bearer, Operation.ROLE_READ_ALL)
        if not accounts.held(self.cloud, user_id=user_id, project_id=project_id, role=_role(role_id)):
            raise NotFound(f"the user {user_id} has no role {role_id} in the project {project_id}")
        return answers.empty(204)

    @docs.operation(status=204, faults=models.LOOK_FAULTS)
    def put(self, project_id: str, user_id: str, role_id: str) -> flask.Response:
        """Give a user a role in a project; a second time changes nothing. For admins."""
        access.require(self.bearer, Operation.ROLE_ASSIGN)
        user, project = accounts.user_by_id(self.cloud, user_id), accounts.project_by_id(self.cloud, project_id)
        accounts.grant(self.cloud, user=user.id, project=project.id, role=_role(role_id))
        return answers.empty(204)

    @docs.operation(status=204, faults={**models.LOOK_FAULTS, 409: "It is the last admin's"})
    def delete(self, project_id: str, user_id: str, role_id: str) -> flask.Response:
        """Take a user's role in a project back; for admins."""
        access.require(self.bearer, Operation.ROLE_ASSIGN)
        user, project = accounts.user_by_id(self.cloud, user_id), accounts.project_by_id(self.cloud, project_id)
        accounts.withdraw(self.cloud, user=user.id, project=project.id, role=_role(role_id))
        return answers.empty(204)


def _role(role_id: str) -> Role:
    try:
        return Role(role_id)
    except ValueError as err:
        raise NotFound(f"there is no role {role_id}; there is {', '.join(Role)}") from err
