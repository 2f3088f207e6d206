"""Subnets: list, show, and for operators make, change and delete."""

from __future__ import annotations

import flask

from apiserver import answers, docs, validation
from apiserver.network import bodies, models, views
from apiserver.network.resource import Resource
from cloud import subnets
from db.networks import Subnet, SubnetFilter

_SORT_KEYS = {
    "id": Subnet.id,
    "name": Subnet.name,
    "network_id": Subnet.network_id,
    "cidr": Subnet.cidr,
    "ip_version": Subnet.version,
    "created_at": Subnet.created_at,
    "updated_at": Subnet.updated_at,
}


class Subnets(Resource):
    """The subnets of the networks that the project may use."""

    @docs.operation(gives=models.SUBNETS, query=models.query("network_id", "cidr"), faults=models.LIST_FAULTS)
    def get(self) -> flask.Response:
        """List subnets, oldest first."""
        page, args = self.page(), flask.request.args
        version = args.get("ip_version")
        wanted = SubnetFilter(
            owner=self.owner(),
            ids=self.ids(),
            names=self.texts("name"),
            network_ids=self.texts("network_id"),
            version=validation.check_integer(version, "ip_version") if version is not None else None,
            cidr=args.get("cidr"),
            gateway=args.get("gateway_ip"),
            dhcp=self.flag("enable_dhcp"),
        )
        found = subnets.page(
            self.cloud, self.caller, wanted, limit=page.limit, marker=page.marker, orders=self.orders(_SORT_KEYS)
        )
        return answers.json(self.listed("subnets", [views.subnet(row) for row in found], page))

    @docs.operation(body=models.NEW_SUBNET, gives=models.SUBNET, status=201, faults=models.CHANGE_FAULTS)
    def post(self) -> flask.Response:
        """Make a subnet in a network, or several by `subnets`."""
        given = self.body()
        specs, at_once = bodies.several(given, "subnet", "subnets", bodies.subnet)
        caller = self.acting(given, "subnet", "subnets")
        made = [views.subnet(each) for each in subnets.create(self.cloud, caller, specs)]
        return answers.json({"subnets": made} if at_once else {"subnet": made[0]}, 201)


class OneSubnet(Resource):
    """One subnet."""

    @docs.operation(gives=models.SUBNET, faults=models.LOOK_FAULTS)
    def get(self, subnet_id: str) -> flask.Response:
        """Show a subnet."""
        found = subnets.get(self.cloud, self.caller, subnet_id)
        return answers.json({"subnet": self.chosen(views.subnet(found))})

    @docs.operation(body=models.NEW_SUBNET, gives=models.SUBNET, faults=models.CHANGE_FAULTS)
    def put(self, subnet_id: str) -> flask.Response:
        """Change what guests of a subnet are told."""
        found = subnets.update(self.cloud, self.caller, subnet_id, bodies.subnet_change(self.body()))
        return answers.json({"subnet": views.subnet(found)})

    @docs.operation(status=204, faults=models.CHANGE_FAULTS)
    def delete(self, subnet_id: str) -> flask.Response:
        """Delete a subnet that nobody has an address of."""
        subnets.delete(self.cloud, self.caller, subnet_id)
        return answers.empty(204)
