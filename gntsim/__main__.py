"""`python -m gntsim`: a simulated Ganeti master in the foreground, until SIGTERM or Ctrl-C."""

import logging
import pathlib
import signal
import threading

import click

from gntsim import server, settings


@click.command()
@click.version_option(package_name="syros", prog_name="syros-gntsim")
@click.option(
    "--data", type=click.Path(path_type=pathlib.Path), required=True, help="Folder that stands for /var/lib/ganeti."
)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=5080, show_default=True, help="0 takes any free port.")
@click.option("--nodes", default=3, show_default=True)
@click.option("--cluster-name", default="cluster.gnt.test", show_default=True)
@click.option("--user", "user_texts", multiple=True, help="name:password[:read]; only used for a fresh data folder.")
@click.option("--os", "oses", multiple=True, help="An operating system, name+variant; repeat for more.")
@click.option(
    "--hooks", type=click.Path(path_type=pathlib.Path), help="Folder of hook scripts; none are run without it."
)
@click.option(
    "--os-dir", type=click.Path(path_type=pathlib.Path), help="Folder of OS definitions whose export scripts are run."
)
@click.option("--scale", default=1.0, show_default=True, help="Multiplies every job's duration; 0 is immediate.")
@click.option("--death-delay", default=1.0, show_default=True, help="Seconds until a dead job is noticed.")
@click.option("--software-version", default="3.0.2", show_default=True)
@click.option("--seed", type=int, help="Makes MACs and random faults repeatable.")
@click.option("--ssl/--no-ssl", "tls", default=True, show_default=True)
@click.option("--verbose", is_flag=True)
def main(  # noqa: PLR0917 -- click passes every option by name
    data: pathlib.Path,
    host: str,
    port: int,
    nodes: int,
    cluster_name: str,
    user_texts: tuple[str, ...],
    oses: tuple[str, ...],
    hooks: pathlib.Path | None,
    os_dir: pathlib.Path | None,
    scale: float,
    death_delay: float,
    software_version: str,
    seed: int | None,
    tls: bool,
    verbose: bool,
) -> None:
    """Simulate a Ganeti master: RAPI over HTTPS, and a job queue on disk."""
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, format="%(asctime)s %(name)s %(message)s")
    users = tuple(_user(text) for text in user_texts)
    defaults = settings.Settings(data_dir=data.resolve())
    simulator = server.Simulator(
        settings.Settings(
            data_dir=data.resolve(),
            host=host,
            port=port,
            nodes=nodes,
            cluster_name=cluster_name,
            users=users or defaults.users,
            oses=oses or defaults.oses,
            hooks_dir=hooks.resolve() if hooks else None,
            os_dir=os_dir.resolve() if os_dir else None,
            durations=settings.Durations(scale=scale),
            death_delay=death_delay,
            software_version=software_version,
            seed=seed,
            tls=tls,
        )
    )
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    simulator.start()
    click.echo(f"gntsim: {simulator.url} (CA {simulator.ca_file})")
    stop.wait()
    simulator.stop()


def _user(text: str) -> settings.User:
    name, _, rest = text.partition(":")
    password, _, access = rest.rpartition(":") if rest.endswith((":read", ":write")) else (rest, "", "write")
    if not name or not password:
        raise click.BadParameter("a user is name:password or name:password:read", param_hint="--user")
    return settings.User(name, password, write=access == "write")


if __name__ == "__main__":
    main()
