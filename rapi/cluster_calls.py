"""Calls about a cluster as a whole: what it is, its groups, its operating systems, queries."""

from collections.abc import Sequence
from typing import Any  # query filters and cells are JSON

from rapi import calls, transport, wire

_CELL_NORMAL = 0


class ClusterCalls(calls.Calls):
    def get_version(self) -> int:
        """The version of the remote API itself: 2."""
        version: int = self._transport.answer(transport.Call("GET", "/version", reads=True))
        return version

    def get_info(self) -> calls.Json:
        info: calls.Json = self._get("info")
        return info

    def get_features(self) -> list[str]:
        features: list[str] = self._get("features")
        return features

    def get_operating_systems(self) -> list[str]:
        systems: list[str] = self._get("os")
        return systems

    def get_cluster_tags(self) -> list[str]:
        tags: list[str] = self._get("tags")
        return tags

    def get_groups(self, *, bulk: bool = True) -> list[calls.Json]:
        """All node groups; without `bulk`, their names and URIs alone."""
        groups: list[calls.Json] = self._get("groups", query=calls.bulk(bulk))
        return groups

    def get_group(self, name: str) -> calls.Json:
        group: calls.Json = self._get("groups", name)
        return group

    def query(self, what: str, fields: Sequence[str], qfilter: list[Any] | None = None) -> list[calls.Json]:
        """The rows of one query (`instance`, `node`, `job`...), by field; a cell without a value is None."""
        body: calls.Json = {"fields": list(fields)}
        if qfilter is not None:
            body["qfilter"] = qfilter
        answer = self._transport.answer(transport.Call("PUT", wire.resource("query", what), body=body, reads=True))
        return [
            {
                field: value if status == _CELL_NORMAL else None
                for field, (status, value) in zip(fields, row, strict=True)
            }
            for row in answer["data"]
        ]
