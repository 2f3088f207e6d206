"""Floating IPs: list, show, take, associate and give back."""

from __future__ import annotations

import flask

from apiserver import answers, docs
from apiserver.network import bodies, models, views
from apiserver.network.resource import Resource
from cloud import floating_ips
from common.errors import Invalid
from db.floating_ips import Filter, FloatingIp

_SORT_KEYS = {
    "id": FloatingIp.id,
    "port_id": FloatingIp.fixed_port_id,
    "fixed_ip_address": FloatingIp.fixed_ip,
    "created_at": FloatingIp.created_at,
    "updated_at": FloatingIp.updated_at,
}
_ASSOCIATED = {"ACTIVE": True, "DOWN": False}
_FILTERS = ("floating_network_id", "floating_ip_address", "port_id", "fixed_ip_address", "status", "description")


class FloatingIps(Resource):
    """The project's floating IPs."""

    @docs.operation(gives=models.FLOATING_IPS, query=models.query(*_FILTERS), faults=models.LIST_FAULTS)
    def get(self) -> flask.Response:
        """List floating IPs, oldest first."""
        page = self.page()
        wanted = self._wanted()
        if wanted is None:
            return answers.json({"floatingips": []})
        found = floating_ips.page(
            self.cloud, self.caller, wanted, limit=page.limit, marker=page.marker, orders=self.orders(_SORT_KEYS)
        )
        return answers.json(self.listed("floatingips", [views.floating_ip(each) for each in found], page))

    @docs.operation(body=models.NEW_FLOATING_IP, gives=models.FLOATING_IP, status=201, faults=models.CHANGE_FAULTS)
    def post(self) -> flask.Response:
        """Take an address of an external network; with `port_id`, begin to give it to that port's server."""
        given = self.body()
        spec = bodies.floating_ip(given)
        made = floating_ips.create(self.cloud, self.acting(given, "floatingip"), spec)
        return answers.json({"floatingip": views.floating_ip(made)}, 201)

    def _wanted(self) -> Filter | None:
        """Read the filters; None if they ask for what no floating IP here has."""
        self.caller  # noqa: B018  # whoever has no project has no list either
        status = flask.request.args.get("status")
        if status is not None and status not in _ASSOCIATED:
            raise Invalid(f"status: {' or '.join(_ASSOCIATED)} is expected")
        if self.texts("router_id") is not None:
            return None
        return Filter(
            project_id=self.owner(),
            ids=self.ids(),
            ips=self.texts("floating_ip_address"),
            network_ids=self.texts("floating_network_id"),
            port_ids=self.texts("port_id"),
            fixed_ips=self.texts("fixed_ip_address"),
            descriptions=self.texts("description"),
            associated=_ASSOCIATED[status] if status is not None else None,
        )


class OneFloatingIp(Resource):
    """One floating IP."""

    @docs.operation(gives=models.FLOATING_IP, faults=models.LOOK_FAULTS)
    def get(self, floating_id: str) -> flask.Response:
        """Show a floating IP."""
        found = floating_ips.get(self.cloud, self.caller, floating_id)
        return answers.json({"floatingip": self.chosen(views.floating_ip(found))})

    @docs.operation(body=models.FLOATING_IP_CHANGE, gives=models.FLOATING_IP, faults=models.CHANGE_FAULTS)
    def put(self, floating_id: str) -> flask.Response:
        """Begin to associate it with a port of a server, or, with null, to disassociate it; or describe it anew."""
        change = bodies.floating_ip_change(self.body())
        found = floating_ips.update(self.cloud, self.caller, floating_id, change)
        return answers.json({"floatingip": views.floating_ip(found)})

    @docs.operation(status=204, faults=models.CHANGE_FAULTS)
    def delete(self, floating_id: str) -> flask.Response:
        """Give the address back; one that a server has is detached first, and gone when that is done."""
        floating_ips.delete(self.cloud, self.caller, floating_id)
        return answers.empty(204)
