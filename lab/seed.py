"""What a new lab cloud holds: two users, flavors that fit a test machine, one image, and the cluster as its backend."""

import ipaddress
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cloud import accounts, backends, flavors, images, segments
from cloud.clients import Clients
from cloud.context import Cloud
from cloud.settings import CloudSettings
from cloud.subnets import Pool
from cloud.vault import Vault
from common import clouds, config
from db import schema, sessions
from db.users import Role
from lab import ganeti, guest, link
from sandbox import seed as sandbox_seed

#: id, name, virtual CPUs, MiB of memory, GiB of disk: the usual names, in sizes of which a laptop carries many
FLAVORS = (("1", "m1.tiny", 1, 64, 1), ("2", "m1.small", 1, 128, 1), ("3", "m1.medium", 2, 256, 2))
#: the hosts of the lab's network that are guests
GUESTS = (100, 249)
IMAGE = "debian-12"
IMAGE_FILE = "debian-12.img"
RESCUE_FILE = "rescue.iso"


@dataclass(frozen=True)
class Login:
    """A user of the new cloud, with the one project and the role there; `cloud` is its name in clouds.yaml."""

    cloud: str
    user: str
    project: str
    role: Role
    password: str = field(default_factory=lambda: secrets.token_hex(8), repr=False)


def new_logins() -> tuple[Login, Login]:
    """A tenant's user and an administrator, with passwords of their own."""
    return Login("syros", "demo", "demo", Role.MEMBER), Login("syros-admin", "admin", "admin", Role.ADMIN)


def fill(database: config.Database, keys: config.Secrets, *, cluster: ganeti.Cluster, logins: Sequence[Login]) -> None:
    """Make the schema and fill it; the backend takes instances when this returns."""
    settings = CloudSettings()
    connection = sessions.Sessions(database)
    vault = Vault(keys)
    clients = Clients(settings, vault)
    try:
        schema.upgrade(connection.engine)
        cloud = Cloud(connection, settings)
        for login in logins:
            accounts.add_project(cloud, login.project)
            accounts.add_user(cloud, login.user, password=login.password, default_project=login.project)
            accounts.grant(cloud, user=login.user, project=login.project, role=login.role)
        for number, name, vcpus, ram, disk in FLAVORS:
            flavors.add(cloud, flavors.FlavorSpec(id=number, name=name, vcpus=vcpus, ram=ram, disk=disk))
        image = cluster.images / IMAGE_FILE
        guest.write_image(image)
        images.add(cloud, images.ImageSpec(name=IMAGE, file=IMAGE_FILE, size=image.stat().st_size))
        sandbox_seed.network(cloud, [_guests(cluster)], link="br0")
        segments.add(cloud, link.SEGMENTS)
        guest.write_iso(cluster.images / RESCUE_FILE)
        backend = backends.add(cloud, vault, _backend(cluster))
        backends.refresh(cloud, clients, backend)
    finally:
        clients.close()
        connection.close()


def write_clouds(path: Path, logins: Sequence[Login], *, auth_url: str) -> None:
    """Write the clients' configuration, with a cloud for each login."""
    path.parent.mkdir(parents=True, exist_ok=True)
    found = tuple(clouds.Login(login.cloud, login.user, login.project, login.password) for login in logins)
    clouds.write(path, auth_url=auth_url, logins=found)


def _guests(cluster: ganeti.Cluster) -> sandbox_seed.Prefix:
    """The nodes' own network, of which guests get the middle: nodes are at its beginning, the host at its end."""
    prefix = ipaddress.ip_network(f"{cluster.network.address(0)}/24")
    start, end = (ipaddress.ip_address(cluster.network.address(host)) for host in GUESTS)
    return sandbox_seed.Prefix(prefix, (Pool(start, end),))


def _backend(cluster: ganeti.Cluster) -> backends.BackendSpec:
    return backends.BackendSpec(
        name="lab",
        rapi_urls=(cluster.rapi_url,),
        rapi_user=cluster.rapi_user,
        rapi_password=cluster.rapi_password,
        rapi_ca=cluster.ca_file.read_text(),
        # Shared by the nodes: what migration needs.
        disk_template="sharedfile",
        hypervisor="kvm",
        os="syros+default",
        rescue_image=f"{ganeti.IMAGES}/{RESCUE_FILE}",
    )
