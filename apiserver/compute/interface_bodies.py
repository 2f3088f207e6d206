"""Bodies that give a server an interface, or name one by its address: JSON in, what cloud/ takes out."""

from __future__ import annotations

import ipaddress

from apiserver.validation import Body
from cloud.addresses import Ip
from cloud.ports import Interface
from common.errors import Invalid

_ID = 36


def attachment(body: Body) -> Interface:
    """Read which interface a server is to be given: a port, or one in a network, or any; raises Invalid."""
    given = body.nested("interfaceAttachment")
    given.only("net_id", "port_id", "fixed_ips")
    network, port = _id(given, "net_id"), _id(given, "port_id")
    if network is not None and port is not None:
        raise Invalid("interfaceAttachment: net_id and port_id exclude each other")
    if not given.has("fixed_ips") or given.raw("fixed_ips") == []:
        return Interface(network_id=network, port_id=port)
    if network is None:
        raise Invalid("interfaceAttachment.fixed_ips: an address takes a net_id; a port has its own already")
    (address,) = given.nested_list("fixed_ips", most=1)
    address.only("ip_address")
    return Interface(network_id=network, ip=_ip(address, "ip_address"))


def network_of_fixed_ip(given: Body) -> Interface:
    """Read the network that a server is to have an address in; raises Invalid."""
    return Interface(network_id=given.text("networkId", longest=_ID, shortest=1))


def address(given: Body) -> Ip:
    """Read the address that a server is to lose, fixed or floating; raises Invalid."""
    return _ip(given, "address")


def floating_ip(given: Body) -> tuple[Ip, Ip | None]:
    """Read the floating IP that a server is to have, and the fixed address that is meant, if one is; raises Invalid."""
    fixed = _ip(given, "fixed_address") if given.has("fixed_address") else None
    return _ip(given, "address"), fixed


def _id(given: Body, key: str) -> str | None:
    return given.maybe_text(key, longest=_ID, shortest=1)


def _ip(given: Body, key: str) -> Ip:
    text = given.text(key, longest=64, shortest=1)
    try:
        found = ipaddress.ip_address(text)
    except ValueError as err:
        raise Invalid(f"{key}: this is no address") from err
    if "%" in text:
        raise Invalid(f"{key}: an address with a zone means nothing here")
    return found
