"""Networks: list, show, and for operators make, change and delete."""

from __future__ import annotations

import flask

from apiserver import answers, docs
from apiserver.network import bodies, models, views
from apiserver.network.resource import Resource
from cloud import networks, policy
from cloud.networks import NetworkView
from cloud.policy import Operation
from db.networks import Filter, Network

_SORT_KEYS = {
    "id": Network.id,
    "name": Network.name,
    "created_at": Network.created_at,
    "updated_at": Network.updated_at,
    "shared": Network.shared,
    "admin_state_up": Network.enabled,
}
_UP = {"ACTIVE": True, "DOWN": False}


class _Networks(Resource):
    def view(self, found: NetworkView) -> dict[str, object]:
        return views.network(found, operator=policy.allows(self.caller.roles, Operation.NETWORK_WRITE_ALL))


class Networks(_Networks):
    """The networks that the project may use."""

    @docs.operation(gives=models.NETWORKS, query=models.query("shared", "router:external"), faults=models.LIST_FAULTS)
    def get(self) -> flask.Response:
        """List networks, oldest first."""
        page, args = self.page(), flask.request.args
        enabled = self.flag("admin_state_up")
        if args.get("status") in _UP:
            enabled = _UP[args["status"]]
        wanted = Filter(
            owner=self.owner(),
            ids=self.ids(),
            names=self.texts("name"),
            shared=self.flag("shared"),
            external=self.flag("router:external"),
            enabled=enabled,
        )
        found = networks.page(
            self.cloud, self.caller, wanted, limit=page.limit, marker=page.marker, orders=self.orders(_SORT_KEYS)
        )
        return answers.json(self.listed("networks", [self.view(each) for each in found], page))

    @docs.operation(body=models.NEW_NETWORK, gives=models.NETWORK, status=201, faults=models.CHANGE_FAULTS)
    def post(self) -> flask.Response:
        """Make a network, or several by `networks`: the project's own, or for operators, of a bridge on the nodes."""
        given = self.body()
        specs, at_once = bodies.several(given, "network", "networks", bodies.network)
        caller = self.acting(given, "network", "networks")
        made = [self.view(each) for each in networks.create(self.cloud, caller, specs)]
        return answers.json({"networks": made} if at_once else {"network": made[0]}, 201)


class OneNetwork(_Networks):
    """One network."""

    @docs.operation(gives=models.NETWORK, faults=models.LOOK_FAULTS)
    def get(self, network_id: str) -> flask.Response:
        """Show a network."""
        found = networks.get(self.cloud, self.caller, network_id)
        return answers.json({"network": self.chosen(self.view(found))})

    @docs.operation(body=models.NEW_NETWORK, gives=models.NETWORK, faults=models.CHANGE_FAULTS)
    def put(self, network_id: str) -> flask.Response:
        """Change a network's name, and who may use it."""
        found = networks.update(self.cloud, self.caller, network_id, bodies.network_change(self.body()))
        return answers.json({"network": self.view(found)})

    @docs.operation(status=204, faults=models.CHANGE_FAULTS)
    def delete(self, network_id: str) -> flask.Response:
        """Delete a network that nobody has a port in."""
        networks.delete(self.cloud, self.caller, network_id)
        return answers.empty(204)
