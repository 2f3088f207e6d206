"""Projects: one's own, or, for an admin, all."""

from __future__ import annotations

import flask

from apiserver import answers, docs
from apiserver.identity import access, bodies, models, views
from apiserver.resource import Resource
from cloud import accounts, auth
from cloud.accounts import ProjectChange
from cloud.policy import Operation
from common.errors import Invalid, NotFound
from db import projects
from db.projects import Project as Row

_QUERY = {
    "name": "Only the project of this name",
    "enabled": "true or false: only those that are open, or closed",
    **views.PAGE_QUERY,
}


class Projects(Resource):
    """All projects that one may know of."""

    @docs.operation(gives=models.PROJECTS, query=_QUERY, faults=models.LIST_FAULTS)
    def get(self) -> flask.Response:
        """List projects by name: all for an admin, one's own for others."""
        bearer, page, args = self.bearer, self.page(), self.args
        if not access.allows(bearer, Operation.PROJECT_READ_ALL):
            own = auth.projects_of(self.cloud, bearer.user.id)
            return views.collection(self, "projects", [views.project(self.front, row) for row in own])
        wanted = projects.Filter(name=args.get("name"), enabled=views.flag(args, "enabled"))
        rows: list[Row] = []
        if views.in_the_domain(args) and args.get("parent_id") in (None, views.DOMAIN_ID) and not _domains(args):
            rows = list(accounts.page_of_projects(self.cloud, wanted, limit=page.limit, marker=page.marker))
        return views.page(self, "projects", [views.project(self.front, row) for row in rows], page)

    @docs.operation(body=models.PROJECT, gives=models.PROJECT, status=201, faults=models.KEEP_FAULTS)
    def post(self) -> flask.Response:
        """Make a project; for admins."""
        access.require(self.bearer, Operation.PROJECT_WRITE)
        given = self.body().nested("project")
        bodies.check_domain(given)
        if given.boolean("is_domain", default=False):
            raise Invalid("project.is_domain: there is one domain, and no other can be made")
        if given.maybe_text("parent_id") not in (None, views.DOMAIN_ID):
            raise Invalid("project.parent_id: projects have no parents but the domain")
        row = accounts.add_project(
            self.cloud,
            given.text("name", shortest=1),
            description=given.maybe_text("description", longest=4000, lines=True) or "",
            enabled=given.boolean("enabled", default=True),
        )
        return answers.json({"project": views.project(self.front, row)}, 201)


class Project(Resource):
    """One project."""

    @docs.operation(gives=models.PROJECT, faults=models.LOOK_FAULTS)
    def get(self, project_id: str) -> flask.Response:
        """Show a project: one's own, or, for an admin, any."""
        bearer = self.bearer
        if bearer.project is not None and bearer.project.id == project_id:
            return answers.json({"project": views.project(self.front, bearer.project)})
        if access.allows(bearer, Operation.PROJECT_READ_ALL):
            row = accounts.project_by_id(self.cloud, project_id)
            return answers.json({"project": views.project(self.front, row)})
        own = auth.projects_of(self.cloud, bearer.user.id)
        found = next((project for project in own if project.id == project_id), None)
        if found is None:
            raise NotFound(f"there is no project {project_id}")
        return answers.json({"project": views.project(self.front, found)})

    @docs.operation(body=models.PROJECT, gives=models.PROJECT, faults=models.KEEP_FAULTS)
    def patch(self, project_id: str) -> flask.Response:
        """Change a project; closing it ends its tokens, its servers keep running. For admins."""
        access.require(self.bearer, Operation.PROJECT_WRITE)
        given = self.body().nested("project")
        bodies.check_domain(given)
        change = ProjectChange(
            name=given.maybe_text("name", shortest=1),
            description=bodies.clearable(given, "description"),
            enabled=given.boolean("enabled") if given.has("enabled") else None,
        )
        row = accounts.update_project(self.cloud, accounts.project_by_id(self.cloud, project_id).id, change)
        return answers.json({"project": views.project(self.front, row)})

    @docs.operation(status=204, faults=models.KEEP_FAULTS)
    def delete(self, project_id: str) -> flask.Response:
        """Delete a project that has no servers and images any more; for admins."""
        access.require(self.bearer, Operation.PROJECT_WRITE)
        accounts.remove_project(self.cloud, accounts.project_by_id(self.cloud, project_id).id)
        return answers.empty(204)


def _domains(args: views.Args) -> bool:
    """Tell whether projects that act as domains are asked for: there are none."""
    return views.flag(args, "is_domain") is True
