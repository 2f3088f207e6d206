"""What a server is made of: a backend with room, two flavors, two images; and ways to make servers and move them on."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import flask
import pytest

from apiserver.app import create_app
from apiserver.settings import ApiSettings
from cloud import flavors, images
from cloud.context import Cloud
from cloud.flavors import FlavorSpec
from cloud.images import ImageSpec
from cloud.settings import CloudSettings
from cloud.vault import Vault, new_key
from common import config
from db import instances
from db.backends import Backend
from db.images import Visibility
from db.instances import Instance, State, Task
from db.sessions import Sessions
from tests.support import networks
from tests.unit.apiserver.asking import Asking
from tests.unit.apiserver.compute.endings import end_jobs
from tests.unit.apiserver.conftest import Clock

MakeServer = Callable[..., str]
Become = Callable[..., None]


@dataclass(frozen=True)
class Standing:
    """What all of these tests share, since making it takes longer than most of them: the app, and logins to it."""

    #: where the app's database is, and what it is at the start of each test
    path: Path
    template: Path
    sessions: Sessions
    clock: Clock
    app: flask.Flask
    #: the app's own, which has the key
    cloud: Cloud
    tokens: dict[str, str]


@pytest.fixture(scope="session")
def standing(populated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    template = tmp_path_factory.mktemp("compute") / "template.db"
    path = tmp_path_factory.mktemp("compute") / "syros.db"
    shutil.copy(populated, path)
    sessions, clock = Sessions(config.Database(url=f"sqlite:///{path}")), Clock()
    rules = CloudSettings(guest_url="https://cloud.example:8774")
    cloud = Cloud(sessions, rules, clock=clock, vault=Vault(config.Secrets(key=new_key())))
    settings = ApiSettings(public_url="http://cloud.example:8774")
    app = create_app(cloud, settings, bus_ready=lambda: True)
    anyone = Asking(app.test_client())
    tokens = {user: anyone.as_user(user).token or "" for user in ("demo", "stranger", "admin")}
    furnish(cloud)
    sessions.close()
    shutil.copy(path, template)
    yield Standing(path, template, sessions, clock, app, cloud, tokens)
    sessions.close()


@pytest.fixture
def sessions(standing: Standing) -> Iterator[Sessions]:
    """The database as it was in the beginning, whatever the test before made of it."""
    shutil.copy(standing.template, standing.path)
    yield standing.sessions
    standing.sessions.close()
    for left in standing.path.parent.iterdir():
        left.unlink()


@pytest.fixture
def clock(standing: Standing) -> Clock:
    standing.clock.now = Clock().now
    return standing.clock


@pytest.fixture
def app(standing: Standing, cloud: Cloud) -> flask.Flask:
    """The app, once the cloud is as the tests expect it."""
    return standing.app


@pytest.fixture
def demo(anyone: Asking, standing: Standing) -> Asking:
    return Asking(anyone.client, standing.tokens["demo"])


@pytest.fixture
def stranger(anyone: Asking, standing: Standing) -> Asking:
    return Asking(anyone.client, standing.tokens["stranger"])


@pytest.fixture
def admin(anyone: Asking, standing: Standing) -> Asking:
    return Asking(anyone.client, standing.tokens["admin"])


def furnish(cloud: Cloud) -> None:
    """Give it a backend, flavors `1` and `2` (too big for its quota when doubled) and a hidden one."""
    with cloud.sessions.begin() as db:
        db.add(
            Backend(
                name="main",
                cluster="11111111-1111-4111-8111-111111111111",
                rapi_urls=["https://127.0.0.1:5080"],
                rapi_user="syros",
                rapi_password="sealed",
                prefix="syros-",
                disk_template="plain",
                hypervisor="kvm",
                os="syros+default",
                memory_total=10**6,
                memory_free=10**6,
                memory_largest=10**6,
                disk_total=10**8,
                disk_free=10**8,
                disk_largest=10**8,
                cpus=64,
                nodes=3,
                refreshed_at=cloud.clock(),
                created_at=cloud.clock(),
            )
        )
    flavors.add(cloud, FlavorSpec(id="1", name="m1.tiny", vcpus=1, ram=512, disk=1))
    flavors.add(cloud, FlavorSpec(id="2", name="m1.small", vcpus=2, ram=2048, disk=20))
    flavors.add(cloud, FlavorSpec(id="9", name="m1.secret", vcpus=1, ram=512, disk=1, public=False))


@pytest.fixture
def image(cloud: Cloud) -> str:
    """The id of an image that everybody may use."""
    spec = ImageSpec(name="debian-12", file="debian-12.raw", size=1000, properties={"os": "debian", "id": "spoof"})
    return images.add(cloud, spec).id


@pytest.fixture
def private_image(cloud: Cloud, demo: Asking) -> str:
    """The id of an image of demo's project."""
    project = demo.get("/identity/v3/auth/projects").json["projects"][0]["id"]
    spec = ImageSpec(
        name="mine", file="mine.raw", visibility=Visibility.PRIVATE, project_id=project, min_ram=1024, min_disk=5
    )
    return images.add(cloud, spec).id


@pytest.fixture
def make(demo: Asking, image: str) -> MakeServer:
    """Create a server as demo, or as another; gives its id."""

    def create(name: str = "web", *, by: Asking = demo, **members: object) -> str:
        server = {"name": name, "imageRef": image, "flavorRef": "1", **members}
        answer = by.post("/compute/v2.1/servers", {"server": server})
        assert answer.status_code == 202, answer.text
        return str(answer.json["server"]["id"])

    return create


@pytest.fixture
def become(cloud: Cloud) -> Become:
    """Put a server into a state, as if Ganeti had said so."""

    def change(server: str, state: State, task: Task | None = None, **columns: object) -> None:
        with cloud.sessions.begin() as db:
            instance = instances.get(db, server)
            assert isinstance(instance, Instance)
            instance.state, instance.task = state, task
            for name, value in columns.items():
                setattr(instance, name, value)

    return change


@pytest.fixture
def active(make: MakeServer, become: Become) -> str:
    """The id of a server that runs."""
    server = make()
    become(server, State.ACTIVE)
    return server


@pytest.fixture
def outside(cloud: Cloud) -> str:
    """An external network, which floating IPs are taken of."""
    return networks.add(cloud, "203.0.113.0/29", name="outside", external=True)


@pytest.fixture
def server(cloud: Cloud, make: MakeServer, become: Become) -> str:
    """The id of a server that runs, in a network that is not external."""
    network = networks.add(cloud, "10.0.0.0/24", name="inside")
    made = make(networks=[{"uuid": network}])
    end_jobs(cloud, made)
    become(made, State.ACTIVE)
    return made
