"""The database: on this machine's PostgreSQL, unless its URL is told; and the schema in it."""

from __future__ import annotations

import secrets

import sqlalchemy as sa

from db import schema
from db.sessions import Sessions
from manage.context import Context
from manage.setup import tool
from manage.setup.secret_files import SecretFiles
from manage.setup.step import Found, Step, Undone

NAME = "database-url"
_ROLE = "syros"
_PSQL = ("runuser", "-u", "postgres", "--", "psql", "--no-psqlrc", "--quiet", "-tA", "-v", "ON_ERROR_STOP=1")
_UNREAD = f"the configuration's [database] has another URL: it needs `url_file`, the path of {NAME}"
_IS_DATABASE = "SELECT 1 FROM pg_database WHERE datname = 'syros'"
_IS_ROLE = "SELECT 1 FROM pg_roles WHERE rolname = 'syros'"
REMEDY = "install PostgreSQL here and have it run, or give --database-url-file"


def step(files: SecretFiles, url: str | None) -> Step:
    """Write the URL that is told; without one, make role and database here."""

    def look() -> Found:
        return files.look_at_url(NAME, url, lambda known: sa.make_url(known).render_as_string(hide_password=True))

    def make() -> str:
        if url is not None:
            files.write(NAME, url)
            return f"wrote {files.folder / NAME}"
        password = secrets.token_hex(24)
        # a role that is there without its password being known here is of an earlier try, or of another installation
        there = tool.run([*_PSQL, "-c", _IS_DATABASE], remedy=REMEDY)
        if there.strip():
            raise Undone(
                f"PostgreSQL has a database {_ROLE} already: drop it, or give its URL with --database-url-file"
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

    def look() -> Found:
        sessions: Sessions = context.sessions
        if sessions.url != files.read(NAME):
            return Found(well=False, detail=_UNREAD)
        if not sessions.ready():
            return Found(well=False, detail="the database does not answer")
        current, wanted = schema.current(sessions.engine), schema.head()
        return Found(well=current == wanted, detail=f"{current or 'none'}; this program's is {wanted}")

    def make() -> str:
        if context.sessions.url != files.read(NAME):
            raise Undone(_UNREAD)
        if not context.sessions.ready():
            raise Undone("the database does not answer: have it run, or mend its URL")
        schema.upgrade(context.sessions.engine)
        return f"brought it to {schema.head()}"

    return Step("schema", look, make)
