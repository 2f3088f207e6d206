"""Backends, as operators keep them, and the background look at their capacity."""

from __future__ import annotations

import logging
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from cloud import nodes
from cloud.clients import Clients
from cloud.context import Cloud
from cloud.vault import Vault
from common import names
from common.errors import Conflict, Invalid, NotFound
from db import backends, instances
from db.backends import Backend
from rapi.endpoint import Endpoint
from rapi.errors import RapiError

log = logging.getLogger(__name__)

_PATH_LENGTH = 255
#: characters that the table keeps of each
_LONGEST = {"name": 64, "rapi_user": 64, "disk_template": 16, "hypervisor": 16, "os": 64}
#: what a change sets as it is said
_PLAIN = (
    "rapi_user", "rapi_password", "prefix", "disk_template", "hypervisor", "os", "max_jobs", "network_objects",
)  # fmt: skip


@dataclass(frozen=True)
class BackendSpec:
    """A new backend. `rapi_ca` is PEM; `os` is an OS definition with its variant, empty for none."""

    name: str
    rapi_urls: tuple[str, ...]
    rapi_user: str
    rapi_password: str = field(repr=False)
    rapi_ca: str | None = None
    rapi_fingerprint: str | None = None
    prefix: str = names.DEFAULT_PREFIX
    disk_template: str = "plain"
    hypervisor: str = "kvm"
    os: str = "syros+default"
    hvparams: Mapping[str, str] = field(default_factory=dict)
    max_jobs: int = 20
    rescue_image: str | None = None
    network_objects: bool = False


@dataclass(frozen=True)
class Trust:
    """How a cluster's RAPI is known: by a CA in PEM, by a certificate's SHA-256, or by the system's CAs."""

    ca: str | None = None
    fingerprint: str | None = None


@dataclass(frozen=True)
class BackendChange:
    """What is changed of a backend; None leaves a thing as it is."""

    rapi_urls: tuple[str, ...] | None = None
    rapi_user: str | None = None
    #: sealed by the installation's Vault
    rapi_password: str | None = field(default=None, repr=False)
    trust: Trust | None = None
    prefix: str | None = None
    disk_template: str | None = None
    hypervisor: str | None = None
    #: empty for none
    os: str | None = None
    #: those to set, and those to have no longer
    hvparams: Mapping[str, str] = field(default_factory=dict)
    without_hvparams: tuple[str, ...] = ()
    max_jobs: int | None = None
    #: empty for none
    rescue_image: str | None = None
    network_objects: bool | None = None


@dataclass(frozen=True)
class Figures:
    """What a look at a cluster found; memory and disk in MiB."""

    cluster: str
    version: str
    memory_total: int
    memory_free: int
    memory_largest: int
    disk_total: int
    disk_free: int
    disk_largest: int
    cpus: int
    nodes: int


def add(cloud: Cloud, vault: Vault, spec: BackendSpec) -> Backend:
    """Add a backend; it takes instances after its first refresh. Raises Invalid or Conflict."""
    backend = Backend(
        name=spec.name,
        rapi_urls=list(spec.rapi_urls),
        rapi_user=spec.rapi_user,
        rapi_password=vault.seal(spec.rapi_password),
        rapi_ca=spec.rapi_ca,
        rapi_fingerprint=spec.rapi_fingerprint,
        prefix=spec.prefix,
        disk_template=spec.disk_template,
        hypervisor=spec.hypervisor,
        os=spec.os,
        hvparams=dict(spec.hvparams),
        max_jobs=spec.max_jobs,
        rescue_image=spec.rescue_image,
        network_objects=spec.network_objects,
        created_at=cloud.clock(),
    )
    _check(backend)
    with cloud.sessions.begin() as db:
        if backends.by_name(db, spec.name) is not None:
            raise Conflict(f"there is a backend {spec.name} already")
        db.add(backend)
    return backend


def get(cloud: Cloud, name: str) -> Backend:
    """Give a backend by name; raises NotFound."""
    with cloud.sessions.read() as db:
        backend = backends.by_name(db, name)
    if backend is None:
        raise NotFound(f"there is no backend {name}")
    return backend


def all_backends(cloud: Cloud) -> Sequence[Backend]:
    with cloud.sessions.read() as db:
        return backends.all_backends(db)


def usable(cloud: Cloud) -> Sequence[Backend]:
    """List the backends that may be called."""
    with cloud.sessions.read() as db:
        return backends.usable(db)


def set_flags(cloud: Cloud, name: str, *, drained: bool | None = None, offline: bool | None = None) -> Backend:
    """Drain a backend (no new instances) or take it offline (no call at all), or back."""
    with cloud.sessions.begin() as db:
        backend = backends.by_name(db, name)
        if backend is None:
            raise NotFound(f"there is no backend {name}")
        if drained is not None:
            backend.drained = drained
        if offline is not None:
            backend.offline = offline
    return backend


def change(cloud: Cloud, name: str, wanted: BackendChange) -> Backend:
    """Change what is kept of a backend, all or nothing; raises NotFound, Invalid, or Conflict for its prefix.

    What servers are made with counts for those that are made, or rescued, from then on.
    """
    with cloud.sessions.begin() as db:
        backend = backends.by_name(db, name)
        if backend is None:
            raise NotFound(f"there is no backend {name}")
        if wanted.prefix not in (None, backend.prefix) and instances.any_of_backend(db, backend.id):
            raise Conflict(
                f"prefix: backend {name} has instances, or had some, whose names begin with {backend.prefix}"
            )
        for key in _PLAIN:
            value = getattr(wanted, key)
            if value is not None:
                setattr(backend, key, value)
        if wanted.rapi_urls is not None:
            backend.rapi_urls = list(wanted.rapi_urls)
        if wanted.trust is not None:
            backend.rapi_ca, backend.rapi_fingerprint = wanted.trust.ca, wanted.trust.fingerprint
        kept = {key: value for key, value in backend.hvparams.items() if key not in wanted.without_hvparams}
        backend.hvparams = {**kept, **wanted.hvparams}
        if wanted.rescue_image is not None:
            backend.rescue_image = wanted.rescue_image or None
        _check(backend)
    return backend


def remove(cloud: Cloud, name: str) -> None:
    """Forget a backend that has no instances and no history; raises NotFound or Conflict."""
    with cloud.sessions.begin() as db:
        backend = backends.by_name(db, name)
        if backend is None:
            raise NotFound(f"there is no backend {name}")
        if instances.any_of_backend(db, backend.id):
            raise Conflict(f"backend {name} has instances, or had some; drain it and take it offline instead")
        db.delete(backend)


def take_reconcile_turn(cloud: Cloud, backend: Backend, *, every: timedelta) -> bool:
    """Tell whether this process is the one to reconcile the backend now."""
    now = cloud.clock()
    with cloud.sessions.begin() as db:
        return backends.take_turn(db, backend.id, now=now, since=now - every)


def refresh(cloud: Cloud, clients: Clients, backend: Backend) -> Backend:
    """Ask a backend's Ganeti who it is and what is free, and keep that; a failure is kept as its trouble."""
    documents: Sequence[Mapping[str, Any]] = ()
    try:
        figures, documents = _ask(clients, backend)
        trouble = None
    except RapiError as err:
        figures, trouble = None, str(err)
    with cloud.sessions.begin() as db:
        row = backends.get(db, backend.id)
        if row is None:
            raise NotFound(f"backend {backend.name} was just removed")
        if figures is not None and row.cluster not in (None, figures.cluster):
            # A new cluster at an old address has none of our instances: believing it would lose them all.
            trouble = f"another cluster answers: {figures.cluster}, not {row.cluster}"
            figures = None
        other = backends.by_cluster(db, figures.cluster) if figures is not None else None
        if other is not None and other.id != row.id:
            trouble = f"backend {other.name} is this cluster already"
            figures = None
        if trouble != row.trouble and trouble is not None:
            log.warning("backend.trouble", extra={"backend": row.name, "trouble": trouble})
        row.trouble = trouble
        if figures is not None:
            _keep(row, figures)
            nodes.keep(db, row.id, documents)
            row.refreshed_at = cloud.clock()
    return row


def _check(backend: Backend) -> None:
    """Raise Invalid for what a backend can't be."""
    if not names.is_prefix(backend.prefix):
        raise Invalid(f"prefix: {backend.prefix!r} is not up to 16 lower-case letters, digits and hyphens")
    if backend.max_jobs < 1:
        raise Invalid(f"max_jobs: {backend.max_jobs} is less than 1")
    for key, longest in _LONGEST.items():
        value = getattr(backend, key)
        if len(value) > longest or not (value.isascii() and value.isprintable()):
            raise Invalid(f"{key}: {longest} printable ASCII characters at most are expected")
    if backend.rescue_image is not None:
        _check_rescue_image(backend.hypervisor, backend.rescue_image)
    try:
        Endpoint(
            urls=tuple(backend.rapi_urls),
            user=backend.rapi_user,
            password="",
            ca_pem=backend.rapi_ca,
            fingerprint=backend.rapi_fingerprint,
        )
    except ValueError as err:
        raise Invalid(f"rapi: {err}") from err


def _check_rescue_image(hypervisor: str, image: str) -> None:
    """Refuse what Ganeti would: it wants the normal form of an absolute path, or a URL."""
    if hypervisor != "kvm":
        raise Invalid(f"rescue_image: servers of the hypervisor {hypervisor} can't be rescued, only those of kvm")
    is_path = image.startswith("/") and posixpath.normpath(image) == image and not image.startswith("//")
    if not (is_path or re.fullmatch(r"(https?|ftps?)://\S+", image)):
        raise Invalid(f"rescue_image: {image!r} is neither an absolute path nor a URL")
    if len(image) > _PATH_LENGTH or not (image.isascii() and image.isprintable()):
        raise Invalid(f"rescue_image: {_PATH_LENGTH} printable ASCII characters at most are expected")


# Any: a node is the JSON document that RAPI gives
def _ask(clients: Clients, backend: Backend) -> tuple[Figures, Sequence[Mapping[str, Any]]]:
    client = clients.of(backend)
    info = client.get_info()
    documents = client.get_nodes()
    return _figures(info, [node for node in documents if _takes_instances(node)]), documents


def _figures(info: Mapping[str, Any], found: Sequence[Mapping[str, Any]]) -> Figures:
    return Figures(
        cluster=str(info["uuid"]),
        version=str(info["software_version"]),
        memory_total=_sum(found, "mtotal"),
        memory_free=_sum(found, "mfree"),
        memory_largest=_largest(found, "mfree"),
        disk_total=_sum(found, "dtotal"),
        disk_free=_sum(found, "dfree"),
        disk_largest=_largest(found, "dfree"),
        cpus=_sum(found, "ctotal"),
        nodes=len(found),
    )


def _takes_instances(node: Mapping[str, Any]) -> bool:
    return bool(node.get("vm_capable", True)) and not node.get("offline") and not node.get("drained")


def _sum(nodes: Sequence[Mapping[str, Any]], key: str) -> int:
    return sum(int(node.get(key) or 0) for node in nodes)


def _largest(nodes: Sequence[Mapping[str, Any]], key: str) -> int:
    return max((int(node.get(key) or 0) for node in nodes), default=0)


def _keep(row: Backend, figures: Figures) -> None:
    row.cluster = figures.cluster
    row.version = figures.version
    row.memory_total = figures.memory_total
    row.memory_free = figures.memory_free
    row.memory_largest = figures.memory_largest
    row.disk_total = figures.disk_total
    row.disk_free = figures.disk_free
    row.disk_largest = figures.disk_largest
    row.cpus = figures.cpus
    row.nodes = figures.nodes
