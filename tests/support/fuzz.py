"""Random requests made of the API's own description: mostly what it asks for, often nearly so, sometimes nonsense."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

# Any below: JSON documents of unknown shape.
Json = Any

_TEXTS = (
    "", "web", "a" * 300, "grün", "\u0000", "\U0001f600", "../..", "%00", "' OR 1=1 --", "null", "0", "-1", "1.5",
    "9" * 40, "true", "\n", "2026-01-31T12:00:00Z", "00000000-0000-4000-8000-000000000000", "f" * 32, "192.0.2.1",
    "SOFT", "active", "ACTIVE", "default", "id", "created_at:desc", "http://127.0.0.1/1", "*", "[", "public",
)  # fmt: skip
_ODD: tuple[Json, ...] = (
    None, True, False, 0, 1, -1, 2**31, 2**63, 10**40, 1.5, 1e308, "", [], {}, [None], {"": None}, [[]], {"id": {}},
)  # fmt: skip
_ACTIONS = (
    "os-start", "os-stop", "reboot", "resize", "confirmResize", "revertResize", "rebuild", "lock", "unlock", "restore",
    "forceDelete", "os-resetState", "pause", "createImage", "os-getConsoleOutput", "os-getVNCConsole", "nosuch",
    "console", "os-getSerialConsole", "os-getSPICEConsole",
    "shutdown", "migrate", "changePassword", "addSecurityGroup", "addTenantAccess", "removeTenantAccess", "rescue",
    "unrescue",
)  # fmt: skip
_PLACE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Request:
    """One request, and the statuses that its operation says it may be answered with."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Json
    operation: str
    documented: frozenset[int]


class Dice:
    """Makes requests; `known` are values worth using again, such as ids, and grows by what is learned."""

    def __init__(self, description: Mapping[str, Json], seed: int, known: list[str]) -> None:
        self._random = random.Random(seed)
        self._definitions = description["definitions"]
        self.known = known
        #: ids that are tried in paths alone, where nothing can be called by them
        self.strange: list[str] = []
        self._operations = [
            (path, method, operation)
            for path, item in sorted(description["paths"].items())
            for method, operation in sorted(item.items())
            if method != "parameters"
        ]

    def requests(self, rounds: int) -> Iterator[Request]:
        """Make requests: each operation once in each round, in any order."""
        for _ in range(rounds):
            for path, method, operation in self._random.sample(self._operations, len(self._operations)):
                yield self._request(path, method, operation)

    def learn(self, values: set[str]) -> None:
        """Remember values that answers held; of too many, the latest."""
        self.known.extend(sorted(values - set(self.known)))
        del self.known[:-60]

    def _request(self, path: str, method: str, operation: Mapping[str, Json]) -> Request:
        parameters = operation.get("parameters", [])
        bodies = [each["schema"] for each in parameters if each["in"] == "body"]
        queries = [each["name"] for each in parameters if each["in"] == "query"]
        body = self._bent(self._made(bodies[0])) if bodies else self._random.choice(_ODD)
        if path.endswith("/action") and self._random.random() < 0.8:
            body = {self._random.choice(_ACTIONS): self._random.choice((None, {}, self._text(), self._loose()))}
        return Request(
            method=method.upper(),
            path=_PLACE.sub(lambda place: self._place(place[1]), path),
            query={name: self._text() for name in queries if self._random.random() < 0.3},
            body=None if method == "get" else body,
            operation=f"{method.upper()} {path}",
            documented=frozenset(int(code) for code in operation["responses"] if code.isdigit()),
        )

    def _place(self, name: str) -> str:
        if name == "version":
            return self._random.choice(("v2.1", "v2.1", "v2", "v1.1"))
        if self.strange and name.endswith("_id") and self._random.random() < 0.3:
            return self._random.choice(self.strange)
        text = self._random.choice(self.known) if self._random.random() < 0.8 else self._text()
        return text.replace("/", "").replace("?", "").replace("#", "").strip() or "none"

    def _text(self) -> str:
        return self._random.choice(self.known if self._random.random() < 0.5 else _TEXTS)

    def _loose(self) -> Json:
        """A body that knows the names that actions use."""
        names = ("type", "flavorRef", "imageRef", "state", "name", "adminPass", "tenant", "host", "length", "metadata")
        chosen = self._random.sample(names, 2)
        return {name: self._text() if self._random.random() < 0.7 else self._random.choice(_ODD) for name in chosen}

    def _made(self, schema: Mapping[str, Json], depth: int = 0) -> Json:
        """Make what a schema asks for."""
        if "$ref" in schema:
            schema = self._definitions[schema["$ref"].rpartition("/")[2]]
        if "allOf" in schema:
            return self._made(schema["allOf"][0], depth)
        if "enum" in schema:
            return self._random.choice(schema["enum"])
        kind = schema.get("type")
        if kind == "object" or "properties" in schema:
            return self._object(schema, depth)
        if kind == "array":
            return [self._made(schema["items"], depth + 1) for _ in range(self._random.choice((0, 1, 2)))]
        if kind in ("integer", "number"):
            return self._random.choice((1, 1, 1, 2, 0, -1, 1024))
        if kind == "boolean":
            return self._random.random() < 0.5
        return self._text()

    def _object(self, schema: Mapping[str, Json], depth: int) -> Json:
        required = schema.get("required", ())
        made = {
            name: self._made(inner, depth + 1)
            for name, inner in schema.get("properties", {}).items()
            if name in required or depth == 0 or self._random.random() < 0.5
        }
        if "additionalProperties" in schema:
            made[self._text()] = self._text()
        return made

    def _bent(self, document: Json) -> Json:
        """Put something odd somewhere into a document, half of the time."""
        if self._random.random() < 0.5:
            return document
        if isinstance(document, dict) and document and self._random.random() < 0.9:
            name = self._random.choice(sorted(document))
            return {**document, name: self._bent(document[name])}
        return self._random.choice(_ODD)
