"""Whom an image is shared with, its tags, and whether it may be used."""

from __future__ import annotations

import flask

from apiserver import answers, docs
from apiserver.image import bodies, models, views
from apiserver.resource import Resource
from apiserver.validation import check_text
from cloud import image_changes, image_members
from common.errors import Invalid
from db.images import MemberStatus

_FAULTS = {401: "No valid token", 403: "Not yours to do, or not a shared image", 404: "There is none"}


class Members(Resource):
    """The projects that an image is shared with."""

    @docs.operation(gives=models.MEMBERS, faults=_FAULTS)
    def get(self, image_id: str) -> flask.Response:
        """List an image's members; a member sees itself."""
        rows = image_members.page(self.cloud, self.caller, image_id)
        return answers.json({"members": [views.member(row) for row in rows], "schema": views.MEMBERS_SCHEMA})

    @docs.operation(
        body=models.NEW_MEMBER,
        gives=models.MEMBER,
        faults={**_FAULTS, 400: "The body can't be meant", 409: "It is a member already"},
    )
    def post(self, image_id: str) -> flask.Response:
        """Share an image with a project."""
        body = self.body()
        body.only("member")
        project_id = body.text("member", longest=64, shortest=1)
        return answers.json(views.member(image_members.add(self.cloud, self.caller, image_id, project_id)))


class Member(Resource):
    """One project that an image is shared with."""

    @docs.operation(gives=models.MEMBER, faults=_FAULTS)
    def get(self, image_id: str, member_id: str) -> flask.Response:
        """Show a member."""
        return answers.json(views.member(image_members.get(self.cloud, self.caller, image_id, member_id)))

    @docs.operation(body=models.MEMBER_STATUS, gives=models.MEMBER, faults={**_FAULTS, 400: "The body can't be meant"})
    def put(self, image_id: str, member_id: str) -> flask.Response:
        """Accept an image, or reject it: for the member itself."""
        body = self.body()
        body.only("status", "member")
        if body.maybe_text("member") not in (None, member_id):
            raise Invalid("member: it is not the one in the path")
        word = body.text("status")
        if word not in list(MemberStatus):
            raise Invalid(f"status: {', '.join(MemberStatus)} is expected")
        found = image_members.answer(self.cloud, self.caller, image_id, member_id, status=MemberStatus(word))
        return answers.json(views.member(found))

    @docs.operation(status=204, faults=_FAULTS)
    def delete(self, image_id: str, member_id: str) -> flask.Response:
        """Share an image no longer with a project."""
        image_members.remove(self.cloud, self.caller, image_id, member_id)
        return answers.empty(204)


class Tag(Resource):
    """One of an image's tags."""

    @docs.operation(status=204, faults={**_FAULTS, 400: "The tag can't be meant"})
    def put(self, image_id: str, tag: str) -> flask.Response:
        """Tag an image."""
        image_changes.add_tag(self.cloud, self.caller, image_id, bodies.tag(tag))
        return answers.empty(204)

    @docs.operation(status=204, faults={**_FAULTS, 400: "The tag can't be meant"})
    def delete(self, image_id: str, tag: str) -> flask.Response:
        """Take a tag off."""
        image_changes.remove_tag(self.cloud, self.caller, image_id, check_text(tag, "tag"))
        return answers.empty(204)


class Deactivate(Resource):
    """Keeping an image from being used."""

    @docs.operation(status=204, faults={**_FAULTS, 403: "For admins, of images with a file"})
    def post(self, image_id: str) -> flask.Response:
        """Deactivate an image: no server starts from it, and only admins download it."""
        image_changes.deactivate(self.cloud, self.caller, image_id)
        return answers.empty(204)


class Reactivate(Resource):
    """Letting a deactivated image be used again."""

    @docs.operation(status=204, faults={**_FAULTS, 403: "For admins, of images with a file"})
    def post(self, image_id: str) -> flask.Response:
        """Reactivate an image."""
        image_changes.reactivate(self.cloud, self.caller, image_id)
        return answers.empty(204)
