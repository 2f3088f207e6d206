"""A server's tags: the whole, and tag by tag. Nova's from 2.26 on, served here whatever the version."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

import flask

from apiserver import answers, docs, validation
from apiserver.compute import models
from apiserver.compute.resource import Resource
from cloud import tags
from common.errors import Invalid, NotFound
from db.tags import LONGEST


class Tags(Resource):
    """All of a server's tags."""

    @docs.operation(gives=models.TAGS, faults=models.LOOK_FAULTS)
    def get(self, server_id: str) -> flask.Response:
        """List a server's tags."""
        return answers.json({"tags": tags.of_server(self.cloud, self.caller, server_id)})

    @docs.operation(body=models.TAGS, gives=models.TAGS, faults=models.CHANGE_FAULTS)
    def put(self, server_id: str) -> flask.Response:
        """Replace all tags by these."""
        given = self.body()
        given.only("tags")
        wanted = [_checked(tag, f"tags[{number}]") for number, tag in enumerate(given.texts("tags", most=tags.MOST))]
        return answers.json({"tags": tags.replace(self.cloud, self.caller, server_id, wanted)})

    @docs.operation(status=204, faults=models.CHANGE_FAULTS)
    def delete(self, server_id: str) -> flask.Response:
        """Remove all tags."""
        tags.replace(self.cloud, self.caller, server_id, ())
        return answers.empty(204)


class Tag(Resource):
    """One of a server's tags."""

    @docs.operation(status=204, faults=models.LOOK_FAULTS)
    def get(self, server_id: str, tag: str) -> flask.Response:
        """Tell whether a server has a tag."""
        if tag not in tags.of_server(self.cloud, self.caller, server_id):
            raise NotFound(f"server {server_id} has no tag {validation.printable(tag)}")
        return answers.empty(204)

    @docs.operation(status=201, faults=models.CHANGE_FAULTS)
    def put(self, server_id: str, tag: str) -> flask.Response:
        """Add a tag: 201, or 204 if it is there already."""
        if not tags.add(self.cloud, self.caller, server_id, _checked(tag, "tag")):
            return answers.empty(204)
        return answers.empty(201, {"Location": self.links.own("servers", f"{server_id}/tags/{quote(tag)}")})

    @docs.operation(status=204, faults=models.CHANGE_FAULTS)
    def delete(self, server_id: str, tag: str) -> flask.Response:
        """Remove a tag."""
        tags.remove(self.cloud, self.caller, server_id, _checked(tag, "tag"))
        return answers.empty(204)


def parse(args: Mapping[str, str], key: str) -> tuple[str, ...]:
    """Read a list's filter, tags separated by commas; raises Invalid."""
    given = [text for text in args.get(key, "").split(",") if text]
    if len(given) > tags.MOST:
        raise Invalid(f"{key}: {tags.MOST} tags at most")
    return tuple(_checked(text, key) for text in given)


def _checked(tag: str, name: str) -> str:
    validation.check_text(tag, name, longest=LONGEST, shortest=1)
    if "," in tag or "/" in tag:
        raise Invalid(f"{name}: a tag has no comma and no slash")
    return tag
