"""The API's description: Swagger at /docs, and the decorator by which handlers say what they take and give.

Models are documentation only: bodies are read and written by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import flask
import flask_restx

_DESCRIPTION = """
A cloud layer over Ganeti, by OpenStack's APIs.

To try a call here, log in by `POST /identity/v3/auth/tokens`, and give the answer's `x-subject-token` to **Authorize**.

A body that logs in:

    {"auth": {"identity": {"methods": ["password"], "password": {"user":
       {"name": "demo", "password": "...", "domain": {"id": "default"}}}},
     "scope": {"project": {"name": "demo", "domain": {"id": "default"}}}}}
"""

F = TypeVar("F", bound=Callable[..., flask.Response])


class Api(flask_restx.Api):  # type: ignore[misc]  # flask-restx has no types
    """flask-restx, without its own ideas of errors and of what is at the root."""

    def error_router(self, original_handler: Callable[[Exception], flask.Response], error: Exception) -> flask.Response:
        """Leave every error to the app's handlers."""
        return original_handler(error)

    def _register_doc(self, app: flask.Flask) -> None:
        # the root belongs to the identity service, not to the documentation, which there may be none of
        if self._doc:
            app.add_url_rule(self._doc, "doc", self.render_doc)

    @property
    def base_path(self) -> str:
        """Paths are described from the root."""
        return "/"

    @property
    def base_url(self) -> str:
        return str(flask.request.host_url)


def create(*, enabled: bool) -> Api:
    """Make the API that services are mounted on; `init_app` comes after."""
    token = {"type": "apiKey", "in": "header", "name": "X-Auth-Token"}
    return Api(
        title="Syros",
        version="2.1",
        description=_DESCRIPTION,
        authorizations={"token": token},
        security="token",
        doc="/docs" if enabled else False,
    )


def operation(
    *,
    body: flask_restx.Model | None = None,
    gives: flask_restx.Model | None = None,
    status: int = 200,
    query: Mapping[str, str] | None = None,
    faults: Mapping[int, str] | None = None,
) -> Callable[[F], F]:
    """Describe a method: the models of its body and answer, the query's parameters, what it refuses with."""
    responses: dict[str, object] = {str(status): ("", gives) if gives is not None else ""}
    responses.update({str(code): text for code, text in (faults or {}).items()})
    found: dict[str, object] = {"responses": responses}
    if body is not None:
        found["expect"] = [body]
    if query:
        found["params"] = {name: {"in": "query", "description": text} for name, text in query.items()}

    def describe(method: F) -> F:
        method.__apidoc__ = found  # type: ignore[attr-defined]  # where flask-restx looks for it
        return method

    return describe
