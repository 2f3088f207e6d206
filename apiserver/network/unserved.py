"""What Neutron's other extensions have and is not served here: there is none of it, and none is made.

Clients list these things before and beside others, whatever the extensions say: an empty list tells them the truth,
and whoever wants to make one is told why not.
"""

from __future__ import annotations

from dataclasses import dataclass

import flask

from apiserver import answers, docs
from apiserver.network import models
from apiserver.network.resource import Resource
from apiserver.routing import Route
from common.errors import Invalid, NotFound


@dataclass(frozen=True)
class Thing:
    """A collection that is always empty."""

    #: below the API's version
    path: str
    #: the member of the list's answer
    key: str
    #: one of them
    one: str
    #: why none is made, and what to do in its place
    why: str


_FLAT = (
    "there are none; networks are flat, and nothing is translated between them. A server reaches the outside world by "
    "an interface in an external network: give it one there, or a floating IP"
)
_TRAFFIC = "nothing is shaped or counted by networks or ports"
_SHARED = "a network is its project's, or shared by all: an admin says so (shared)"
_SUBNETS = "a subnet names its own prefix (cidr)"

THINGS = (
    Thing("routers", "routers", "router", _FLAT),
    Thing("agents", "agents", "agent", "nodes have no agents"),
    Thing("qos/policies", "policies", "QoS policy", _TRAFFIC),
    Thing("qos/rule-types", "rule_types", "QoS rule type", _TRAFFIC),
    Thing("metering/metering-labels", "metering_labels", "metering label", _TRAFFIC),
    Thing("metering/metering-label-rules", "metering_label_rules", "metering label rule", _TRAFFIC),
    Thing("rbac-policies", "rbac_policies", "RBAC policy", _SHARED),
    Thing("subnetpools", "subnetpools", "subnet pool", _SUBNETS),
    Thing("address-scopes", "address_scopes", "address scope", _SUBNETS),
    Thing("segments", "segments", "segment", "what a network is on the nodes is the operator's to say"),
    Thing("address-groups", "address_groups", "address group", "a rule names one prefix, or a security group"),
    Thing(
        "default-security-group-rules",
        "default_security_group_rules",
        "default rule",
        "each project's group `default` begins the same, and is its own to change",
    ),
    Thing("trunks", "trunks", "trunk", "frames with a VLAN's tag do not leave a guest: give it an interface for each"),
    Thing("local_ips", "local_ips", "local IP", "an address is one port's"),
    Thing("flavors", "flavors", "network flavor", "networks have no flavors"),
    Thing("service_profiles", "service_profiles", "service profile", "networks have no flavors"),
    Thing("service-providers", "service_providers", "service provider", "there are no services of this kind"),
    Thing("network-ip-availabilities", "network_ip_availabilities", "count of addresses", "addresses are not counted"),
    Thing("bgp-speakers", "bgp_speakers", "BGP speaker", "nodes announce nothing by BGP"),
)
#: what Neutron has tags of
TAGGED = ("networks", "subnets", "ports", "floatingips", "security-groups", "security-group-rules")


def routes() -> tuple[Route, ...]:
    """Give the routes of all of them."""
    found = []
    for thing in THINGS:
        name = "".join(word.capitalize() for word in thing.key.split("_"))
        several: type[Resource] = type(f"No{name}", (_Nothing,), {"thing": thing})
        single: type[Resource] = type(f"NoneOf{name}", (_Nobody,), {"thing": thing})
        found += [Route(f"/v2.0/{thing.path}", several), Route(f"/v2.0/{thing.path}/<thing_id>", single)]
    return tuple(found)


def tags() -> tuple[Route, ...]:
    """Give the routes of the tags of what there is."""
    return tuple(Route(f"/v2.0/{each}/<thing_id>/tags", Tags) for each in TAGGED)


class _Nothing(Resource):
    """A list that is empty."""

    thing: Thing

    @docs.operation(faults={401: "No valid token"})
    def get(self) -> flask.Response:
        """List what there is none of."""
        self.caller  # noqa: B018  # whoever has no project has no list either
        return answers.json({self.thing.key: []})

    @docs.operation(faults={400: "None is made", 401: "No valid token"})
    def post(self) -> flask.Response:
        """Refuse to make one, and say why."""
        self.caller  # noqa: B018  # a stranger is told that first
        raise Invalid(f"{self.thing.key}: {self.thing.why}")


class _Nobody(Resource):
    """One of what there is none of."""

    thing: Thing

    @docs.operation(faults=models.LOOK_FAULTS)
    def get(self, thing_id: str) -> flask.Response:
        """Say that it is not there."""
        raise self._missing(thing_id)

    @docs.operation(faults=models.LOOK_FAULTS)
    def put(self, thing_id: str) -> flask.Response:
        """Say that it is not there."""
        raise self._missing(thing_id)

    @docs.operation(faults=models.LOOK_FAULTS)
    def delete(self, thing_id: str) -> flask.Response:
        """Say that it is not there."""
        raise self._missing(thing_id)

    def _missing(self, thing_id: str) -> NotFound:
        self.caller  # noqa: B018  # a stranger is told that first
        return NotFound(f"there is no {self.thing.one} {thing_id}")


class Tags(Resource):
    """Tags of a thing: there are none."""

    @docs.operation(faults=models.LOOK_FAULTS)
    def get(self, thing_id: str) -> flask.Response:
        """List the tags: there are none."""
        self.caller  # noqa: B018  # a stranger is told that first
        return answers.json({"tags": []})

    @docs.operation(faults={400: "There are no tags", 401: "No valid token"})
    def put(self, thing_id: str) -> flask.Response:
        """Take tags away, of which there are none, or refuse others."""
        if self.body().raw("tags") == []:
            return answers.json({"tags": []})
        raise Invalid("tags: they are not served for networks and what is in them; leave them out")
