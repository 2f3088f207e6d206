"""Networks: what servers may be in, and their subnets."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import click

from cloud import link_names, network_objects, networks, subnets
from cloud.addresses import Cidr, Ip
from cloud.networks import NetworkSpec, NetworkView
from cloud.subnets import SubnetSpec
from common.errors import Conflict, Invalid, NotFound
from db.networks import Filter, Ipv6Mode, Kind, Subnet
from db.projects import Project
from manage import asking, groups, output
from manage.context import Context
from manage.labels import Labels

pass_context = click.make_pass_decorator(Context)

_COLUMNS = ("id", "name", "project", "kind", "link", "shared", "default", "subnets")
_SUBNET_COLUMNS = ("id", "cidr", "gateway", "pools", "nameservers")
_OBJECT_COLUMNS = ("backend", "state", "name", "subnet", "groups", "jobs", "why")
_LIMIT = 10_000


@click.group(cls=groups.Group)
def network() -> None:
    """Networks and their subnets."""


@network.command()
@click.argument("name")
@click.option(
    "--link", help="the bridge on every node; of a routed network, the routing table; not for one of the pool"
)
@click.option("--kind", type=click.Choice([kind.value for kind in Kind]), default=Kind.FLAT.value, show_default=True)
@click.option("--shared", is_flag=True, help="for every project")
@click.option("--external", is_flag=True, help="it reaches the outside world")
@click.option("--default", "is_default", is_flag=True, help="servers that name no network get this one")
@click.option("--mtu", type=int, default=networks.MTU, help="bytes")
@click.option("--duplicate", is_flag=True, help="even if another network has the name; then ids tell them apart")
@pass_context
def add(
    context: Context,
    name: str,
    *,
    link: str | None,
    kind: str,
    shared: bool,
    external: bool,
    is_default: bool,
    mtu: int,
    duplicate: bool,
) -> None:
    """Add a network; give it subnets afterwards, by add-subnet."""
    if not duplicate and networks.page(context.cloud, context.caller(), Filter(names=[name]), limit=1):
        raise Conflict(f"there is a network {name} already; --duplicate makes another, and then ids tell them apart")
    if link is not None:
        link_names.check(link, "--link", kind=Kind(kind))
    spec = NetworkSpec(
        name=name,
        link=link,
        kind=Kind(kind),
        shared=shared,
        external=external,
        is_default=is_default,
        mtu=mtu,
    )
    (made,) = networks.create(context.cloud, context.caller(), [spec])
    context.output.item(_items(context, [made])[0])


@network.command(name="add-subnet")
@click.argument("network_name", metavar="NETWORK")
@click.argument("cidr")
@click.option("--gateway", help="an address, or none [default: the first one]")
@click.option("--pool", "pools", multiple=True, metavar="FIRST-LAST", help="addresses for guests [default: all]")
@click.option("--nameserver", "nameservers", multiple=True)
@click.option("--slaac", is_flag=True, help="IPv6: guests make their own addresses")
@pass_context
def add_subnet(
    context: Context,
    network_name: str,
    cidr: str,
    *,
    gateway: str | None,
    pools: tuple[str, ...],
    nameservers: tuple[str, ...],
    slaac: bool,
) -> None:
    """Give a network, by id or name, a subnet such as 192.0.2.0/24."""
    found = find(context, network_name)
    spec = SubnetSpec(
        network_id=found.network.id,
        cidr=_cidr(cidr),
        gateway=parse_ip(gateway, "--gateway") if gateway not in (None, "none") else None,
        first_is_gateway=gateway is None,
        ipv6_mode=Ipv6Mode.SLAAC if slaac else None,
        nameservers=tuple(parse_ip(text, "--nameserver") for text in nameservers),
        pools=tuple(_pool(text) for text in pools) or None,
    )
    (made,) = subnets.create(context.cloud, context.caller(), [spec])
    context.output.item(_subnet_item(made))


@network.command(name="list")
@pass_context
def list_(context: Context) -> None:
    """List the networks."""
    found = networks.page(context.cloud, context.caller(), Filter(), limit=_LIMIT)
    context.output.rows(_items(context, found), _COLUMNS)


@network.command()
@click.argument("name")
@pass_context
def show(context: Context, name: str) -> None:
    """Show a network, by id or name, with its subnets, and what Ganeti has of it where it is to have objects."""
    view = find(context, name)
    objects = [_object_item(each) for each in network_objects.of_network(context.cloud, view.network.id)]
    (item,) = _items(context, [view])
    item = {**item, "subnets": [_subnet_item(row) for row in view.subnets], "objects": objects}
    context.output.item(item, {"subnets": _SUBNET_COLUMNS, "objects": _OBJECT_COLUMNS})


@network.command()
@click.argument("name")
@asking.yes_option
@pass_context
def remove(context: Context, name: str, *, yes: bool) -> None:
    """Remove a network, by id or name, that nobody has a port in."""
    row = find(context, name).network
    asking.confirmed(f"Remove the network {row.name}?", yes=yes)
    networks.delete(context.cloud, context.caller(), row.id)
    context.output.say(f"network {row.name} is removed", removed=row.id)


def find(context: Context, name: str) -> NetworkView:
    """Give a network by id or name; raises NotFound, or Conflict for a name that several have."""
    caller = context.caller()
    for wanted in (Filter(ids=[name]), Filter(names=[name])):
        found = networks.page(context.cloud, caller, wanted, limit=2)
        if len(found) > 1:
            raise Conflict(f"several networks are named {name}; give the id")
        if found:
            return found[0]
    raise NotFound(f"there is no network {name}")


def _items(context: Context, views: Sequence[NetworkView]) -> list[output.Item]:
    projects = Labels(context, Project, (view.network.project_id for view in views))
    return [_item(view, projects(view.network.project_id)) for view in views]


def _item(view: NetworkView, project: str | None) -> output.Item:
    row = view.network
    return {
        "id": row.id,
        "name": row.name,
        "project": project,
        "project_id": row.project_id,
        "link": row.link,
        "kind": row.kind,
        "mac_prefix": row.mac_prefix,
        "shared": row.shared,
        "external": row.external,
        "default": row.is_default,
        "enabled": row.enabled,
        "mtu": row.mtu,
        "subnets": [each.cidr for each in view.subnets],
        "created_at": row.created_at,
    }


def _subnet_item(row: Subnet) -> output.Item:
    return {
        "id": row.id,
        "cidr": row.cidr,
        "gateway": row.gateway,
        "pools": [f"{pool['start']}-{pool['end']}" for pool in row.pools],
        "nameservers": row.nameservers,
        "ipv6_mode": row.ipv6_mode,
    }


def _object_item(view: network_objects.View) -> output.Item:
    row = view.row
    return {
        "backend": view.backend,
        "state": row.state.value if row is not None else "none",
        "name": row.name if row is not None else None,
        "subnet": row.subnet if row is not None else None,
        "groups": list(row.groups) if row is not None else [],
        "jobs": list(row.jobs) if row is not None else [],
        "why": view.why,
    }


def _pool(text: str) -> subnets.Pool:
    first, dash, last = text.partition("-")
    if not dash:
        raise Invalid(f"--pool: {text} is not FIRST-LAST")
    return subnets.Pool(parse_ip(first, "--pool"), parse_ip(last, "--pool"))


def parse_ip(text: str | None, what: str) -> Ip:
    """Read an address that was given as an option or argument; raises Invalid, which names that."""
    try:
        return ipaddress.ip_address(text or "")
    except ValueError as err:
        raise Invalid(f"{what}: {text!r} is no address") from err


def _cidr(text: str) -> Cidr:
    try:
        return ipaddress.ip_network(text)
    except ValueError as err:
        raise Invalid(f"cidr: {err}") from err
