"""`make bench`: every measurement, one after the other, on servers of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from common import config
from db.sessions import Sessions
from lab import cloud as lab_cloud
from lab import postgres, rabbitmq, scratch
from tests.bench import addresses, consoles, dhcp, events, figures, listing
from tests.e2e import client, fleet
from tests.support import taps


@click.command()
@click.option("--rounds", default=50, show_default=True, help="servers made, stopped, started and deleted on gntsim")
@click.option("--lab-rounds", default=5, show_default=True, help="the same on real Ganeti; 0 leaves that out")
@click.option("--only-dhcp", is_flag=True, help="nothing but nfdhcpd's packets and memory")
@click.option("--only-consoles", is_flag=True, help="nothing but vncauthproxy's throughput and memory")
def main(rounds: int, lab_rounds: int, *, only_dhcp: bool, only_consoles: bool) -> None:
    """Measure, and print tables."""
    if not only_dhcp and not only_consoles:
        _cloud(rounds, lab_rounds)
    if not only_consoles:
        _dhcp()
    if not only_dhcp:
        _consoles()


def _cloud(rounds: int, lab_rounds: int) -> None:
    with _fleet() as cloud:
        click.echo(f"gntsim: {rounds} rounds of four jobs ...")
        events.churn(cloud.client, rounds=rounds, patience=30)
        queue = cloud.folder / "ganeti" / "queue"
        simulated = events.latencies(cloud.sessions, lambda jobs: _renamed(queue, jobs), "on gntsim")
        click.echo("servers/detail ...")
        listing.fill(cloud)
        listed = listing.measure(cloud)
        click.echo("addresses ...")
        taken = addresses.measure(cloud.sessions)
    shown = [simulated]
    if lab_rounds and (reason := lab_cloud.unavailable()):
        click.echo(f"left out: the lab, {reason}")
    elif lab_rounds:
        shown.append(_lab(lab_rounds))
    figures.show("From a job's final status on disk to the committed row", shown)
    figures.show("Lists", listed)
    figures.show("Addresses", taken)


def _dhcp() -> None:
    if reason := taps.unavailable():
        click.echo(f"left out: nfdhcpd, {reason}")
        return
    click.echo("nfdhcpd ...")
    speeds, sizes = dhcp.measure()
    figures.show("Packets of guests, from a full queue to the last verdict", speeds)
    figures.show_sizes("nfdhcpd's resident memory", sizes)


def _consoles() -> None:
    click.echo("vncauthproxy ...")
    speeds, sizes = consoles.measure()
    figures.show("64 MiB of a screen, from the first byte asked for to the last one seen", speeds)
    figures.show_sizes("vncauthproxy's resident memory", sizes)


def _lab(rounds: int) -> figures.Figure:
    cloud = lab_cloud.LabCloud()
    cloud.start(click.echo)
    try:
        click.echo(f"lab: {rounds} rounds of four jobs on real Ganeti ...")
        tenant = client.Client(cloud.api_url)
        tenant.log_in(cloud.demo.user, cloud.demo.password)
        events.churn(tenant, rounds=rounds, patience=120)
        sessions = Sessions(config.Database(url=cloud.postgres.url("syros")))
        try:
            return events.latencies(sessions, lambda jobs: _renamed_in_node(cloud, jobs), "on real Ganeti")
        finally:
            sessions.close()
    finally:
        cloud.stop()


@contextlib.contextmanager
def _fleet() -> Iterator[fleet.Fleet]:
    folder = scratch.folder("bench")
    database = postgres.Postgres(folder / "postgres")
    broker = rabbitmq.RabbitMQ(folder / "rabbitmq")
    with contextlib.ExitStack() as stack:
        stack.callback(scratch.remove, folder)
        database.start()
        stack.callback(database.kill)
        broker.start()
        stack.callback(broker.kill)
        programs = folder / "programs"
        programs.mkdir()
        cloud = fleet.Fleet(programs, database_url=database.create_database("bench"), amqp_url=broker.url)
        stack.callback(cloud.stop)
        cloud.start()
        yield cloud


def _renamed(queue: Path, jobs: list[int]) -> Mapping[int, float]:
    return {job: (queue / f"job-{job}").stat().st_ctime for job in jobs}


def _renamed_in_node(cloud: lab_cloud.LabCloud, jobs: list[int]) -> Mapping[int, float]:
    paths = [f"/var/lib/ganeti/queue/job-{job}" for job in jobs]
    lines = cloud.cluster.run(["stat", "--format=%n %.9Z", *paths]).stdout.splitlines()
    pairs = [line.rsplit(" ", 1) for line in lines]
    return {int(path.rpartition("-")[2]): float(at) for path, at in pairs}


if __name__ == "__main__":
    main()
