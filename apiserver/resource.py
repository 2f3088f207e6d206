"""The base of every handler: it knows the front, who asks, and how to read and page."""

from __future__ import annotations

from collections.abc import Mapping

import flask
import flask_restx

from apiserver import context, paging, validation
from apiserver.front import Front
from cloud import auth
from cloud.context import Caller
from common.errors import Forbidden
from db.tokens import Bearer


class Resource(flask_restx.Resource):  # type: ignore[misc]  # flask-restx has no types
    """A path's methods. Each gets the path's variables, calls one operation and returns a flask.Response.

    A token is required, and checked before the method runs, unless `public`. The variables `version` and `in_project`
    of a path are taken off before the method is called: the version is kept, and a project id in the path has to be
    the token's.
    """

    #: whether the methods answer without a token
    public = False

    def __init__(self, api: object = None, *, front: Front) -> None:
        super().__init__(api)
        self.front = front
        self.cloud = front.cloud
        self.urls = front.urls
        #: the version that the path names, such as v2.1; empty for paths without
        self.version = ""

    def dispatch_request(self, **variables: str) -> flask.Response:
        """Check who asks, then call the method."""
        self.version = variables.pop("version", "")
        in_project = variables.pop("in_project", None)
        if not self.public:
            bearer = context.authenticate(self.front)
            if in_project is not None and in_project != bearer.token.project_id:
                raise Forbidden("the token is not of the project in the path")
        response: flask.Response = super().dispatch_request(**variables)
        return response

    @property
    def request_id(self) -> str:
        """This request's id."""
        return context.state().request_id

    @property
    def bearer(self) -> Bearer:
        """The token's holder, with or without a project; raises Unauthorized."""
        return context.authenticate(self.front)

    @property
    def caller(self) -> Caller:
        """Who asks, in a project; raises Unauthorized."""
        return auth.caller(self.bearer, self.request_id)

    @property
    def args(self) -> Mapping[str, str]:
        """The query's parameters; of one given twice, the first."""
        return flask.request.args

    def body(self) -> validation.Body:
        """Read the JSON body; raises Invalid."""
        return context.read_body()

    def page(self) -> paging.Page:
        """Read which page is wanted; raises Invalid."""
        return paging.parse(flask.request.args, max_limit=self.front.settings.max_limit)
