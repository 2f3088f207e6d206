"""What a guest is told of itself when it asks: trees of documents, in OpenStack's form and in EC2's.

It is what its disk says (cloud.guests, cloud.guest_network), as it is now, but for passwords and files: any process of
the guest may ask, and only root reads the disk.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any  # JSON

from cloud import guest_network, guests
from cloud.context import Cloud
from cloud.guests import Kept
from common.errors import NotFound
from db import instances, ports
from db.instances import Instance, State
from db.ports import Place

#: each of them is answered as the newest: what a client does not know, it passes over
OPENSTACK_VERSIONS = (
    "2012-08-10", "2013-04-04", "2013-10-17", "2015-10-15", "2016-06-30", "2016-10-06", "2017-02-22", "2018-08-27",
    "2020-10-14", "latest",
)  # fmt: skip
EC2_VERSIONS = (
    "1.0", "2007-01-19", "2007-03-01", "2007-08-29", "2007-10-10", "2007-12-15", "2008-02-01", "2008-09-01",
    "2009-04-04", "latest",
)  # fmt: skip

_ZONE = "nova"


@dataclass(frozen=True)
class Document:
    """What lies at a path."""

    body: bytes
    media_type: str = "text/plain; charset=utf-8"


def find(cloud: Cloud, instance_id: str, path: str) -> Document:
    """Give what lies at a path for an instance, by three statements at most; slashes too many are passed over.

    Raises NotFound: there is no such instance, or no longer, or nothing at the path; Unavailable, as guests.kept.
    """
    with cloud.sessions.read() as db:
        instance = instances.get(db, instance_id)
        if instance is None or instance.deleted_at is not None or instance.state is State.DELETED:
            raise NotFound("there is no such instance")
        places = ports.places(db, [instance.id]).get(instance.id, ())
        kept = guests.kept(db, cloud, instance.id)
    return _at(_root(instance, kept, places), [part for part in path.split("/") if part])


@dataclass(frozen=True)
class _Folder:
    """Documents and folders by name, and what is answered for itself."""

    entries: Mapping[str, bytes | _Folder]
    listing: str


def _at(root: _Folder, parts: Sequence[str]) -> Document:
    found: bytes | _Folder = root
    for part in parts:
        if isinstance(found, bytes) or part not in found.entries:
            raise NotFound("there is nothing at this path")
        found = found.entries[part]
    if isinstance(found, _Folder):
        return Document(found.listing.encode())
    return Document(found, "application/json" if parts[-1].endswith(".json") else Document.media_type)


def _root(instance: Instance, kept: Kept, places: Sequence[Place]) -> _Folder:
    openstack, ec2 = _openstack(instance, kept, places), _ec2(instance, kept, places)
    entries: dict[str, bytes | _Folder] = dict.fromkeys(EC2_VERSIONS, ec2)
    listing = "\n".join(entries)
    entries["openstack"] = _plain(dict.fromkeys(OPENSTACK_VERSIONS, openstack))
    return _Folder(entries, listing)


def _plain(entries: Mapping[str, bytes | _Folder]) -> _Folder:
    return _Folder(entries, "\n".join(entries))


def _slashed(entries: Mapping[str, bytes | _Folder]) -> _Folder:
    """Make a folder of EC2's, which shows by a slash what is one."""
    shown = (name + ("/" if isinstance(each, _Folder) else "") for name, each in entries.items())
    return _Folder(entries, "\n".join(shown))


def _openstack(instance: Instance, kept: Kept, places: Sequence[Place]) -> _Folder:
    """Make the folder that Nova's metadata service has for each version (Nova's user/metadata)."""
    about = guests.about(instance)
    keys = dict(zip([instance.key_name or "key"], kept.public_keys, strict=False))
    meta: dict[str, Any] = {
        "uuid": about["instance_id"],
        "name": instance.name,
        "hostname": about["hostname"],
        "project_id": instance.project_id,
        "availability_zone": _ZONE,
        "launch_index": 0,
        "meta": about["metadata"],
        "public_keys": keys,
        "keys": [{"name": name, "type": "ssh", "data": key} for name, key in keys.items()],
        "devices": [],
    }
    entries: dict[str, bytes | _Folder] = {
        "meta_data.json": _json(meta),
        "network_data.json": _json(guest_network.data(places)),
        # nothing sets it: a guest's password goes by its disk
        "password": b"",
        "vendor_data.json": _json({}),
    }
    if kept.user_data:
        entries["user_data"] = kept.user_data
    return _plain(entries)


def _ec2(instance: Instance, kept: Kept, places: Sequence[Place]) -> _Folder:
    """Make the folder of a version of EC2's instance metadata, as far as there is something to say."""
    about = guests.about(instance)
    first = next(
        (place.address.ip for place in places if place.subnet and place.address and place.subnet.version == 4), ""
    )
    keys = {str(number): _plain({"openssh-key": key.encode()}) for number, key in enumerate(kept.public_keys)}
    meta: dict[str, bytes | _Folder] = {
        "ami-id": (instance.image_id or "").encode(),
        "ami-launch-index": b"0",
        "hostname": about["hostname"].encode(),
        "instance-id": about["instance_id"].encode(),
        "instance-type": instance.flavor_name.encode(),
        "local-hostname": about["hostname"].encode(),
        "local-ipv4": first.encode(),
        "placement": _slashed({"availability-zone": _ZONE.encode()}),
        "reservation-id": instance.reservation_id.encode(),
    }
    if places:
        meta["mac"] = places[0].port.mac.encode()
    if keys:
        # the one list that names what its numbers stand for
        meta["public-keys"] = _Folder(keys, "\n".join(f"{number}={instance.key_name or 'key'}" for number in keys))
    entries: dict[str, bytes | _Folder] = {"meta-data": _slashed(meta)}
    if kept.user_data:
        entries["user-data"] = kept.user_data
    return _slashed(entries)


def _json(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()
