"""A server's interfaces: list, show, attach and detach (Compute API, "Port interfaces")."""

from __future__ import annotations

import flask

from apiserver import answers, docs
from apiserver.compute import interface_bodies, models
from apiserver.compute.resource import Resource
from cloud import interfaces
from cloud.interfaces import Attachment


class Interfaces(Resource):
    """A server's interfaces."""

    @docs.operation(gives=models.INTERFACES, faults=models.LOOK_FAULTS)
    def get(self, server_id: str) -> flask.Response:
        """List a server's interfaces, in order."""
        found = interfaces.page(self.cloud, self.caller, server_id)
        return answers.json({"interfaceAttachments": [_view(each) for each in found]})

    @docs.operation(body=models.NEW_INTERFACE, gives=models.INTERFACE, faults=models.ACTION_FAULTS)
    def post(self, server_id: str) -> flask.Response:
        """Begin to attach a port, or a new one in a network; it is ACTIVE when that is done, or not found if it failed.

        A server that runs is given it at once, a stopped one starts with it.
        """
        wanted = interface_bodies.attachment(self.body())
        made = interfaces.attach(self.cloud, self.caller, server_id, wanted)
        return answers.json({"interfaceAttachment": _view(made)})


class Interface(Resource):
    """One of a server's interfaces."""

    @docs.operation(gives=models.INTERFACE, faults=models.LOOK_FAULTS)
    def get(self, server_id: str, port_id: str) -> flask.Response:
        """Show an interface."""
        found = interfaces.get(self.cloud, self.caller, server_id, port_id)
        return answers.json({"interfaceAttachment": _view(found)})

    @docs.operation(status=202, faults=models.ACTION_FAULTS)
    def delete(self, server_id: str, port_id: str) -> flask.Response:
        """Begin to detach an interface; it is not found any more when that is done."""
        interfaces.detach(self.cloud, self.caller, server_id, port_id)
        return answers.empty(202)


def _view(attachment: Attachment) -> dict[str, object]:
    port = attachment.view.port
    return {
        "net_id": port.network_id,
        "port_id": port.id,
        "mac_addr": port.mac,
        "port_state": "BUILD" if attachment.coming else "ACTIVE",
        "fixed_ips": [{"subnet_id": each.subnet_id, "ip_address": each.ip} for each in attachment.view.addresses],
    }
