"""Servers: list, show, create, rename, delete."""

from __future__ import annotations

import flask

from apiserver import answers, docs
from apiserver.compute import models, server_bodies, server_queries, server_views
from apiserver.compute.resource import Resource
from cloud import creations, instances, policy, ports, security_groups, soft_deletes
from cloud.context import Caller
from cloud.policy import Operation
from common.errors import NotFound
from db.security_groups import DEFAULT


class _Listing(Resource):
    """What the two lists of servers have in common."""

    def _list(self, *, detail: bool) -> flask.Response:
        caller, page, links = self.caller, self.page(), self.links
        wanted = server_queries.parse(flask.request.args, caller)
        orders = server_queries.order(flask.request.args, caller)
        rows = instances.page(self.cloud, caller, wanted, limit=page.limit, marker=page.marker, orders=orders)
        if detail:
            ids, admin = [row.id for row in rows], _placed(caller)
            shown, groups = ports.shown(self.cloud, ids), security_groups.of_servers(self.cloud, ids)
            found = [
                server_views.full(row, links, shown.get(row.id, ()), groups=groups.get(row.id, ()), admin=admin)
                for row in rows
            ]
        else:
            found = [server_views.brief(row, links) for row in rows]
        return answers.json(self.listed("servers", found, page, [row.id for row in rows]))


class Servers(_Listing):
    """The project's servers."""

    @docs.operation(gives=models.SERVERS, query=server_queries.DOCS, faults=models.LIST_FAULTS)
    def get(self) -> flask.Response:
        """List servers by id and name, newest first."""
        return self._list(detail=False)

    @docs.operation(body=models.NEW_SERVER, gives=models.CREATED, status=202, faults=models.CREATE_FAULTS)
    def post(self) -> flask.Response:
        """Create one server, or several; it is being built when this answers."""
        wanted = server_bodies.creation(self.body())
        made = creations.create(self.cloud, self.caller, wanted.spec)
        first = made[0]
        headers = {"Location": self.links.own("servers", first.id)}
        if wanted.reservation:
            return answers.json({"reservation_id": first.reservation_id}, 202, headers)
        server = {
            "id": first.id,
            "links": self.links.both("servers", first.id),
            "adminPass": wanted.admin_password,
            "OS-DCF:diskConfig": server_views.DISK_CONFIG,
            "security_groups": server_views.security_groups(wanted.spec.security_groups or (DEFAULT,)),
        }
        return answers.json({"server": server}, 202, headers)


class ServersInDetail(_Listing):
    """The project's servers, with everything about each."""

    @docs.operation(gives=models.SERVERS_IN_DETAIL, query=server_queries.DOCS, faults=models.LIST_FAULTS)
    def get(self) -> flask.Response:
        """List servers in detail, newest first."""
        return self._list(detail=True)


class Server(Resource):
    """One server."""

    @docs.operation(gives=models.SERVER, faults=models.LOOK_FAULTS)
    def get(self, server_id: str) -> flask.Response:
        """Show a server."""
        caller = self.caller
        found = instances.get(self.cloud, caller, server_id)
        shown, groups = self.addresses_of(server_id), self.groups_of(server_id)
        document = server_views.full(found, self.links, shown, groups=groups, admin=_placed(caller))
        return answers.json({"server": document})

    @docs.operation(body=models.CHANGED_SERVER, gives=models.SERVER, faults=models.CHANGE_FAULTS)
    def put(self, server_id: str) -> flask.Response:
        """Change a server's name or its access addresses."""
        change = server_bodies.change(self.body())
        found = instances.update(self.cloud, self.caller, server_id, change)
        return answers.json({"server": server_views.short(found, self.links, self.addresses_of(server_id))})

    @docs.operation(status=204, faults=models.CHANGE_FAULTS)
    def delete(self, server_id: str) -> flask.Response:
        """Begin to delete a server; it is gone when it is no longer found, or rests SOFT_DELETED for a while before."""
        soft_deletes.delete(self.cloud, self.caller, server_id)
        return answers.empty(204)


class Addresses(Resource):
    """A server's addresses."""

    @docs.operation(gives=models.ADDRESSES, faults=models.LOOK_FAULTS)
    def get(self, server_id: str) -> flask.Response:
        """List a server's addresses by network."""
        found = instances.get(self.cloud, self.caller, server_id)
        return answers.json({"addresses": server_views.addresses(found, self.addresses_of(server_id))})


class NetworkAddresses(Resource):
    """A server's addresses on one network."""

    @docs.operation(faults=models.LOOK_FAULTS)
    def get(self, server_id: str, network: str) -> flask.Response:
        """List a server's addresses on one network."""
        server = instances.get(self.cloud, self.caller, server_id)
        found = server_views.addresses(server, self.addresses_of(server_id))
        if network not in found:
            raise NotFound(f"server {server_id} is not on a network {network}")
        return answers.json({network: found[network]})


def _placed(caller: Caller) -> bool:
    return policy.allows(caller.roles, Operation.SERVER_READ_PLACEMENT)
