"""Ports: who has which address and MAC."""

from __future__ import annotations

from collections.abc import Sequence

import click

from cloud import ports
from cloud.ports import PortView
from db.instances import Instance
from db.networks import Network
from db.ports import Filter
from db.projects import Project
from manage import groups, output
from manage.commands import network as networks
from manage.context import Context
from manage.labels import Labels

pass_context = click.make_pass_decorator(Context)

_COLUMNS = ("id", "name", "addresses", "mac", "network", "instance", "project")
_LIMIT = 10_000


@click.group(cls=groups.Group)
def port() -> None:
    """Ports in networks, with their addresses and MACs."""


@port.command(name="list")
@click.option("--network", "network_name", metavar="NETWORK", help="in this network, by id or name")
@click.option("--instance", metavar="ID", help="of this instance")
@click.option("--ip", metavar="ADDRESS", help="with this address")
@click.option("--mac", metavar="MAC", help="with this MAC")
@pass_context
def list_(context: Context, *, network_name: str | None, instance: str | None, ip: str | None, mac: str | None) -> None:
    """List the ports of every project, oldest first."""
    wanted = Filter(
        network_ids=[networks.find(context, network_name).network.id] if network_name else None,
        instance_ids=[instance] if instance else None,
        ips=[str(networks.parse_ip(ip, "--ip"))] if ip else None,
        mac=mac.lower() if mac else None,
    )
    found = ports.page(context.cloud, context.caller(), wanted, limit=_LIMIT)
    context.output.rows(_items(context, found), _COLUMNS)


@port.command()
@click.argument("port_id", metavar="ID")
@pass_context
def show(context: Context, port_id: str) -> None:
    """Show a port."""
    (item,) = _items(context, [ports.get(context.cloud, context.caller(), port_id)])
    context.output.item(item)


def _items(context: Context, views: Sequence[PortView]) -> list[output.Item]:
    in_network = Labels(context, Network, (view.port.network_id for view in views))
    instances = Labels(context, Instance, (view.port.instance_id for view in views))
    projects = Labels(context, Project, (view.port.project_id for view in views))
    return [
        {
            "id": view.port.id,
            "name": view.port.name,
            "addresses": [address.ip for address in view.addresses],
            "mac": view.port.mac,
            "network": in_network(view.port.network_id),
            "network_id": view.port.network_id,
            "instance": instances(view.port.instance_id),
            "instance_id": view.port.instance_id,
            "project": projects(view.port.project_id),
            "project_id": view.port.project_id,
            "created_at": view.port.created_at,
        }
        for view in views
    ]
