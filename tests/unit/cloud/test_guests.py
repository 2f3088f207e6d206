"""What guests are given: kept sealed, sent as a token, redeemed once."""

from __future__ import annotations

import base64
import logging
from dataclasses import replace

import pytest
import sqlalchemy as sa

from cloud import creations, guests, keypairs, rebuilds
from cloud.settings import CloudSettings
from common import names
from common.errors import Gone, Invalid, QuotaExceeded, Unauthorized, Unavailable
from db import guest_data
from db.guest_data import GuestData
from db.sessions import Sessions
from rapi.specs import InstanceSpec
from tests.support import clouds
from tests.support.clouds import World

URL = "https://api.example:8774"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJo9WZzqzUEPSSAzlZJQ2mVzmMxVVbBYqVgmxzUUCuUn me"


@pytest.fixture
def world(sessions: Sessions) -> World:
    settings = CloudSettings(guest_url=URL, guest_token_life=600)
    made = clouds.world(sessions, settings=settings)
    made.cloud = replace(made.cloud, vault=made.vault)
    return made


def create(world: World, *, name: str = "web", guest: guests.GuestSpec | None = None, key: str | None = None) -> str:
    spec = creations.CreateSpec(
        name=name,
        flavor_id=world.flavor.id,
        image_id=world.image.id,
        key_name=key,
        metadata={"role": "front"},
        guest=guest or guests.GuestSpec(password="pa55-word"),
    )
    return creations.create(world.cloud, world.fresh(), spec)[0].id


def sent(world: World) -> InstanceSpec:
    """What Ganeti was asked to create last."""
    return world.rapi.created[-1]


def name_of(world: World, instance_id: str) -> str:
    return world.instance(instance_id).ganeti_name


def redeemed(world: World, instance_id: str) -> tuple[str, str]:
    """Begin the deployment of a create as far as its guest's data: its token, and the instance's name in Ganeti."""
    world.submit()
    token, name = sent(world).osparams["guest_token"], name_of(world, instance_id)
    guests.redeem(world.cloud, token, ganeti_name=name)
    return token, name


def row_of(world: World, instance_id: str) -> GuestData | None:
    with world.cloud.sessions.read() as db:
        return guest_data.get(db, instance_id)


def test_the_deployment_is_given_everything_that_was_asked_for(world: World) -> None:
    keypairs.add(world.cloud, world.fresh(), "mine", public_key=KEY)
    guest = guests.GuestSpec(password="pa55-word", user_data=b"#!/bin/sh\n", files=(guests.File("/etc/motd", b"hi"),))
    instance_id = create(world, name="Web 1", guest=guest, key="mine")
    world.submit()

    found = guests.redeem(world.cloud, sent(world).osparams["guest_token"], ganeti_name=name_of(world, instance_id))
    assert found == {
        "instance_id": instance_id,
        "hostname": "web-1",
        "metadata": {"role": "front"},
        "public_keys": [KEY],
        "password": "pa55-word",
        "user_data": base64.b64encode(b"#!/bin/sh\n").decode(),
        "files": [{"path": "/etc/motd", "content": base64.b64encode(b"hi").decode()}],
        "network": None,
    }


def test_ganeti_is_told_a_token_and_where_to_take_it_and_makes_a_disk_for_the_rest(world: World) -> None:
    create(world)
    world.submit()
    spec = sent(world)
    assert spec.osparams["guest_url"] == URL
    assert len(spec.osparams["guest_token"]) >= 40
    assert [(disk.name, disk.size) for disk in spec.disks] == [("root", 10 * 1024), ("seed", guests.SEED_DISK)]
    assert "pa55-word" not in repr(spec.body())


def test_neither_the_database_nor_the_log_has_a_secret_or_the_token(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="cloud")
    instance_id = create(world, guest=guests.GuestSpec(password="pa55-word", user_data=b"secret-of-user"))
    world.submit()
    token = sent(world).osparams["guest_token"]
    guests.redeem(world.cloud, token, ganeti_name=name_of(world, instance_id))
    with pytest.raises(Gone):
        guests.redeem(world.cloud, token, ganeti_name=name_of(world, instance_id))

    with world.cloud.sessions.read() as db:
        tables = [row[0] for row in db.execute(sa.text("SELECT name FROM sqlite_master WHERE type = 'table'"))]
        stored = repr([db.execute(sa.text(f"SELECT * FROM {table}")).all() for table in tables])
    logged = repr([record.__dict__ for record in caplog.records])
    for secret in ("pa55-word", "secret-of-user", base64.b64encode(b"secret-of-user").decode(), token):
        assert secret not in stored
        assert secret not in logged
    assert "guest.token_refused" in caplog.text


def test_a_token_is_worth_one_answer(world: World) -> None:
    instance_id = create(world)
    world.submit()
    token, name = sent(world).osparams["guest_token"], name_of(world, instance_id)
    guests.redeem(world.cloud, token, ganeti_name=name)
    with pytest.raises(Gone, match="has been redeemed"):
        guests.redeem(world.cloud, token, ganeti_name=name)


def test_a_token_of_a_deployment_that_ended_gets_nothing(world: World) -> None:
    instance_id = create(world)
    world.finish(instance_id)
    with pytest.raises(Gone, match="has ended"):
        guests.redeem(world.cloud, sent(world).osparams["guest_token"], ganeti_name=name_of(world, instance_id))


def test_a_token_that_waited_too_long_gets_nothing(world: World) -> None:
    instance_id = create(world)
    world.submit()
    world.clock.tick(601)
    with pytest.raises(Gone, match="has expired"):
        guests.redeem(world.cloud, sent(world).osparams["guest_token"], ganeti_name=name_of(world, instance_id))


def test_a_token_is_of_one_instance(world: World) -> None:
    create(world, name="one")
    world.submit()
    token = sent(world).osparams["guest_token"]
    other = create(world, name="two")
    with pytest.raises(Unauthorized):
        guests.redeem(world.cloud, token, ganeti_name=name_of(world, other))
    with pytest.raises(Unauthorized):
        guests.redeem(world.cloud, "of-nobody", ganeti_name=name_of(world, other))


def test_a_create_that_is_sent_again_voids_the_token_sent_before(world: World) -> None:
    instance_id = create(world)
    first = guests.issue(world.cloud, instance_id=instance_id, job_id=world.jobs(instance_id)[0].id)
    world.submit()
    assert first is not None
    name = name_of(world, instance_id)
    with pytest.raises(Unauthorized):
        guests.redeem(world.cloud, first.token, ganeti_name=name)
    guests.redeem(world.cloud, sent(world).osparams["guest_token"], ganeti_name=name)


def test_a_deployment_tells_how_far_it_is_and_never_goes_back(world: World) -> None:
    instance_id = create(world)
    token, name = redeemed(world, instance_id)
    before = world.instance(instance_id).updated_at
    seen = []
    for percent in (10, 45, 30, 99):
        guests.report(world.cloud, token, ganeti_name=name, percent=percent)
        seen.append(world.instance(instance_id).progress)
    assert seen == [10, 45, 45, 99]
    assert world.instance(instance_id).updated_at == before


def test_the_end_of_the_deployment_ends_its_reports(world: World) -> None:
    instance_id = create(world)
    token, name = redeemed(world, instance_id)
    guests.report(world.cloud, token, ganeti_name=name, percent=50)
    world.finish(instance_id)
    with pytest.raises(Gone, match="has ended"):
        guests.report(world.cloud, token, ganeti_name=name, percent=60)
    assert world.instance(instance_id).progress is None


def test_a_token_that_was_not_redeemed_reports_nothing(world: World) -> None:
    instance_id = create(world)
    world.submit()
    with pytest.raises(Gone, match="not been redeemed"):
        guests.report(
            world.cloud, sent(world).osparams["guest_token"], ganeti_name=name_of(world, instance_id), percent=1
        )
    assert world.instance(instance_id).progress is None


def test_nobody_reports_for_another_instance(world: World) -> None:
    one = create(world, name="one")
    token, _ = redeemed(world, one)
    other = create(world, name="two")
    for shown in (token, "of-nobody"):
        with pytest.raises(Unauthorized):
            guests.report(world.cloud, shown, ganeti_name=name_of(world, other), percent=50)
    assert (world.instance(one).progress, world.instance(other).progress) == (None, None)


def test_a_rebuild_begins_at_nothing_and_its_progress_stays_until_the_server_runs_again(world: World) -> None:
    instance_id = create(world)
    first, name = redeemed(world, instance_id)
    world.finish(instance_id)
    world.look()
    # as a report that crossed the end of its job would have left it
    world.change(instance_id, lambda row: setattr(row, "progress", 100))
    rebuilds.begin(world.cloud, world.fresh(), instance_id, rebuilds.RebuildSpec(image_id=world.image.id))
    assert world.instance(instance_id).progress is None

    world.submit()
    token = world.rapi.osparams[name]["guest_token"]
    guests.redeem(world.cloud, token, ganeti_name=name)
    with pytest.raises(Unauthorized):
        guests.report(world.cloud, first, ganeti_name=name, percent=70)
    guests.report(world.cloud, token, ganeti_name=name, percent=70)
    assert world.instance(instance_id).progress == 70
    world.finish(instance_id)
    assert world.instance(instance_id).progress is None


def test_a_process_without_the_key_gives_nothing_and_spends_nothing(world: World) -> None:
    instance_id = create(world)
    world.submit()
    token, name = sent(world).osparams["guest_token"], name_of(world, instance_id)
    with pytest.raises(Unavailable):
        guests.redeem(replace(world.cloud, vault=None), token, ganeti_name=name)
    guests.redeem(world.cloud, token, ganeti_name=name)


def test_a_rebuild_gives_the_new_disk_the_new_password_and_all_the_rest(world: World) -> None:
    instance_id = create(world, guest=guests.GuestSpec(password="first", user_data=b"data"))
    world.finish(instance_id)
    world.look()
    spec = rebuilds.RebuildSpec(image_id=world.image.id, name="db", password="second")
    rebuilds.begin(world.cloud, world.fresh(), instance_id, spec)
    world.submit()

    token = world.rapi.osparams[name_of(world, instance_id)]["guest_token"]
    found = guests.redeem(world.cloud, token, ganeti_name=name_of(world, instance_id))
    assert (found["hostname"], found["password"]) == ("db", "second")
    assert base64.b64decode(found["user_data"]) == b"data"


@pytest.mark.parametrize(("given", "kept"), [(None, "/old"), ((guests.File("/new", b"x"),), "/new"), ((), None)])
def test_a_rebuilds_files_take_the_place_of_the_creates(
    world: World, given: tuple[guests.File, ...] | None, kept: str | None
) -> None:
    instance_id = create(world, guest=guests.GuestSpec(files=(guests.File("/old", b"x"),)))
    world.finish(instance_id)
    world.look()
    rebuilds.begin(world.cloud, world.fresh(), instance_id, rebuilds.RebuildSpec(world.image.id, files=given))
    world.submit()

    token = world.rapi.osparams[name_of(world, instance_id)]["guest_token"]
    found = guests.redeem(world.cloud, token, ganeti_name=name_of(world, instance_id))
    assert [file["path"] for file in found["files"]] == ([kept] if kept else [])


def test_a_rebuild_takes_no_more_files_than_a_create(world: World) -> None:
    instance_id = create(world)
    world.finish(instance_id)
    world.look()
    files = tuple(guests.File(f"/{number}", b"") for number in range(guests.MOST_FILES + 1))
    with pytest.raises(QuotaExceeded, match="personality"):
        rebuilds.begin(world.cloud, world.fresh(), instance_id, rebuilds.RebuildSpec(world.image.id, files=files))


def test_nothing_is_kept_of_a_server_that_is_gone(world: World) -> None:
    instance_id = create(world)
    world.finish(instance_id)
    world.look()
    assert row_of(world, instance_id) is not None
    world.delete(instance_id)
    world.finish(instance_id)
    assert row_of(world, instance_id) is None


def test_without_a_guest_url_what_only_a_guest_could_be_given_is_refused(world: World) -> None:
    world.cloud = replace(world.cloud, settings=CloudSettings())
    with pytest.raises(Invalid, match="guest_url"):
        create(world, guest=guests.GuestSpec(password="x", insists=True))
    create(world)
    world.submit()
    assert "guest_token" not in sent(world).osparams
    assert [disk.name for disk in sent(world).disks] == ["root"]


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        (guests.GuestSpec(files=tuple(guests.File(f"/{n}", b"") for n in range(6))), QuotaExceeded),
        (guests.GuestSpec(files=(guests.File("/big", bytes(guests.FILE_SIZE + 1)),)), QuotaExceeded),
        (guests.GuestSpec(user_data=bytes(guests.USER_DATA_SIZE + 1)), Invalid),
    ],
)
def test_more_than_a_server_may_be_given_is_refused(
    world: World, spec: guests.GuestSpec, error: type[Exception]
) -> None:
    with pytest.raises(error):
        create(world, guest=spec)


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("web", "web"),
        ("Web 1", "web-1"),
        ("web_1.Example.org", "web-1.example.org"),
        ("--a--", "a"),
        ("café", "cafe"),
        ("日本", "server-12345678"),
        ("...", "server-12345678"),
        ("a" * 70, "a" * 63),
        (".".join(["a" * 63] * 5), "server-12345678"),
    ],
)
def test_a_host_name_is_made_of_what_a_host_name_may_have(name: str, host: str) -> None:
    assert guests.hostname(name, "12345678-" + names.new_id()) == host


def test_no_secret_shows_in_a_repr() -> None:
    spec = guests.GuestSpec(password="pa55", user_data=b"user-secret", files=(guests.File("/x", b"file-secret"),))
    assert not any(secret in repr(spec) for secret in ("pa55", "user-secret", "file-secret"))
    assert "token-secret" not in repr(guests.Ticket(URL, "token-secret"))
