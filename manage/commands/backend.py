"""Backends: the Ganeti clusters that take instances."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import click

from cloud import backends
from cloud.backends import BackendChange, Trust
from common.errors import Unavailable
from db.backends import Backend
from manage import asking, certificates, groups, output
from manage.context import Context
from manage.failures import Exit

pass_context = click.make_pass_decorator(Context)

_COLUMNS = (
    "name", "condition", "version", "nodes", "cpus", "memory_free", "memory_total", "disk_free", "disk_total",
    "refreshed_at",
)  # fmt: skip


def _trusting(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say how a cluster's RAPI is known."""
    for option in reversed(
        (
            click.option(
                "--ca-file",
                type=click.Path(path_type=Path, exists=True, dir_okay=False),
                help="the cluster's CA, in PEM form",
            ),
            click.option("--fingerprint", help="SHA-256 of the RAPI's certificate, to pin it"),
            click.option("--trust-on-first-use", is_flag=True, help="fetch the RAPI's certificate and pin it unasked"),
            click.option("--system-ca", is_flag=True, help="trust what this machine's CAs have signed"),
        )
    ):
        command = option(command)
    return command


@click.group(cls=groups.Group)
def backend() -> None:
    """Ganeti clusters."""


@backend.command()
@click.argument("name")
@click.option("--rapi-url", "urls", multiple=True, required=True, help="https://host:5080; again for other masters")
@click.option("--rapi-user", "user", required=True, help="user of the cluster's RAPI, with write access")
@click.option(
    "--rapi-password-file",
    "password_file",
    type=click.Path(path_type=Path, allow_dash=True),
    help="file with the RAPI password; - for stdin [default: typed]",
)
@_trusting
@click.option("--prefix", default="syros-", show_default=True, help="what our instances' names begin with")
@click.option("--disk-template", default="plain", show_default=True)
@click.option("--hypervisor", default="kvm", show_default=True)
@click.option("--os", "system", default="syros+default", show_default=True, help="OS definition; empty for none")
@click.option("--hvparam", "hvparams", multiple=True, callback=asking.pairs, help="KEY=VALUE, repeatable")
@click.option("--max-jobs", default=20, show_default=True, help="jobs that may be in flight at once")
@click.option("--rescue-image", help="path on the nodes, or URL, of the ISO image that rescued servers boot from")
@click.option(
    "--network-objects/--no-network-objects",
    default=False,
    show_default=True,
    help="have an object of each network in Ganeti; see docs/networks.md for what it costs",
)
@click.option("--refresh/--no-refresh", default=True, show_default=True, help="ask the cluster for its capacity now")
@pass_context
def add(
    context: Context,
    name: str,
    *,
    urls: tuple[str, ...],
    user: str,
    password_file: Path | None,
    ca_file: Path | None,
    fingerprint: str | None,
    trust_on_first_use: bool,
    system_ca: bool,
    prefix: str,
    disk_template: str,
    hypervisor: str,
    system: str,
    hvparams: dict[str, str],
    max_jobs: int,
    rescue_image: str | None,
    network_objects: bool,
    refresh: bool,
) -> None:
    """Add a cluster; it takes instances once it has been refreshed."""
    password = _password(password_file)
    trust = _told_trust(ca_file, fingerprint, system_ca=system_ca)
    if trust is None:
        trust = Trust(fingerprint=_first_seen(urls, unasked=trust_on_first_use))
    spec = backends.BackendSpec(
        name=name,
        rapi_urls=urls,
        rapi_user=user,
        rapi_password=password,
        rapi_ca=trust.ca,
        rapi_fingerprint=trust.fingerprint,
        prefix=prefix,
        disk_template=disk_template,
        hypervisor=hypervisor,
        os=system,
        hvparams=hvparams,
        max_jobs=max_jobs,
        rescue_image=rescue_image,
        network_objects=network_objects,
    )
    row = backends.add(context.cloud, context.vault, spec)
    if refresh:
        row = _refreshed(context, row)
    context.output.item(_item(row))
    _fail_on_trouble(context, [row] if refresh else [])


@backend.command(name="list")
@pass_context
def list_(context: Context) -> None:
    """List the clusters with their last known capacity, in MiB."""
    context.output.rows([_item(row) for row in backends.all_backends(context.cloud)], _COLUMNS)


@backend.command()
@click.argument("name")
@pass_context
def show(context: Context, name: str) -> None:
    """Show all that is known of a cluster, but its password."""
    context.output.item(_item(backends.get(context.cloud, name)))


@backend.command()
@click.argument("name")
@pass_context
def drain(context: Context, name: str) -> None:
    """Put no new instances on a cluster."""
    context.output.item(_item(backends.set_flags(context.cloud, name, drained=True)))


@backend.command()
@click.argument("name")
@pass_context
def undrain(context: Context, name: str) -> None:
    """Put new instances on a cluster again."""
    context.output.item(_item(backends.set_flags(context.cloud, name, drained=False)))


@backend.command()
@click.argument("name")
@asking.yes_option
@pass_context
def offline(context: Context, name: str, *, yes: bool) -> None:
    """Make no call to a cluster any more: its instances can't be acted on."""
    asking.confirmed(f"Take {name} offline? Nobody can act on its instances then.", yes=yes)
    context.output.item(_item(backends.set_flags(context.cloud, name, offline=True)))


@backend.command()
@click.argument("name")
@pass_context
def online(context: Context, name: str) -> None:
    """Call a cluster again."""
    context.output.item(_item(backends.set_flags(context.cloud, name, offline=False)))


@backend.command()
@click.argument("name")
@click.option("--rapi-url", "urls", multiple=True, required=True, help="https://host:5080; again for other masters")
@pass_context
def move(context: Context, name: str, *, urls: tuple[str, ...]) -> None:
    """Change where a cluster's RAPI is."""
    context.output.item(_item(backends.change(context.cloud, name, BackendChange(rapi_urls=urls))))


@backend.command(name="set")
@click.argument("name")
@click.option("--rapi-url", "urls", multiple=True, help="https://host:5080; again for other masters")
@click.option("--rapi-user", "user", help="user of the cluster's RAPI, with write access")
@click.option(
    "--rapi-password-file",
    "password_file",
    type=click.Path(path_type=Path, allow_dash=True),
    help="file with the RAPI password; - for stdin",
)
@_trusting
@click.option("--prefix", help="what our instances' names begin with; while there were none")
@click.option("--disk-template", help="of servers that are made from now on")
@click.option("--hypervisor", help="of servers that are made from now on")
@click.option("--os", "system", help="OS definition; empty for none")
@click.option("--hvparam", "hvparams", multiple=True, callback=asking.pairs, help="KEY=VALUE, repeatable")
@click.option("--no-hvparam", "without_hvparams", multiple=True, metavar="KEY", help="repeatable")
@click.option("--max-jobs", type=int, help="jobs that may be in flight at once")
@click.option(
    "--rescue-image",
    help="path on the nodes, or URL, of the ISO image that rescued servers boot from; empty for none",
)
@click.option(
    "--network-objects/--no-network-objects",
    default=None,
    help="have an object of each network in Ganeti, which NICs made from then on name, or no longer",
)
@pass_context
def set_(
    context: Context,
    name: str,
    *,
    urls: tuple[str, ...],
    user: str | None,
    password_file: Path | None,
    ca_file: Path | None,
    fingerprint: str | None,
    trust_on_first_use: bool,
    system_ca: bool,
    prefix: str | None,
    disk_template: str | None,
    hypervisor: str | None,
    system: str | None,
    hvparams: dict[str, str],
    without_hvparams: tuple[str, ...],
    max_jobs: int | None,
    rescue_image: str | None,
    network_objects: bool | None,
) -> None:
    """Change what is kept of a cluster; what is not named stays as it is.

    What servers are made with (--disk-template, --hypervisor, --os, --hvparam) counts for those made from now on.
    """
    trust = _told_trust(ca_file, fingerprint, system_ca=system_ca)
    if trust is None and trust_on_first_use:
        known = tuple(backends.get(context.cloud, name).rapi_urls)
        trust = Trust(fingerprint=_first_seen(urls or known, unasked=True))
    change = BackendChange(
        rapi_urls=urls or None,
        rapi_user=user,
        rapi_password=context.vault.seal(_password(password_file)) if password_file is not None else None,
        trust=trust,
        prefix=prefix,
        disk_template=disk_template,
        hypervisor=hypervisor,
        os=system,
        hvparams=hvparams,
        without_hvparams=without_hvparams,
        max_jobs=max_jobs,
        rescue_image=rescue_image,
        network_objects=network_objects,
    )
    if change == BackendChange():
        raise click.UsageError("say what is to change; --help lists what can be")
    context.output.item(_item(backends.change(context.cloud, name, change)))


@backend.command()
@click.argument("names", nargs=-1)
@pass_context
def refresh(context: Context, names: tuple[str, ...]) -> None:
    """Ask clusters (by default all that are not offline) who they are and what is free."""
    rows = [backends.get(context.cloud, name) for name in names] if names else backends.usable(context.cloud)
    for row in rows:
        if row.offline:
            raise Unavailable(f"backend {row.name} is offline: `syros-manage backend online {row.name}` first")
    fresh = [_refreshed(context, row) for row in rows]
    context.output.rows([_item(row) for row in fresh], _COLUMNS)
    _fail_on_trouble(context, fresh)


@backend.command()
@click.argument("name")
@asking.yes_option
@pass_context
def remove(context: Context, name: str, *, yes: bool) -> None:
    """Forget a cluster that never had an instance."""
    asking.confirmed(f"Forget the backend {name}?", yes=yes)
    backends.remove(context.cloud, name)
    context.output.say(f"backend {name} is removed", removed=name)


def condition(row: Backend) -> str:
    """Say in a word how a backend is."""
    if row.offline:
        return "offline"
    if row.trouble is not None:
        return "trouble"
    if row.refreshed_at is None:
        return "new"
    return "drained" if row.drained else "ok"


def _item(row: Backend) -> output.Item:
    return {
        "name": row.name,
        "condition": condition(row),
        "trouble": row.trouble,
        "drained": row.drained,
        "offline": row.offline,
        "cluster": row.cluster,
        "version": row.version,
        "rapi_urls": list(row.rapi_urls),
        "rapi_user": row.rapi_user,
        "rapi_fingerprint": row.rapi_fingerprint,
        "rapi_ca": row.rapi_ca is not None,
        "prefix": row.prefix,
        "disk_template": row.disk_template,
        "hypervisor": row.hypervisor,
        "os": row.os,
        "hvparams": dict(row.hvparams),
        "max_jobs": row.max_jobs,
        "rescue_image": row.rescue_image,
        "network_objects": row.network_objects,
        "nodes": row.nodes,
        "cpus": row.cpus,
        "memory_free": row.memory_free,
        "memory_total": row.memory_total,
        "disk_free": row.disk_free,
        "disk_total": row.disk_total,
        "refreshed_at": row.refreshed_at,
        "reconciled_at": row.reconciled_at,
        "created_at": row.created_at,
    }


def _refreshed(context: Context, row: Backend) -> Backend:
    with context.output.progress(f"asking {row.name}"):
        return backends.refresh(context.cloud, context.clients, row)


def _fail_on_trouble(context: Context, rows: list[Backend]) -> None:
    """End as the first trouble deserves: a cluster that can't be reached is worse than one that says no."""
    troubled = [row for row in rows if row.trouble is not None]
    for row in troubled:
        output.note(f"syros-manage: backend {row.name}: {row.trouble}")
    for row in troubled:
        # raises for one that is out of reach
        context.clients.of(row).get_version()
    if troubled:
        raise click.exceptions.Exit(Exit.WRONG)


def _password(path: Path | None) -> str:
    return asking.secret(path, prompt="RAPI password", option="--rapi-password-file")


def _told_trust(ca_file: Path | None, fingerprint: str | None, *, system_ca: bool) -> Trust | None:
    """Give what the options say of whom to trust; None if they say nothing."""
    if not (ca_file or fingerprint or system_ca):
        return None
    digits = fingerprint.replace(":", "").lower() if fingerprint else None
    return Trust(ca_file.read_text(encoding="utf-8") if ca_file else None, digits)


def _first_seen(urls: tuple[str, ...], *, unasked: bool) -> str | None:
    """Fetch the certificate's fingerprint, show it, and give it if the operator wants it pinned."""
    if not any(url.startswith("https://") for url in urls):
        return None
    if not unasked and not sys.stdin.isatty():
        raise click.UsageError("give --ca-file, --fingerprint, --system-ca or --trust-on-first-use")
    digest = certificates.fingerprint(urls)
    if digest is not None:
        output.note("the RAPI's certificate has this SHA-256 fingerprint:")
        output.note(certificates.spaced(digest))
        asking.confirmed("Is it the cluster's? It will be pinned.", yes=unasked)
    return digest
