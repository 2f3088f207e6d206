"""A bare client of the API: JSON over HTTP, no library between the test and the wire."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

_TIMEOUT = 30


class Refused(Exception):
    """The API answered with a fault."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status


class Client:
    """One user's session. Connection failures come out as OSError."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.token = ""
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ready(self) -> bool:
        try:
            return self._send("GET", "/readyz", None)[0] == 200
        except (OSError, Refused):
            return False

    def log_in(self, user: str, password: str, *, project: str | None = None) -> None:
        """Log in to a project, by default the one of the user's name."""
        domain = {"name": "Default"}
        who = {"user": {"name": user, "password": password, "domain": domain}}
        scope = {"project": {"name": project or user, "domain": domain}}
        body = {"auth": {"identity": {"methods": ["password"], "password": who}, "scope": scope}}
        _, headers, _ = self._send("POST", "/identity/v3/auth/tokens", body)
        self.token = headers["X-Subject-Token"]

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Call the compute API; give the decoded answer."""
        return self._send(method, f"/compute/v2.1{path}", body)[2]

    def networks(self) -> dict[str, str]:
        """Give the id of each network by its name."""
        found = self._send("GET", "/network/v2.0/networks", None)[2]["networks"]
        return {network["name"]: network["id"] for network in found}

    def fetch(self, path: str) -> bytes:
        """Get the bytes of a compute resource, not decoded."""
        request = urllib.request.Request(f"{self.url}/compute/v2.1{path}", headers={"X-Auth-Token": self.token})
        with self._opener.open(request, timeout=_TIMEOUT) as answer:
            return bytes(answer.read())

    def create(self, name: str, *, count: int = 1) -> str:
        """Ask for a server, or several; give the first one's id."""
        image = self.call("GET", "/images")["images"][0]["id"]
        server = {"name": name, "flavorRef": "1", "imageRef": image, "min_count": count, "max_count": count}
        return str(self.call("POST", "/servers", {"server": server})["server"]["id"])

    def servers(self) -> list[dict[str, Any]]:
        """List every server, page by page."""
        found: list[dict[str, Any]] = []
        path: str | None = "/servers/detail?limit=500"
        while path is not None:
            page = self.call("GET", path)
            found += page["servers"]
            more = page.get("servers_links")
            path = more[0]["href"].partition("/compute/v2.1")[2] if more else None
        return found

    def _send(self, method: str, path: str, body: object) -> tuple[int, Any, Any]:
        headers = {"Content-Type": "application/json", "X-Auth-Token": self.token}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, method=method, data=data, headers=headers)
        try:
            with self._opener.open(request, timeout=_TIMEOUT) as answer:
                text = answer.read()
                return answer.status, answer.headers, json.loads(text) if text else None
        except urllib.error.HTTPError as err:
            with err:
                raise Refused(err.code, err.read().decode(errors="replace")) from err
