"""HTTP errors as Ganeti's RAPI words them, and the request as handlers see it."""

import dataclasses
import html
import http
from typing import Any

import orjson

EXPLAIN = {
    400: "Bad request syntax or unsupported method",
    401: "No permission -- see authorization schemes",
    403: "Request forbidden -- authorization will not help",
    404: "Nothing matches the given URI",
    415: "Entity body in unsupported format",
    500: "Server got itself in trouble",
    501: "Server does not support this operation",
    502: "Invalid responses from another server/proxy",
    503: "The server cannot process the request due to a high load",
    504: "The gateway server did not receive a timely response",
}


class HttpError(Exception):
    """An error answer; the message is escaped as Ganeti escapes it."""

    def __init__(self, code: int, message: str | None = None) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message or http.HTTPStatus(code).phrase

    def body(self) -> bytes:
        document = {"code": self.code, "message": html.escape(self.message), "explain": EXPLAIN[self.code]}
        return orjson.dumps(document)


@dataclasses.dataclass(frozen=True)
class Request:
    """One request; `query` keeps all values of each parameter, `body` is parsed JSON or None."""

    method: str
    path: str
    items: tuple[str, ...]
    query: dict[str, list[str]]
    body: Any

    def text(self, name: str, default: str | None = None) -> str | None:
        return self.query[name][0] if name in self.query else default

    def flag(self, name: str, default: int = 0) -> bool:
        """A query parameter that Ganeti reads as an integer."""
        raw = self.query.get(name, [str(default)])[0]
        if raw == "":
            return False
        try:
            return bool(int(raw))
        except ValueError as err:
            raise HttpError(400, f"Invalid value for the '{name}' parameter") from err

    @property
    def dry_run(self) -> bool:
        return self.flag("dry-run")

    @property
    def bulk(self) -> bool:
        return self.flag("bulk")

    def check_body(self, expected: type, label: str = "Body contents") -> None:
        if not isinstance(self.body, expected):
            raise HttpError(
                400, f"{label}: Type is '{type(self.body).__name__}', but '{expected.__name__}' is expected"
            )
