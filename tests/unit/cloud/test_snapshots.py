"""Snapshots: three jobs, a token that is worth one upload, and an image that ends whatever becomes of them."""

from __future__ import annotations

import dataclasses
import io
import logging
from datetime import timedelta
from pathlib import Path

import pytest

from cloud import image_changes, image_copies, image_importer, image_uploads, snapshots, sweeper
from cloud.image_settings import ImageSettings
from cloud.settings import CloudSettings
from cloud.snapshots import SnapshotSpec
from cloud.states import Action
from common.errors import Busy, Conflict, Forbidden, Gone, Invalid, NotFound, QuotaExceeded, Unauthorized
from common.jobs import JobStatus, Opcode
from db import image_copies as copy_rows
from db import images
from db import jobs as job_rows
from db.images import DiskFormat, Image, ImageStatus, Visibility
from db.instances import State, Task
from db.sessions import Sessions
from tests.support import clouds, ganeti
from tests.support.clouds import World
from tests.unit.apiserver.image.storing import RAW, qcow2

URL = "https://api.example:8774"


@pytest.fixture
def world(sessions: Sessions, tmp_path: Path) -> World:
    made = clouds.world(sessions, settings=CloudSettings(guest_url=URL))
    rules = ImageSettings(store=tmp_path / "store", keep_free=0.0)
    made.cloud = dataclasses.replace(made.cloud, images=rules, vault=made.vault)
    return made


@pytest.fixture
def stopped(world: World) -> str:
    """A server that an image can be made of."""
    instance_id = world.active()
    world.act(instance_id, Action.STOP)
    world.finish(instance_id)
    return instance_id


def begin(world: World, instance_id: str, **properties: str) -> str:
    spec = SnapshotSpec("made", properties)
    return snapshots.begin(world.cloud, world.fresh(), instance_id, spec).id


def image_of(world: World, image_id: str) -> Image:
    with world.cloud.sessions.read() as db:
        found = images.get(db, image_id)
    assert found is not None
    return found


def token_of(world: World, instance_id: str) -> str:
    """What Ganeti was told last to have the copy show."""
    return world.rapi.osparams[world.instance(instance_id).ganeti_name]["image_token"]


def copying(world: World, instance_id: str) -> str:
    """Have the copy begin; give its token."""
    world.finish(instance_id)
    token = token_of(world, instance_id)
    world.submit()
    return token


def send(world: World, token: str, image_id: str, data: bytes = RAW, *, form: DiskFormat = DiskFormat.RAW) -> None:
    image_copies.receive(world.cloud, token, image_id, io.BytesIO(data), form=form, length=len(data))


def steps(world: World, instance_id: str) -> list[tuple[str, JobStatus]]:
    return [(job.opcode, job.status) for job in reversed(world.jobs(instance_id)) if job.action == Action.CREATE_IMAGE]


def test_the_image_is_there_at_once_and_says_what_it_is_made_of(world: World, stopped: str) -> None:
    image = image_of(world, begin(world, stopped, os="debian", instance_uuid="faked"))
    assert (image.status, image.server_id, image.visibility) == (ImageStatus.SAVING, stopped, Visibility.PRIVATE)
    assert (image.project_id, image.min_disk, image.min_ram) == (world.project.id, world.flavor.disk, 0)
    assert image.properties == {
        "image_type": "snapshot",
        "instance_uuid": stopped,
        "base_image_ref": world.image.id,
        "user_id": world.user.id,
        "os": "debian",
    }


def test_the_server_stays_stopped_and_is_busy_until_the_token_is_off_again(world: World, stopped: str) -> None:
    image_id = begin(world, stopped)
    seen = [(world.instance(stopped).state, world.instance(stopped).task)]
    token = copying(world, stopped)
    seen.append((world.instance(stopped).state, world.instance(stopped).task))
    send(world, token, image_id)
    world.finish(stopped)
    seen.append((world.instance(stopped).state, world.instance(stopped).task))
    world.finish(stopped)
    assert seen == [(State.STOPPED, Task.IMAGING)] * 3
    assert (world.instance(stopped).state, world.instance(stopped).task) == (State.STOPPED, None)
    assert [opcode for opcode, _ in steps(world, stopped)] == [Opcode.SET_PARAMS, Opcode.EXPORT, Opcode.SET_PARAMS]
    assert token_of(world, stopped) == ""


def test_ganeti_is_told_where_to_send_it_and_copies_nowhere_else(world: World, stopped: str) -> None:
    image_id = begin(world, stopped)
    token = copying(world, stopped)
    name = world.instance(stopped).ganeti_name
    assert world.rapi.osparams[name]["image_url"] == f"{URL}/guest/v1/images/{image_id}"
    assert len(token) >= 40
    assert world.rapi.exported == [(name, "node1")]


def test_a_raw_copy_is_an_image_at_once_and_stays_one_when_the_job_ends(world: World, stopped: str) -> None:
    image_id = begin(world, stopped)
    send(world, copying(world, stopped), image_id)
    assert (image_of(world, image_id).status, image_of(world, image_id).size) == (ImageStatus.ACTIVE, len(RAW))
    world.run_out(stopped)
    assert image_of(world, image_id).status is ImageStatus.ACTIVE


def test_a_qcow2_waits_for_the_importer_whatever_the_job_says_meanwhile(world: World, stopped: str) -> None:
    image_id = begin(world, stopped)
    send(world, copying(world, stopped), image_id, qcow2(), form=DiskFormat.QCOW2)
    world.run_out(stopped)
    assert image_of(world, image_id).status is ImageStatus.IMPORTING


def test_a_token_is_worth_one_upload(world: World, stopped: str) -> None:
    image_id = begin(world, stopped)
    token = copying(world, stopped)
    send(world, token, image_id)
    with pytest.raises(Gone, match="has been used"):
        send(world, token, image_id, b"other" * 200)
    assert image_of(world, image_id).size == len(RAW)


def test_a_token_is_of_one_image_and_of_nobody_else(world: World, stopped: str) -> None:
    image_id = begin(world, stopped)
    token = copying(world, stopped)
    other = image_changes.create(world.cloud, world.fresh(), image_changes.NewImage(name="other"))
    for shown, target in ((token, other.id), ("of-nobody", image_id), ("", image_id)):
        with pytest.raises(Unauthorized):
            send(world, shown, target)
    assert image_of(world, other.id).status is ImageStatus.QUEUED
    send(world, token, image_id)


def test_a_token_is_worth_nothing_after_its_job(world: World, stopped: str) -> None:
    image_id = begin(world, stopped)
    token = copying(world, stopped)
    world.run_out(stopped)
    with pytest.raises(Unauthorized):
        send(world, token, image_id)
    with world.cloud.sessions.read() as db:
        assert copy_rows.get(db, image_id) is None


def test_parameters_that_are_sent_again_void_the_token_sent_before(world: World, stopped: str) -> None:
    image_id = begin(world, stopped)
    first = image_copies.issue(world.cloud, image_id)
    token = copying(world, stopped)
    assert first is not None
    with pytest.raises(Unauthorized):
        send(world, first.token, image_id)
    send(world, token, image_id)


def test_the_last_step_is_not_taken_for_the_first_when_nobody_knows_whether_it_was_sent(
    world: World, stopped: str
) -> None:
    begin(world, stopped)
    world.finish(stopped)
    world.finish(stopped)
    with world.cloud.sessions.begin() as db:
        last = job_rows.lock(db, world.jobs(stopped)[0].id)
        assert last is not None
        last.attempts = 1
    world.run_out(stopped)
    first, _, last = reversed(world.jobs(stopped)[:3])
    assert (first.opcode, last.opcode) == (Opcode.SET_PARAMS, Opcode.SET_PARAMS)
    assert first.ganeti_id != last.ganeti_id
    assert token_of(world, stopped) == ""


def test_a_last_step_whose_answer_was_lost_is_found_and_not_sent_twice(world: World, stopped: str) -> None:
    begin(world, stopped)
    world.finish(stopped)
    world.finish(stopped)
    world.rapi.lose_replies = 1
    world.submit()
    world.clock.tick(600)
    world.run_out(stopped)
    assert [method for method, _, _ in world.rapi.calls].count("modify") == 2


def test_neither_a_row_nor_a_log_has_the_token(world: World, stopped: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    image_id = begin(world, stopped)
    token = copying(world, stopped)
    send(world, token, image_id)
    with pytest.raises(Gone):
        send(world, token, image_id)
    with world.cloud.sessions.read() as db:
        stored = repr([job.__dict__ for job in world.jobs(stopped)]) + repr(copy_rows.get(db, image_id).__dict__)
    assert token not in stored
    assert token not in repr([record.__dict__ for record in caplog.records])


@pytest.mark.parametrize("end", ["failed", "canceled", "ok"])
def test_an_export_that_brings_nothing_ends_the_image_and_the_task(world: World, stopped: str, end: str) -> None:
    image_id = begin(world, stopped)
    copying(world, stopped)
    world.finish(stopped, failed=ganeti.error() if end == "failed" else None, canceled=end == "canceled")
    image = image_of(world, image_id)
    assert (image.status, image.size) == (ImageStatus.KILLED, 0)
    assert (
        image.fault
        == {
            "failed": "OP_BACKUP_EXPORT failed: OpExecError",
            "canceled": "OP_BACKUP_EXPORT failed: JobCanceled",
            "ok": "the copy ended without a file",
        }[end]
    )
    world.run_out(stopped)
    assert (world.instance(stopped).state, world.instance(stopped).task) == (State.STOPPED, None)
    assert token_of(world, stopped) == ""


def test_an_instance_that_can_not_be_told_is_not_exported(world: World, stopped: str) -> None:
    image_id = begin(world, stopped)
    world.finish(stopped, failed=ganeti.error())
    world.run_out(stopped)
    assert [status for _, status in steps(world, stopped)] == [
        JobStatus.ERROR,
        JobStatus.CANCELED,
        JobStatus.SUCCESS,
    ]
    assert image_of(world, image_id).fault == "OP_INSTANCE_SET_PARAMS failed: OpExecError"
    assert world.rapi.exported == []
    assert world.instance(stopped).task is None


def test_a_refused_export_ends_the_image(world: World, stopped: str) -> None:
    image_id = begin(world, stopped)
    world.finish(stopped)
    world.rapi.refusals = [ganeti.refused(reason="no such node")]
    world.submit()
    assert image_of(world, image_id).status is ImageStatus.KILLED
    world.run_out(stopped)
    assert world.instance(stopped).task is None


def test_an_export_that_ganeti_has_forgotten_ends_the_image(world: World, stopped: str) -> None:
    image_id = begin(world, stopped)
    copying(world, stopped)
    world.rapi.forget(max(world.rapi.jobs))
    world.clock.tick(600)
    sweeper.settle_silent_jobs(world.cloud, world.clients, world.known_backend(), patience=timedelta(seconds=60))
    assert image_of(world, image_id).status is ImageStatus.KILLED


def test_a_file_that_is_refused_ends_the_image_with_the_reason(world: World, stopped: str) -> None:
    image_id = begin(world, stopped)
    with pytest.raises(Invalid):
        send(world, copying(world, stopped), image_id, RAW, form=DiskFormat.QCOW2)
    image = image_of(world, image_id)
    assert image.status is ImageStatus.KILLED
    assert "not qcow2" in str(image.fault)
    world.run_out(stopped)
    assert "not qcow2" in str(image_of(world, image_id).fault)


def test_a_file_beyond_the_projects_quota_ends_the_image_and_takes_nothing_of_it(world: World, stopped: str) -> None:
    image_id = begin(world, stopped)
    token = copying(world, stopped)
    rules = dataclasses.replace(world.cloud.images, quota_size=len(RAW) / 2 / 1024**3)
    world.cloud = dataclasses.replace(world.cloud, images=rules)
    with pytest.raises(QuotaExceeded):
        send(world, token, image_id)
    with world.cloud.sessions.begin() as db:
        assert images.owned(db, world.project.id) == (1, 0)
    assert image_of(world, image_id).status is ImageStatus.KILLED


def test_an_admins_image_is_the_admins_and_without_limits(world: World, stopped: str) -> None:
    rules = dataclasses.replace(world.cloud.images, quota_images=0, quota_size=0)
    world.cloud = dataclasses.replace(world.cloud, images=rules)
    admin = world.stranger_caller(roles=(clouds.Role.ADMIN,))
    image_id = snapshots.begin(world.cloud, admin, stopped, SnapshotSpec("made")).id
    send(world, copying(world, stopped), image_id)
    assert (image_of(world, image_id).status, image_of(world, image_id).project_id) == (
        ImageStatus.ACTIVE,
        admin.project_id,
    )


class _Breaking(io.BytesIO):
    def read(self, size: int | None = -1, /) -> bytes:
        raise Invalid("the upload ended before its end")


def test_an_upload_that_breaks_ends_the_image(world: World, stopped: str) -> None:
    image_id = begin(world, stopped)
    token = copying(world, stopped)
    with pytest.raises(Invalid):
        image_copies.receive(world.cloud, token, image_id, _Breaking(), form=DiskFormat.RAW)
    assert image_of(world, image_id).fault == "the upload ended before its end"
    assert list(world.cloud.images.store.iterdir()) == []


def test_an_upload_whose_process_died_ends_the_image_when_its_claim_has_run_out(world: World, stopped: str) -> None:
    image_id = begin(world, stopped)
    copying(world, stopped)
    with world.cloud.sessions.begin() as db:
        image = images.lock(db, image_id)
        assert image is not None
        image.claim, image.claimed_until = "dead", world.clock() - timedelta(seconds=1)
    image_importer.sweep(world.cloud)
    image = image_of(world, image_id)
    assert (image.status, image.fault) == (ImageStatus.KILLED, "the upload was silent for too long")


def test_a_copy_that_waits_for_its_upload_is_nobodys_broken_upload(world: World, stopped: str) -> None:
    image_id = begin(world, stopped)
    world.clock.tick(100_000)
    image_importer.sweep(world.cloud)
    assert image_of(world, image_id).status is ImageStatus.SAVING


def test_its_owner_can_not_give_it_another_file(world: World, stopped: str) -> None:
    image_id = begin(world, stopped)
    with pytest.raises(Conflict):
        image_uploads.receive(world.cloud, world.fresh(), image_id, io.BytesIO(RAW))


def test_an_image_deleted_before_the_copy_began_spares_ganeti_the_work(world: World, stopped: str) -> None:
    image_id = begin(world, stopped)
    image_changes.delete(world.cloud, world.fresh(), image_id)
    world.submit()
    world.run_out(stopped)
    assert world.rapi.exported == []
    assert world.instance(stopped).task is None
    assert image_of(world, image_id).status is ImageStatus.DELETED


def test_an_image_deleted_before_the_export_was_sent_spares_ganeti_the_export(world: World, stopped: str) -> None:
    image_id = begin(world, stopped)
    world.finish(stopped)
    image_changes.delete(world.cloud, world.fresh(), image_id)
    world.submit()
    world.run_out(stopped)
    assert world.rapi.exported == []
    assert world.instance(stopped).task is None


def test_an_image_deleted_while_it_is_copied_takes_nothing_more(world: World, stopped: str) -> None:
    image_id = begin(world, stopped)
    token = copying(world, stopped)
    image_changes.delete(world.cloud, world.fresh(), image_id)
    with pytest.raises(Gone, match="the image is gone"):
        send(world, token, image_id)
    world.run_out(stopped)
    assert image_of(world, image_id).status is ImageStatus.DELETED


def test_a_delete_of_the_server_before_the_copy_was_sent_ends_the_image(world: World, stopped: str) -> None:
    image_id = begin(world, stopped)
    world.delete(stopped)
    image = image_of(world, image_id)
    assert (image.status, image.fault) == (
        ImageStatus.KILLED,
        "the server was deleted before its disk was copied",
    )
    world.run_out(stopped)
    assert world.instance(stopped).state is State.DELETED


def test_a_delete_of_the_server_waits_for_the_copy_under_way_which_still_counts(world: World, stopped: str) -> None:
    image_id = begin(world, stopped)
    token = copying(world, stopped)
    world.delete(stopped)
    assert world.submit() == 0
    send(world, token, image_id)
    world.run_out(stopped)
    assert world.instance(stopped).state is State.DELETED
    assert image_of(world, image_id).status is ImageStatus.ACTIVE


def test_events_that_come_twice_and_late_change_nothing_more(world: World, stopped: str) -> None:
    image_id = begin(world, stopped)
    token = copying(world, stopped)
    export = max(world.rapi.jobs)
    send(world, token, image_id)
    last = world.rapi.finish(export)
    for event in (last, last, world.rapi.event(export)):
        world.deliver(event)
    world.run_out(stopped)
    world.deliver(last)
    assert image_of(world, image_id).status is ImageStatus.ACTIVE
    assert (world.instance(stopped).state, world.instance(stopped).task) == (State.STOPPED, None)


def test_a_running_server_is_to_be_stopped_first(world: World) -> None:
    instance_id = world.active()
    with pytest.raises(Conflict, match="stop it first"):
        begin(world, instance_id)
    assert world.instance(instance_id).task is None


def test_a_second_image_waits_until_the_first_is_made(world: World, stopped: str) -> None:
    begin(world, stopped)
    with pytest.raises(Busy):
        begin(world, stopped)
    with pytest.raises(Busy):
        world.act(stopped, Action.START)


def test_what_can_not_work_here_is_refused(world: World, stopped: str) -> None:
    world.change(stopped, lambda row: setattr(row, "node", None))
    with pytest.raises(Conflict, match="no disk"):
        begin(world, stopped)
    world.cloud = dataclasses.replace(world.cloud, settings=CloudSettings())
    with pytest.raises(Conflict, match="guest_url"):
        begin(world, stopped)


def test_quota_policy_and_ownership_are_asked_as_for_uploads(world: World, stopped: str) -> None:
    with pytest.raises(NotFound):
        snapshots.begin(world.cloud, world.stranger_caller(), stopped, SnapshotSpec("made"))
    with pytest.raises(Forbidden):
        snapshots.begin(world.cloud, world.fresh(roles=(clouds.Role.READER,)), stopped, SnapshotSpec("made"))
    rules = world.cloud.images
    world.cloud = dataclasses.replace(world.cloud, images=dataclasses.replace(rules, uploads="admin"))
    with pytest.raises(Forbidden):
        begin(world, stopped)
    world.cloud = dataclasses.replace(world.cloud, images=dataclasses.replace(rules, quota_images=0))
    with pytest.raises(QuotaExceeded):
        begin(world, stopped)
    assert world.instance(stopped).task is None
