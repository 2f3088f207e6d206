"""Ports: list, show, make, change and delete."""

from __future__ import annotations

import flask

from apiserver import answers, docs, validation
from apiserver.network import bodies, models, views
from apiserver.network.resource import Resource
from cloud import interfaces, ports
from common.errors import Invalid
from db.ports import Filter, Port

_SORT_KEYS = {
    "id": Port.id,
    "name": Port.name,
    "network_id": Port.network_id,
    "mac_address": Port.mac,
    "admin_state_up": Port.enabled,
    "created_at": Port.created_at,
    "updated_at": Port.updated_at,
}
_ATTACHED = {"ACTIVE": True, "DOWN": False}
#: whether a port with this device_owner has a server, and whether it carries a floating IP
_OWNERS: dict[str, tuple[bool | None, bool]] = {
    "compute:nova": (True, False),
    "network:floatingip": (None, True),
    "": (False, False),
}


class Ports(Resource):
    """The project's ports."""

    @docs.operation(
        gives=models.PORTS, query=models.query("network_id", "device_id", "security_groups"), faults=models.LIST_FAULTS
    )
    def get(self) -> flask.Response:
        """List ports, oldest first."""
        page = self.page()
        found = ports.page(
            self.cloud,
            self.caller,
            self._wanted(),
            limit=page.limit,
            marker=page.marker,
            orders=self.orders(_SORT_KEYS),
        )
        return answers.json(self.listed("ports", [views.port(each) for each in found], page))

    @docs.operation(body=models.NEW_PORT, gives=models.PORT, status=201, faults=models.CHANGE_FAULTS)
    def post(self) -> flask.Response:
        """Make a port, or several by `ports`, for servers that are created later."""
        given = self.body()
        specs, at_once = bodies.several(given, "port", "ports", bodies.port)
        caller = self.acting(given, "port", "ports")
        made = [views.port(each) for each in ports.create(self.cloud, caller, specs)]
        return answers.json({"ports": made} if at_once else {"port": made[0]}, 201)

    def _wanted(self) -> Filter:
        args = flask.request.args
        ips, subnet_ids = self._fixed_ips()
        mac = args.get("mac_address")
        devices = self.texts("device_id")
        # what has no device has an empty id
        loose = devices == [""]
        owner = args.get("device_owner")
        attached, floating = _OWNERS.get(owner or "", (None, None)) if owner is not None else (None, None)
        if loose or args.get("status") in _ATTACHED:
            attached = False if loose else _ATTACHED[args["status"]]
        if args.get("binding:host_id"):
            raise Invalid("binding:host_id: which node a port's server is on is not told here; list servers by host")
        return Filter(
            project_id=self.owner(),
            ids=self.ids() if owner in (None, *_OWNERS) else [],
            names=self.texts("name"),
            network_ids=self.texts("network_id"),
            instance_ids=None if loose else devices,
            mac=mac.lower() if mac is not None else None,
            enabled=self.flag("admin_state_up"),
            ips=ips,
            subnet_ids=subnet_ids,
            group_ids=self.texts("security_groups"),
            firewalled=self.flag("port_security_enabled"),
            attached=attached,
            floating=floating,
        )

    def _fixed_ips(self) -> tuple[list[str] | None, list[str] | None]:
        """Read `fixed_ips=ip_address=…` and `fixed_ips=subnet_id=…`, as clients write it, and the plain forms."""
        ips, subnet_ids = self.texts("ip_address") or [], self.texts("subnet_id") or []
        for text in self.texts("fixed_ips") or []:
            key, _, value = text.partition("=")
            if key == "ip_address":
                ips.append(value)
            elif key == "subnet_id":
                subnet_ids.append(value)
            else:
                raise Invalid(f"fixed_ips: ip_address= or subnet_id= is expected, not {validation.printable(key)}")
        return ips or None, subnet_ids or None


class OnePort(Resource):
    """One port."""

    @docs.operation(gives=models.PORT, faults=models.LOOK_FAULTS)
    def get(self, port_id: str) -> flask.Response:
        """Show a port."""
        return answers.json({"port": self.chosen(views.port(ports.get(self.cloud, self.caller, port_id)))})

    @docs.operation(body=models.NEW_PORT, gives=models.PORT, faults=models.CHANGE_FAULTS)
    def put(self, port_id: str) -> flask.Response:
        """Change what is said of a port, and what it lets through."""
        found = ports.update(self.cloud, self.caller, port_id, bodies.port_change(self.body()))
        return answers.json({"port": views.port(found)})

    @docs.operation(status=204, faults=models.CHANGE_FAULTS)
    def delete(self, port_id: str) -> flask.Response:
        """Delete a port; a server's is detached first, and gone when that is done."""
        interfaces.delete_port(self.cloud, self.caller, port_id)
        return answers.empty(204)
