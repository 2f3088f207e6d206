"""Floating IPs as clients of the Compute API read them, which know no Network API."""

from __future__ import annotations

import flask

from apiserver import answers, docs
from apiserver.compute import models
from apiserver.compute.resource import Resource
from cloud import floating_ips
from cloud.floating_ips import FloatingSpec
from common.errors import NotFound
from db.floating_ips import Filter, FloatingView
from db.networks import Network

#: floating IPs that a list shows: it has no pages
_MOST = 1000


class _FloatingIps(Resource):
    def _view(self, found: FloatingView) -> dict[str, object]:
        return _view(found, {network.id: network.name for network in self._pools()})

    def _pools(self) -> list[Network]:
        return list(floating_ips.pools(self.cloud, self.caller))


class FloatingIps(_FloatingIps):
    """The project's floating IPs."""

    @docs.operation(gives=models.FLOATING_IPS, faults=models.LIST_FAULTS)
    def get(self) -> flask.Response:
        """List floating IPs, oldest first."""
        names = {network.id: network.name for network in self._pools()}
        wanted = Filter(project_id=self.caller.project_id)
        found = floating_ips.page(self.cloud, self.caller, wanted, limit=_MOST)
        return answers.json({"floating_ips": [_view(each, names) for each in found]})

    @docs.operation(body=models.NEW_FLOATING_IP, gives=models.FLOATING_IP, faults=models.FLOATING_IP_FAULTS)
    def post(self) -> flask.Response:
        """Take an address of a pool, which is an external network by name or id; without, of the first."""
        wanted = self.body().maybe_text("pool", longest=255)
        for network in self._pools():
            if wanted is None or wanted in (network.id, network.name):
                made = floating_ips.create(self.cloud, self.caller, FloatingSpec(network_id=network.id))
                return answers.json({"floating_ip": self._view(made)})
        raise NotFound("pool: there is no such pool of floating IPs" if wanted else "there is no pool of floating IPs")


class FloatingIp(_FloatingIps):
    """One floating IP."""

    @docs.operation(gives=models.FLOATING_IP, faults=models.LOOK_FAULTS)
    def get(self, floating_id: str) -> flask.Response:
        """Show a floating IP."""
        found = floating_ips.get(self.cloud, self.caller, floating_id)
        return answers.json({"floating_ip": self._view(found)})

    @docs.operation(status=202, faults=models.FLOATING_IP_FAULTS)
    def delete(self, floating_id: str) -> flask.Response:
        """Give the address back; one that a server has is detached first, and gone when that is done."""
        floating_ips.delete(self.cloud, self.caller, floating_id)
        return answers.empty(202)


class FloatingIpPools(_FloatingIps):
    """What floating IPs are taken of."""

    @docs.operation(gives=models.FLOATING_IP_POOLS, faults={401: "No valid token", 403: "Not allowed"})
    def get(self) -> flask.Response:
        """List the pools: the external networks that the project may use."""
        return answers.json({"floating_ip_pools": [{"name": network.name} for network in self._pools()]})


def _view(found: FloatingView, names: dict[str, str]) -> dict[str, object]:
    return {
        "id": found.floating.id,
        "ip": found.address.ip,
        "pool": names.get(found.port.network_id, found.port.network_id),
        "fixed_ip": found.fixed_ip,
        "instance_id": found.fixed.instance_id if found.fixed is not None else None,
    }
