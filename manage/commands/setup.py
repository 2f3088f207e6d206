"""A new installation, on this machine."""

from __future__ import annotations

from pathlib import Path

import click

from manage import failures, groups
from manage.context import Context
from manage.failures import Exit
from manage.setup import admin, broker, database, units
from manage.setup.secret_files import FOLDER, SecretFiles
from manage.setup.step import Step, Undone

_COLUMNS = ("step", "state", "detail")
_AUTH_URL = "http://127.0.0.1:8774/identity/v3"
_NEXT = "next: `syros-manage backend add`, for each Ganeti cluster; then `syros-manage image add` and `network add`"


@click.command(cls=groups.Command)
@click.option("--check", is_flag=True, help="change nothing; say what is not well, and exit 1 if anything is")
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
@click.option("--clouds", type=click.Path(path_type=Path), default=admin.CLOUDS, show_default=True)
@click.option(
    "--auth-url", default="http://127.0.0.1:8774/identity/v3", show_default=True, help="what clouds.yaml says"
)
@click.make_pass_decorator(Context)
def setup(
    context: Context,
    *,
    check: bool,
    folder: Path,
    database_url_file: Path | None,
    bus_url_file: Path | None,
    clouds: Path,
    auth_url: str,
) -> None:
    """Make what a cloud needs: secrets, database, schema, broker, first admin, services. Again and again.

    What is there is left as it is.
    """
    files = SecretFiles(folder)
    told = [
        files.step(),
        database.step(files, _told(database_url_file)),
        broker.step(files, _told(bus_url_file)),
        database.schema_step(context, files),
        admin.step(context, clouds, auth_url),
        *units.steps(),
    ]
    rows, undone = [], False
    for step in told:
        state, detail = _look(step) if check else _do(context, step)
        rows.append({"step": step.name, "state": state, "detail": detail})
        if state == "trouble":
            undone = True
            if not check:
                break
    context.output.rows(rows, _COLUMNS)
    if undone:
        raise click.exceptions.Exit(Exit.WRONG)
    if not check:
        click.echo(_NEXT, err=True)


def _told(path: Path | None) -> str | None:
    return None if path is None else path.read_text(encoding="utf-8").strip()


def _look(step: Step) -> tuple[str, str]:
    try:
        found = step.look()
    except failures.KNOWN as err:
        return "trouble", failures.explain(err, None)[0]
    return ("ok" if found.well else "trouble"), found.detail


def _do(context: Context, step: Step) -> tuple[str, str]:
    with context.output.progress(step.name):
        found = step.look()
        if found.well:
            return "ok", found.detail
        try:
            return "made", step.make()
        except Undone as err:
            return "trouble", str(err)
