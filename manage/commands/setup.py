"""A new installation, on this machine."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import click

from manage import findings, groups
from manage.authority import FOLDER as TLS_FOLDER
from manage.authority import Authority
from manage.context import Context
from manage.finding import Finding, State
from manage.setup import admin, broker, check, database, policies, public_tls, units
from manage.setup.secret_files import FOLDER, SecretFiles
from manage.setup.step import Step

_NEXT = "next: `syros-manage backend add`, for each Ganeti cluster; then `syros-manage image add` and `network add`"


@click.command(cls=groups.Command)
@click.option(
    "--check", "only_look", is_flag=True, help="change nothing; say what is not well, and exit 1 if anything is"
)
@click.option("--secrets", "folder", type=click.Path(path_type=Path), default=FOLDER, show_default=True)
@click.option(
    "--database-url-file",
    type=click.Path(path_type=Path, exists=True),
    help="file with the URL of a database elsewhere  [default: one is made on this machine]",
)
@click.option(
    "--bus-url-file",
    type=click.Path(path_type=Path, exists=True),
    help="file with the URL of a broker elsewhere  [default: one is made on this machine]",
)
@click.option(
    "--name", help="host name that clients reach the API by, for certificates and clouds.yaml  [default: found]"
)
@click.option("--tls", "tls_folder", type=click.Path(path_type=Path), default=TLS_FOLDER, show_default=True)
@click.option("--clouds", type=click.Path(path_type=Path), default=admin.CLOUDS, show_default=True)
@click.option("--auth-url", help="what clouds.yaml says  [default: as [api] in the configuration has it]")
@click.make_pass_decorator(Context)
def setup(
    context: Context,
    *,
    only_look: bool,
    folder: Path,
    database_url_file: Path | None,
    bus_url_file: Path | None,
    name: str | None,
    tls_folder: Path,
    clouds: Path,
    auth_url: str | None,
) -> None:
    """Make what a cloud needs: secrets, database, schema, broker, certificates, first admin, services. Again and again.

    What is there is left as it is. --check looks at the backends, too.
    """
    files, authority = SecretFiles(folder), Authority(tls_folder)
    host = name or context.wiring.host.name()
    steps = [
        files.step(),
        database.step(files, _told(database_url_file)),
        broker.step(context, files, _told(bus_url_file)),
        policies.step(files),
        database.schema_step(context, files),
        public_tls.step(context, authority, host),
        admin.step(
            context,
            clouds,
            auth_url=lambda: auth_url or public_tls.auth_url(context.config, host, told=name is not None),
            cacert=lambda: public_tls.cacert(context.config, authority),
        ),
        *units.steps(context.wiring.host),
    ]
    if only_look:
        with context.output.progress("looking"):
            found = check.whole(context, files, steps)
    else:
        found = _made(context, steps)
    findings.show(context, found, called="step")
    if not only_look:
        click.echo(_NEXT, err=True)


def _told(path: Path | None) -> str | None:
    return None if path is None else path.read_text(encoding="utf-8").strip()


def _made(context: Context, steps: Sequence[Step]) -> list[Finding]:
    """Go from step to step, as far as they can be done."""
    found: list[Finding] = []
    for step in steps:
        with context.output.progress(step.name):
            found.append(step.tried(functools.partial(_done, step)))
        if found[-1].state is State.TROUBLE:
            break
    return found


def _done(step: Step) -> Finding:
    looked = step.look()
    if looked.state is not State.TROUBLE:
        return looked
    return Finding(step.name, State.MADE, step.make())
