"""What an API server of a test's own is given: a database with a user in it, and a configuration."""

from pathlib import Path

from cloud import accounts
from cloud.context import Cloud
from cloud.settings import CloudSettings
from common import config
from db import schema
from db.sessions import Sessions
from db.users import Role


def fill(url: str) -> None:
    """Have the schema in an empty database, and the user `demo`, whose password is demo-secret."""
    sessions = Sessions(config.Database(url=url))
    schema.upgrade(sessions.engine)
    cloud = Cloud(sessions, CloudSettings())
    accounts.add_project(cloud, "demo")
    accounts.add_user(cloud, "demo", password="demo-secret", default_project="demo")
    accounts.grant(cloud, user="demo", project="demo", role=Role.MEMBER)
    sessions.close()


def configure(file: Path, url: str, *, key: str, port: int, workers: int = 1, more: str = "") -> None:
    """Write a configuration, with more of [api]; its broker is away."""
    file.write_text(
        f'[database]\nurl = "{url}"\n[bus]\nurl = "amqp://127.0.0.1:1/"\n'
        f'[secrets]\nkey = "{key}"\n[api]\nport = {port}\nworkers = {workers}\n{more}'
    )
