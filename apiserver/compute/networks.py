"""Networks as clients of the Compute API read them, which know no Network API."""

from __future__ import annotations

import ipaddress

import flask

from apiserver import answers, docs
from apiserver.compute import models
from apiserver.compute.resource import Resource
from cloud import networks
from cloud.networks import NetworkView
from db.networks import Filter, Subnet

_QUERY = {"limit": "How many, at most", "marker": "The id of the last network of the page before"}


class _Networks(Resource):
    def _list(self) -> flask.Response:
        page = self.page()
        found = networks.page(self.cloud, self.caller, Filter(), limit=page.limit, marker=page.marker)
        items = [self._view(each) for each in found]
        return answers.json(self.listed("networks", items, page, [each.network.id for each in found]))

    def _show(self, network_id: str) -> flask.Response:
        return answers.json({"network": self._view(networks.get(self.cloud, self.caller, network_id))})

    def _view(self, found: NetworkView) -> dict[str, object]:
        raise NotImplementedError


class Networks(_Networks):
    """The networks that the project may use."""

    @docs.operation(query=_QUERY, faults=models.LIST_FAULTS)
    def get(self) -> flask.Response:
        """List networks, oldest first; of each the first subnet of each IP version."""
        return self._list()

    def _view(self, found: NetworkView) -> dict[str, object]:
        return _network(found)


class Network(_Networks):
    """One network."""

    @docs.operation(faults=models.LOOK_FAULTS)
    def get(self, network_id: str) -> flask.Response:
        """Show a network."""
        return self._show(network_id)

    def _view(self, found: NetworkView) -> dict[str, object]:
        return _network(found)


class TenantNetworks(_Networks):
    """The networks that the project may use, and little of each."""

    @docs.operation(query=_QUERY, faults=models.LIST_FAULTS)
    def get(self) -> flask.Response:
        """List networks, oldest first."""
        return self._list()

    def _view(self, found: NetworkView) -> dict[str, object]:
        return _tenant_network(found)


class TenantNetwork(_Networks):
    """One network, and little of it."""

    @docs.operation(faults=models.LOOK_FAULTS)
    def get(self, network_id: str) -> flask.Response:
        """Show a network."""
        return self._show(network_id)

    def _view(self, found: NetworkView) -> dict[str, object]:
        return _tenant_network(found)


def _tenant_network(found: NetworkView) -> dict[str, object]:
    first = _first(found, 4) or _first(found, 6)
    return {
        "id": found.network.id,
        "label": found.network.name,
        "cidr": first.cidr if first is not None else None,
    }


def _network(found: NetworkView) -> dict[str, object]:
    four, six = _first(found, 4), _first(found, 6)
    prefix = ipaddress.IPv4Network(four.cidr) if four is not None else None
    servers = [*(four.nameservers if four is not None else ()), None, None]
    return {
        "id": found.network.id,
        "label": found.network.name,
        "project_id": found.network.project_id,
        "mtu": found.network.mtu,
        "cidr": four.cidr if four is not None else None,
        "netmask": str(prefix.netmask) if prefix is not None else None,
        "broadcast": str(prefix.broadcast_address) if prefix is not None else None,
        "gateway": four.gateway if four is not None else None,
        "enable_dhcp": four.dhcp if four is not None else None,
        "dns1": servers[0],
        "dns2": servers[1],
        "cidr_v6": six.cidr if six is not None else None,
        "netmask_v6": six.cidr.partition("/")[2] if six is not None else None,
        "gateway_v6": six.gateway if six is not None else None,
    }


def _first(found: NetworkView, version: int) -> Subnet | None:
    return next((subnet for subnet in found.subnets if subnet.version == version), None)
