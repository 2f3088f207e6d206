"""A client of an app under test, which logs in for one and shows the token."""

from __future__ import annotations

from collections.abc import Mapping

from flask.testing import FlaskClient
from werkzeug.test import TestResponse


def login_body(user: str, password: str | None = None, *, project: str | None = None) -> dict[str, object]:
    """The body of a login by password, for the user's default project or another."""
    domain = {"id": "default"}
    who = {"name": user, "domain": domain, "password": password or f"{user}-secret"}
    auth: dict[str, object] = {"identity": {"methods": ["password"], "password": {"user": who}}}
    if project is not None:
        auth["scope"] = {"project": {"name": project, "domain": domain}}
    return {"auth": auth}


class Asking:
    """Sends requests, as a user once `as_user` was called."""

    def __init__(self, client: FlaskClient, token: str | None = None) -> None:
        self.client = client
        self.token = token

    def as_user(self, user: str, password: str | None = None, *, project: str | None = None) -> Asking:
        """Log in, and give a client that shows the token."""
        answer = self.client.post("/identity/v3/auth/tokens", json=login_body(user, password, project=project))
        assert answer.status_code == 201, answer.text
        return Asking(self.client, answer.headers["X-Subject-Token"])

    def send(
        self, method: str, path: str, *, json: object = None, data: bytes | str | None = None, **headers: str
    ) -> TestResponse:
        """Send a request; headers are given as `x_subject_token="…"`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token is not None:
            named.setdefault("X-Auth-Token", self.token)
        return self.client.open(path, method=method, headers=named, **_body(json, data))

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.send("GET", path, **headers)

    def post(self, path: str, json: object = None, **headers: str) -> TestResponse:
        return self.send("POST", path, json=json, **headers)

    def put(self, path: str, json: object = None, **headers: str) -> TestResponse:
        return self.send("PUT", path, json=json, **headers)

    def patch(self, path: str, json: object = None, **headers: str) -> TestResponse:
        return self.send("PATCH", path, json=json, **headers)

    def delete(self, path: str, **headers: str) -> TestResponse:
        return self.send("DELETE", path, **headers)


def _body(json: object, data: bytes | str | None) -> Mapping[str, object]:
    if json is not None:
        return {"json": json}
    return {"data": data} if data is not None else {}
