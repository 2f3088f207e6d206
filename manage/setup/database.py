"""The database: on this machine's PostgreSQL, unless its URL is told; and the schema in it."""

from __future__ import annotations

import secrets

import sqlalchemy as sa

from common import config
from db import schema
from manage import failures, finding
from manage.context import Context
from manage.finding import Finding
from manage.setup import tool
from manage.setup.secret_files import SecretFiles
from manage.setup.step import Step, Undone

NAME = "database-url"
_ROLE = "syros"
_PSQL = ("runuser", "-u", "postgres", "--", "psql", "--no-psqlrc", "--quiet", "-tA", "-v", "ON_ERROR_STOP=1")
_UNREAD = f"the configuration's [database] has another URL than {NAME}"
_READ = f"[database] needs `url_file`, the path of {NAME}"
_IS_DATABASE = "SELECT 1 FROM pg_database WHERE datname = 'syros'"
_IS_ROLE = "SELECT 1 FROM pg_roles WHERE rolname = 'syros'"
REMEDY = "install PostgreSQL here and have it run, or give --database-url-file"
_DOWN = "have it run (`systemctl start postgresql`), or mend its URL"
UPGRADE = "`syros-manage db upgrade`"


def step(files: SecretFiles, url: str | None) -> Step:
    """Write the URL that is told; without one, make role and database here."""

    def look() -> Finding:
        fault = files.fault_of_url(NAME, url)
        if fault is not None:
            return finding.wrong("database", fault, "`syros-manage setup` makes it so")
        shown = sa.make_url(files.read(NAME) or "").render_as_string(hide_password=True)
        return finding.well("database", shown)

    def make() -> str:
        if url is not None:
            files.write(NAME, url)
            return f"wrote {files.folder / NAME}"
        password = secrets.token_hex(24)
        # a role that is there without its password being known here is of an earlier try, or of another installation
        there = tool.run([*_PSQL, "-c", _IS_DATABASE], remedy=REMEDY)
        if there.strip():
            raise Undone(
                f"PostgreSQL has a database {_ROLE} already", "drop it, or give its URL with --database-url-file"
            )
        role = tool.run([*_PSQL, "-c", _IS_ROLE], remedy=REMEDY)
        verb = "ALTER" if role.strip() else "CREATE"
        files.write(NAME, f"postgresql+psycopg2://{_ROLE}:{password}@127.0.0.1/{_ROLE}")
        try:
            orders = f"{verb} ROLE {_ROLE} LOGIN PASSWORD '{password}';\nCREATE DATABASE {_ROLE} OWNER {_ROLE};\n"
            tool.run([*_PSQL, "-f", "-"], told=orders, remedy=REMEDY)
        except Undone:
            (files.folder / NAME).unlink()
            raise
        return f"made role and database {_ROLE}"

    return Step("database", look, make)


def schema_step(context: Context, files: SecretFiles) -> Step:
    """Bring the schema to this program's version, in the database that the configuration names."""

    def look() -> Finding:
        if not is_read(context, files):
            return finding.wrong("schema", _UNREAD, _READ)
        silence = why_silent(context)
        if silence is not None:
            return finding.wrong("schema", silence, _DOWN)
        return version(context)

    def make() -> str:
        if not is_read(context, files):
            raise Undone(_UNREAD, _READ)
        silence = why_silent(context)
        if silence is not None:
            raise Undone(silence, _DOWN)
        if schema.standing(context.sessions.engine).ahead:
            found = version(context)
            raise Undone(found.detail, found.remedy)
        schema.upgrade(context.sessions.engine)
        return f"brought it to {schema.head()}"

    return Step("schema", look, make)


def version(context: Context) -> Finding:
    """Compare the schema with this program's; the database has to be there."""
    found = schema.standing(context.sessions.engine)
    if found.ahead:
        text = f"{found.found} is of a later program than this, whose is {found.wanted}"
        return finding.wrong("schema", text, "upgrade the packages here to those of the other hosts")
    if found.behind:
        return finding.wrong("schema", f"{found.found or 'none'}; this program's is {found.wanted}", UPGRADE)
    return finding.well("schema", str(found.found))


def is_read(context: Context, files: SecretFiles) -> bool:
    """Tell whether the configuration has the URL that is in the file. Nothing is opened for it."""
    try:
        return context.config.section("database", config.Database).url == files.read(NAME)
    except config.ConfigError:
        return False


def why_silent(context: Context) -> str | None:
    """Say why the database does not answer, without secrets; None if it does."""
    try:
        with context.sessions.read() as db:
            db.execute(sa.select(1))
    except sa.exc.SQLAlchemyError as err:
        return failures.explain(err, None)[0]
    return None
