"""What a fresh cloud needs before the first request: two projects with a user each, flavors, images, networks.

Everything is made only where it is missing, so that a second start changes nothing.
"""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from cloud import accounts, backends, flavors, images, networks, segments, subnets
from cloud.addresses import Cidr
from cloud.context import Caller, Cloud
from cloud.flavors import FlavorSpec
from cloud.images import ImageSpec
from cloud.networks import NetworkSpec
from cloud.subnets import Pool, SubnetSpec
from cloud.vault import Vault
from common import names
from common.errors import Conflict, NotFound
from db.images import DiskFormat, Filter
from db.networks import Filter as NetworkFilter
from db.networks import Ipv6Mode
from db.users import Role

FLAVORS = (
    FlavorSpec(id="1", name="m1.tiny", vcpus=1, ram=512, disk=1),
    FlavorSpec(id="2", name="m1.small", vcpus=1, ram=2048, disk=20),
    FlavorSpec(id="3", name="m1.medium", vcpus=2, ram=4096, disk=40),
    FlavorSpec(id="4", name="m1.large", vcpus=4, ram=8192, disk=80),
)
#: simulated guests have no disks, and these images no bytes; what users upload has
IMAGES = tuple(
    ImageSpec(
        name=name,
        file=f"{name}.qcow2",
        disk_format=DiskFormat.QCOW2,
        size=size,
        min_disk=min_disk,
        properties={"description": "Simulated: there is no file behind this image"},
    )
    for name, size, min_disk in (
        ("debian-12", 343_932_928, 1),
        ("debian-13", 371_195_904, 1),
        ("cirros", 21_233_664, 0),
    )
)

NETWORK = "public"
IPV6 = 6


@dataclass(frozen=True)
class Prefix:
    """A subnet of the network: all of it is for guests, or only these pools."""

    cidr: Cidr
    pools: tuple[Pool, ...] | None = None


#: nobody's: for documentation (RFC 3849), and for private use (RFC 1918)
PREFIXES = (Prefix(ipaddress.ip_network("10.64.0.0/16")), Prefix(ipaddress.ip_network("2001:db8:64::/64")))
#: the bridge of simulated nodes
LINK = "br0"
#: those that they keep for projects' own networks
SEGMENTS = segments.spelled_out("prv1-1000")


def seed(cloud: Cloud, *, demo_password: str, admin_password: str) -> None:
    """Make what is missing."""
    for name, password, role in (("demo", demo_password, Role.MEMBER), ("admin", admin_password, Role.ADMIN)):
        with contextlib.suppress(Conflict):
            accounts.add_project(cloud, name)
        with contextlib.suppress(Conflict):
            accounts.add_user(cloud, name, password=password, default_project=name)
        accounts.grant(cloud, user=name, project=name, role=role)
    for flavor in FLAVORS:
        with contextlib.suppress(Conflict):
            flavors.add(cloud, flavor)
    present = {image.name for image in images.page(cloud, _operator(cloud), Filter(), limit=1000)}
    for image in IMAGES:
        if image.name not in present:
            images.add(cloud, image)
    network(cloud, PREFIXES, link=LINK)
    if segments.count(cloud) == (0, 0):
        segments.add(cloud, SEGMENTS)


def network(cloud: Cloud, prefixes: Sequence[Prefix], *, link: str) -> None:
    """Make the network that servers get which name none, if there is no network yet."""
    operator = _operator(cloud)
    if networks.page(cloud, operator, NetworkFilter(), limit=1):
        return
    spec = NetworkSpec(name=NETWORK, shared=True, external=True, is_default=True, link=link)
    (made,) = (view.network for view in networks.create(cloud, operator, [spec]))
    for prefix in prefixes:
        slaac = Ipv6Mode.SLAAC if prefix.cidr.version == IPV6 else None
        wanted = SubnetSpec(
            network_id=made.id,
            cidr=prefix.cidr,
            name=f"{NETWORK}-{prefix.cidr.version}",
            ipv6_mode=slaac,
            pools=prefix.pools,
        )
        subnets.create(cloud, operator, [wanted])


def backend(cloud: Cloud, vault: Vault, spec: backends.BackendSpec) -> None:
    """Add the backend, or tell it where its RAPI and the rescue system are this time."""
    try:
        backends.get(cloud, spec.name)
    except NotFound:
        backends.add(cloud, vault, spec)
    else:
        now = backends.BackendChange(rapi_urls=spec.rapi_urls, rescue_image=spec.rescue_image or "")
        backends.change(cloud, spec.name, now)


def _operator(cloud: Cloud) -> Caller:
    admin = accounts.user(cloud, "admin")
    project = accounts.project(cloud, "admin")
    return Caller(
        user_id=admin.id,
        user_name=admin.name,
        project_id=project.id,
        project_name=project.name,
        roles=(Role.ADMIN,),
        request_id=names.new_request_id(),
    )
