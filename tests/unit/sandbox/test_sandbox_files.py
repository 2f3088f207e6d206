"""What the sandbox keeps: secrets made once, clouds.yaml and syros.toml, all for their owner alone."""

from pathlib import Path

from cloud import accounts, flavors, images
from cloud.console_settings import ConsoleSettings
from cloud.context import Caller, Cloud
from cloud.settings import CloudSettings
from common import clouds, config
from db import schema
from db.images import Filter
from db.sessions import Sessions
from db.users import Role
from sandbox import manage_config, secrets, seed


def test_secrets_are_made_once_and_read_back(tmp_path: Path) -> None:
    first = secrets.load(tmp_path)

    assert secrets.load(tmp_path) == first
    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600


def test_clouds_yaml_is_for_its_owner_alone_and_names_every_login(tmp_path: Path) -> None:
    path = tmp_path / "clouds.yaml"
    login = clouds.Login(cloud="syros", user="demo", project="demo", password='p"w')

    clouds.write(path, auth_url="http://127.0.0.1:8774/identity/v3", logins=(login,))

    assert path.stat().st_mode & 0o777 == 0o600
    text = path.read_text()
    assert "  syros:" in text
    assert 'password: "p\\"w"' in text


def test_the_operators_configuration_names_the_database_the_key_and_the_console_proxy(tmp_path: Path) -> None:
    path = tmp_path / "syros.toml"

    manage_config.write(
        path,
        database_url="sqlite:////srv/var/syros.db",
        key="k=",
        images=tmp_path / "images",
        proxy="127.0.0.1:24999",
        proxy_token='t"',
    )

    assert path.stat().st_mode & 0o777 == 0o600
    written = config.Config.read(path, {})
    assert written.section("database", config.Database).url == "sqlite:////srv/var/syros.db"
    assert written.section("secrets", config.Secrets).key == "k="
    console = written.section("console", ConsoleSettings)
    assert (console.proxies, console.proxy_token, console.plain_proxies) == (("127.0.0.1:24999",), 't"', True)


def test_seeding_twice_changes_nothing(tmp_path: Path) -> None:
    sessions = Sessions(config.Database(url=f"sqlite:///{tmp_path}/syros.db"))
    schema.upgrade(sessions.engine)
    cloud = Cloud(sessions, CloudSettings())

    seed.seed(cloud, demo_password="demo-secret", admin_password="admin-secret")
    before = _inventory(cloud)
    seed.seed(cloud, demo_password="demo-secret", admin_password="admin-secret")

    assert _inventory(cloud) == before
    assert len(before[1]) == len(seed.FLAVORS)
    sessions.close()


def _inventory(cloud: Cloud) -> tuple[list[str], list[str], list[str]]:
    admin = accounts.user(cloud, "admin")
    caller = Caller(
        user_id=admin.id,
        user_name=admin.name,
        project_id=accounts.project(cloud, "admin").id,
        project_name="admin",
        roles=(Role.ADMIN,),
        request_id="req-0",
    )
    return (
        [user.id for user in accounts.all_users(cloud)],
        [flavor.id for flavor in flavors.page(cloud, caller, limit=100)],
        [image.id for image in images.page(cloud, caller, Filter(), limit=100)],
    )
