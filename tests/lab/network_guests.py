"""Networks of projects, and guests that tell what they see of them."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence

from lab import network_guest, process
from tests.lab.test_cloud import Session
from tests.lab.test_consoles import output

BOOT_PATIENCE = 180.0


def own_network(session: Session, name: str, *cidrs: str) -> str:
    network = session.call_network("POST", "/networks", {"network": {"name": name}})["network"]["id"]
    for cidr in cidrs:
        subnet: dict[str, object] = {"network_id": network, "cidr": cidr, "ip_version": 6 if ":" in cidr else 4}
        if ":" in cidr:
            subnet |= {"ipv6_address_mode": "slaac", "ipv6_ra_mode": "slaac"}
        else:
            subnet["dns_nameservers"] = ["192.0.2.53"]
        session.call_network("POST", "/subnets", {"subnet": subnet})
    return str(network)


def allow(session: Session, **rule: object) -> str:
    """Let something in to all that are in the project's default group; the rule's id."""
    (group,) = session.call_network("GET", "/security-groups?name=default")["security_groups"]
    wanted = {"security_group_id": group["id"], "direction": "ingress", "ethertype": "IPv4", **rule}
    made = session.call_network("POST", "/security-group-rules", {"security_group_rule": wanted})
    return str(made["security_group_rule"]["id"])


def start(
    session: Session,
    name: str,
    *networks: str,
    fixed_ip: str | None = None,
    orders: str = "\n",
    groups: Sequence[str] = (),
) -> str:
    """Start a guest in these networks, with an address of its choice in the first, and in these groups; its id."""
    flavor = next(each["id"] for each in session.call("GET", "/flavors")["flavors"] if each["name"] == "m1.small")
    interfaces = [{"uuid": network} for network in networks]
    if fixed_ip is not None:
        interfaces[0]["fixed_ip"] = fixed_ip
    spec = {
        "name": name,
        "flavorRef": flavor,
        "imageRef": session.call("GET", "/images")["images"][0]["id"],
        "networks": interfaces,
        "user_data": base64.b64encode(orders.encode()).decode(),
    }
    if groups:
        spec["security_groups"] = [{"name": group} for group in groups]
    server = str(session.call("POST", "/servers", {"server": spec})["server"]["id"])
    session.wait(server, "ACTIVE")
    return server


def view(session: Session, server: str) -> dict[str, str]:
    """What a guest said last of what it sees, by the words that a line begins with."""
    said = output(session, server).replace("\r", "")
    whole = re.findall(f"{network_guest.BEGIN}\n(.*?){network_guest.END}", said, re.DOTALL)
    lines = whole[-1].splitlines() if whole else []
    return dict(line.split(" ", 1) if line.startswith(("lease-", "ipv6-")) else line.rsplit(" ", 1) for line in lines)


def wait_seen(session: Session, server: str, wanted: dict[str, str]) -> dict[str, str]:
    """Wait until a guest sees what it is to see; give all that it sees."""
    seen: dict[str, str] = {}

    def enough() -> bool:
        session.cloud.programs.restart_ended()
        seen.update(view(session, server))
        return all(seen.get(key) == value for key, value in wanted.items())

    try:
        process.wait_until(enough, what=f"the guest sees {wanted}", timeout=BOOT_PATIENCE, every=1)
    except process.LabError as err:
        err.add_note(output(session, server)[-3000:])
        raise
    return seen
