"""The catalog: which services there are and where."""

from __future__ import annotations

from dataclasses import dataclass

from apiserver.front import Front

INTERFACES = ("public", "internal", "admin")


@dataclass(frozen=True)
class Entry:
    """A service, by the type and the name that clients look for, and its path."""

    type: str
    name: str
    path: str


ENTRIES = (
    Entry("compute", "nova", "/compute/v2.1"),
    Entry("image", "glance", "/image"),
    Entry("network", "neutron", "/network"),
    Entry("identity", "keystone", "/identity"),
)


def catalog(front: Front) -> list[dict[str, object]]:
    """Give the catalog as v3 tokens carry it."""
    return [
        {"id": entry.type, "type": entry.type, "name": entry.name, "endpoints": _endpoints(front, entry)}
        for entry in ENTRIES
    ]


def catalog_v2(front: Front) -> list[dict[str, object]]:
    """Give the catalog as v2.0 tokens carry it."""
    return [
        {
            "type": entry.type,
            "name": entry.name,
            "endpoints_links": [],
            "endpoints": [
                {
                    "id": entry.type,
                    "region": front.settings.region,
                    **{f"{interface}URL": front.urls.absolute(entry.path) for interface in INTERFACES},
                }
            ],
        }
        for entry in ENTRIES
    ]


def _endpoints(front: Front, entry: Entry) -> list[dict[str, object]]:
    return [endpoint(front, entry, interface) for interface in INTERFACES]


def endpoint(front: Front, entry: Entry, interface: str) -> dict[str, object]:
    """Give one endpoint of a service."""
    return {
        "id": f"{entry.type}-{interface}",
        "interface": interface,
        "region": front.settings.region,
        "region_id": front.settings.region,
        "url": front.urls.absolute(entry.path),
    }
