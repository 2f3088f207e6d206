"""Ports: who has which address and MAC."""

from __future__ import annotations

import click

from cloud import ports
from cloud.ports import PortView
from db.ports import Filter
from manage import groups, output
from manage.commands import network as networks
from manage.context import Context

pass_context = click.make_pass_decorator(Context)

_COLUMNS = ("id", "addresses", "mac", "instance", "project")
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
    context.output.rows([_item(view) for view in found], _COLUMNS)


@port.command()
@click.argument("port_id", metavar="ID")
@pass_context
def show(context: Context, port_id: str) -> None:
    """Show a port."""
    context.output.item(_item(ports.get(context.cloud, context.caller(), port_id)))


def _item(view: PortView) -> output.Item:
    row = view.port
    return {
        "id": row.id,
        "name": row.name,
        "addresses": [address.ip for address in view.addresses],
        "mac": row.mac,
        "network": row.network_id,
        "instance": row.instance_id,
        "project": row.project_id,
        "created_at": row.created_at,
    }
