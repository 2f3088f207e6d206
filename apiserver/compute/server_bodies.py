"""Bodies that make or change a server: JSON in, what cloud/ takes out.

What clients send by default is taken; what would be asked for in vain is refused rather than passed over.
"""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from apiserver.compute import server_groups
from apiserver.compute.guest_bodies import files, guest_spec
from apiserver.compute.server_queries import reference
from apiserver.compute.server_views import DISK_CONFIG, ZONE
from apiserver.validation import Body, check_text
from cloud import creations, instances, ports, rebuilds, security_groups, snapshots
from common.errors import Invalid

_MOST_AT_ONCE = 1000
_MOST_KEPT = 1000
_MOST_INTERFACES = 8
#: nobody keeps as much of a console
_MOST_LINES = 10_000_000
_EMPTY: tuple[object, ...] = (None, "", [], {})


@dataclass(frozen=True)
class Creation:
    """What a create asks for, and how it wants to be answered."""

    spec: creations.CreateSpec
    admin_password: str
    reservation: bool


def creation(body: Body) -> Creation:
    """Read the body of a create; raises Invalid."""
    server = body.nested("server")
    _refuse_unserved(server, _NEUTRAL)
    password = server.maybe_text("adminPass", shortest=1)
    answered = password or secrets.token_hex(8)
    image = _reference(server, "imageRef")
    _check_block_devices(server, image)
    if image is None:
        raise Invalid("imageRef: missing; a server boots from an image")
    flavor = _reference(server, "flavorRef")
    if flavor is None:
        raise Invalid("flavorRef: missing")
    # of the two, the one that is not given follows the other
    least = server.maybe_integer("min_count", least=1, most=_MOST_AT_ONCE)
    most = server.maybe_integer("max_count", least=1, most=_MOST_AT_ONCE)
    spec = creations.CreateSpec(
        name=_name(server),
        flavor_id=flavor,
        image_id=image,
        metadata=server.mapping("metadata") if server.has("metadata") else {},
        min_count=least or 1,
        max_count=most or least or 1,
        key_name=server.maybe_text("key_name", shortest=1),
        access_ipv4=_address(server, "accessIPv4", ipaddress.IPv4Address) or "",
        access_ipv6=_address(server, "accessIPv6", ipaddress.IPv6Address) or "",
        guest=guest_spec(server, password=answered, given=password is not None),
        hints=server_groups.hints(body),
        interfaces=_interfaces(server),
        security_groups=_security_groups(server),
    )
    if spec.max_count > 1 and any(each.port_id or each.ip for each in spec.interfaces.wanted):
        raise Invalid("max_count: one port or one fixed address is not for several servers")
    if spec.min_count > spec.max_count:
        raise Invalid(f"min_count: {spec.min_count} is more than max_count {spec.max_count}")
    return Creation(
        spec=spec,
        admin_password=answered,
        reservation=server.boolean("return_reservation_id", default=False),
    )


def change(body: Body) -> instances.Change:
    """Read the body of an update; raises Invalid."""
    server = body.nested("server")
    _refuse_unserved(server, {"OS-DCF:diskConfig": _NEUTRAL["OS-DCF:diskConfig"]})
    return instances.Change(
        name=_name(server) if "name" in server.keys() else None,  # noqa: SIM118  # a body is no dict
        access_ipv4=_address(server, "accessIPv4", ipaddress.IPv4Address),
        access_ipv6=_address(server, "accessIPv6", ipaddress.IPv6Address),
    )


def flavor_of_resize(resize: Body) -> str:
    """Read which flavor a resize wants; raises Invalid."""
    _refuse_unserved(resize, {"OS-DCF:diskConfig": _NEUTRAL["OS-DCF:diskConfig"]})
    flavor = _reference(resize, "flavorRef")
    if flavor is None:
        raise Invalid("resize.flavorRef: missing")
    return flavor


def rebuild(given: Body) -> tuple[rebuilds.RebuildSpec, str]:
    """Read the body of a rebuild, with the password that its answer names; raises Invalid."""
    _refuse_unserved(given, _AT_REBUILD)
    image = _reference(given, "imageRef")
    if image is None:
        raise Invalid("rebuild.imageRef: missing")
    password = given.maybe_text("adminPass", shortest=1) or secrets.token_hex(8)
    spec = rebuilds.RebuildSpec(
        image_id=image,
        name=_name(given) if given.has("name") else None,
        metadata=given.mapping("metadata") if given.has("metadata") else None,
        access_ipv4=_address(given, "accessIPv4", ipaddress.IPv4Address),
        access_ipv6=_address(given, "accessIPv6", ipaddress.IPv6Address),
        password=password,
        files=files(given) if given.has("personality") else None,
    )
    return spec, password


def snapshot(body: Body) -> snapshots.SnapshotSpec:
    """Read what the image of a server is to be; raises Invalid."""
    body.only("name", "metadata")
    properties = body.mapping("metadata") if body.has("metadata") else {}
    return snapshots.SnapshotSpec(name=_name(body), properties=properties)


def backup(body: Body) -> snapshots.SnapshotSpec:
    """Read what a backup of a server is to be, and how many of its series are kept; raises Invalid."""
    body.only("name", "metadata", "backup_type", "rotation")
    properties = body.mapping("metadata") if body.has("metadata") else {}
    series = body.text("backup_type", longest=255)
    rotation = body.integer("rotation", least=0, most=_MOST_KEPT)
    return snapshots.SnapshotSpec(
        name=_name(body), properties=properties, backup=snapshots.Backup(series=series, rotation=rotation)
    )


def password_of_rescue(given: Body | None) -> str:
    """Read the body of a rescue: the password that its answer repeats; raises Invalid."""
    if given is None:
        return ""
    if given.maybe_text("rescue_image_ref"):
        raise Invalid("rescue.rescue_image_ref: the rescue system is the operator's, there is no choice")
    # Nothing could set it there: a CD is as it is, and the seed disk is written with the server's own disk.
    return given.maybe_text("adminPass", shortest=1) or ""


def metadata(body: Body) -> dict[str, str]:
    """Read a whole set of metadata; raises Invalid."""
    return body.mapping("metadata")


def metadata_item(body: Body, key: str) -> dict[str, str]:
    """Read one metadata item, which the path names; raises Invalid."""
    item = body.mapping("meta")
    if list(item) != [key]:
        raise Invalid(f"meta: the one item {key} is expected")
    return item


def _name(server: Body) -> str:
    return check_text(server.text("name").strip(), "name", shortest=1)


def _reference(server: Body, key: str) -> str | None:
    value = server.raw(key)
    if value is None or value == "":
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return reference(check_text(value, key, longest=2048)) or None


def _address(
    server: Body, key: str, kind: Callable[[str], ipaddress.IPv4Address | ipaddress.IPv6Address]
) -> str | None:
    """Read an address in its canonical form; the empty text stands for none, null for no change."""
    text = server.maybe_text(key, longest=64)
    if not text:
        return text
    try:
        found = str(kind(text))
    except ValueError as err:
        raise Invalid(f"{key}: this is no such address") from err
    if "%" in found:
        raise Invalid(f"{key}: an address with a zone means nothing here")
    return found


def _interfaces(server: Body) -> ports.Interfaces:
    """Read which networks a server is to be in: a list, or `auto`, or `none`."""
    given = server.raw("networks")
    if given is None or given == "auto":
        return ports.Interfaces()
    if given in ("none", []):
        # an empty list is what old clients say when they have no wish
        return ports.Interfaces(automatic=given == [])
    wanted = []
    for each in server.nested_list("networks", most=_MOST_INTERFACES):
        network, port = each.maybe_text("uuid", longest=36, shortest=1), each.maybe_text("port", longest=36, shortest=1)
        if (network is None) == (port is None):
            raise Invalid("networks: each names a uuid, of a network, or a port")
        fixed = each.maybe_text("fixed_ip", longest=64, shortest=1)
        if fixed is not None and port is not None:
            raise Invalid("networks: a port has its fixed_ip already")
        wanted.append(ports.Interface(network_id=network, port_id=port, ip=_ip(fixed) if fixed else None))
    return ports.Interfaces(automatic=False, wanted=tuple(wanted))


def _security_groups(server: Body) -> tuple[str, ...] | None:
    """Read the names or ids of security groups; an empty list is what old clients say when they have no wish."""
    if not server.has("security_groups"):
        return None
    given = server.nested_list("security_groups", most=security_groups.MOST_OF_A_PORT)
    return tuple(dict.fromkeys(each.text("name", shortest=1) for each in given)) or None


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        found = ipaddress.ip_address(text)
    except ValueError as err:
        raise Invalid("networks: fixed_ip is no address") from err
    if "%" in text:
        raise Invalid("networks: a fixed_ip with a zone means nothing here")
    return found


def _refuse_unserved(body: Body, neutral: dict[str, tuple[Callable[[object], bool], str]]) -> None:
    for key, (is_neutral, reason) in neutral.items():
        if not is_neutral(body.raw(key)):
            raise Invalid(f"{key}: {reason}")


def _empty(value: object) -> bool:
    return value in _EMPTY


def _only_zone(value: object) -> bool:
    return _empty(value) or value == ZONE


def _only_disk_config(value: object) -> bool:
    return value is None or value == DISK_CONFIG


def group_of_action(given: Body) -> str:
    """Read which security group a server is to be in, or not in any more: its name or id; raises Invalid."""
    given.only("name")
    return given.text("name", shortest=1)


def console_lines(body: Body | None) -> int | None:
    """Read how many lines of a console are wanted; None, null and -1 mean all."""
    length = body.maybe_integer("length", least=-1) if body is not None else None
    return None if length in (None, -1) else min(length, _MOST_LINES)


#: members that have to say nothing, and why
_NEUTRAL: dict[str, tuple[Callable[[object], bool], str]] = {
    "availability_zone": (_only_zone, f"there is one availability zone, {ZONE}"),
    "block_device_mapping": (_empty, "booting from volumes is not served yet"),
    "OS-DCF:diskConfig": (_only_disk_config, f"{DISK_CONFIG} is the only one served"),
}
_AT_REBUILD: dict[str, tuple[Callable[[object], bool], str]] = {
    "OS-DCF:diskConfig": _NEUTRAL["OS-DCF:diskConfig"],
    "user_data": (_empty, "a rebuilt server keeps the user data it was created with"),
}


def _check_block_devices(server: Body, image: str | None) -> None:
    """Take a mapping that only says, once more, that the server boots from its image."""
    if _empty(server.raw("block_device_mapping_v2")):
        return
    devices = server.nested_list("block_device_mapping_v2")
    boots = [
        device.raw("source_type") == "image"
        and device.raw("destination_type") in (None, "local")
        and device.raw("uuid") == image
        and str(device.raw("boot_index")) == "0"
        for device in devices
    ]
    if boots != [True]:
        raise Invalid("block_device_mapping_v2: booting from volumes is not served yet")
