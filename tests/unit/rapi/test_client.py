import json

import pytest

from rapi import client, errors, specs
from tests.unit.rapi import fake_rapi

SPEC = specs.InstanceSpec(
    name="snf-1",
    memory=256,
    vcpus=1,
    disk_template="file",
    disks=(specs.DiskSpec(1024, name="root"),),
    nics=(specs.NicSpec(network="snf-net-1", ip="pool"),),
    os="syros+default",
    osparams_secret={"token": "tok-dummy"},
    depends=((12, ("success",)),),
)


def sent(server: fake_rapi.FakeRapi) -> object:
    return json.loads(server.last.body)


def test_a_spec_becomes_the_body_that_ganeti_documents(api: client.Client, server: fake_rapi.FakeRapi) -> None:
    assert api.create_instance(SPEC, reason="req-1") == 7
    assert server.last.query == (("reason", "req-1"),)
    assert sent(server) == {
        "__version__": 1,
        "mode": "create",
        "instance_name": "snf-1",
        "disk_template": "file",
        "disks": [{"size": 1024, "name": "root"}],
        "nics": [{"network": "snf-net-1", "ip": "pool"}],
        "beparams": {"maxmem": 256, "minmem": 256, "vcpus": 1},
        "os_type": "syros+default",
        "osparams_secret": {"token": "tok-dummy"},
        "depends": [[12, ["success"]]],
        "start": True,
        "name_check": False,
        "ip_check": False,
        "conflicts_check": False,
    }


def test_the_repr_of_a_spec_shows_no_secret() -> None:
    assert "tok-dummy" not in repr(SPEC)


def test_a_modification_says_whether_to_hotplug_and_never_if_possible(
    api: client.Client, server: fake_rapi.FakeRapi
) -> None:
    api.modify_instance("snf-1", reason="r", hotplug=True, beparams={"vcpus": 2})
    assert sent(server) == {"beparams": {"vcpus": 2}, "conflicts_check": False, "hotplug": True}
    with pytest.raises(TypeError):
        api.modify_instance("snf-1", reason="r", hotplug=True, hotplug_if_possible=True)


def test_a_reinstall_carries_no_reason(api: client.Client, server: fake_rapi.FakeRapi) -> None:
    api.reinstall_instance("snf-1", os="syros+default")
    assert server.last.query == ()
    assert sent(server) == {"os": "syros+default", "start": True}


def test_an_unknown_job_is_none(api: client.Client, server: fake_rapi.FakeRapi) -> None:
    server.reply = fake_rapi.answer({"id": 99999, "ops": None, "status": None})
    assert api.get_job(99999) is None


def test_a_known_job_is_itself(api: client.Client, server: fake_rapi.FakeRapi) -> None:
    server.reply = fake_rapi.answer({"id": 7, "status": "running"})
    assert api.get_job(7) == {"id": 7, "status": "running"}


def test_a_cancellation_is_an_answer_and_its_words(api: client.Client, server: fake_rapi.FakeRapi) -> None:
    server.reply = fake_rapi.answer([False, "Job 7 not found in queue"])
    assert api.cancel_job(7) == (False, "Job 7 not found in queue")


def test_many_jobs_are_one_query_and_unknown_ones_are_left_out(api: client.Client, server: fake_rapi.FakeRapi) -> None:
    server.reply = fake_rapi.answer({"data": [[[0, 7], [0, "success"]], [[0, 8], [2, None]]], "fields": []})
    assert api.query_jobs([7, 8], ["id", "status"]) == [{"id": 7, "status": "success"}]
    assert sent(server) == {"fields": ["id", "status"], "qfilter": ["|", ["=", "id", 7], ["=", "id", 8]]}


def test_a_cell_without_a_value_is_none(api: client.Client, server: fake_rapi.FakeRapi) -> None:
    server.reply = fake_rapi.answer({"data": [[[0, "node1"], [4, None]]], "fields": []})
    assert api.query("node", ["name", "mfree"]) == [{"name": "node1", "mfree": None}]


def test_no_jobs_are_no_query(api: client.Client, server: fake_rapi.FakeRapi) -> None:
    assert api.query_jobs([]) == []
    assert server.requests == []


def test_tags_of_nobodys_naming_are_refused(api: client.Client, server: fake_rapi.FakeRapi) -> None:
    with pytest.raises(errors.RapiRefused):
        api.delete_instance_tags("snf-1", [], reason="r")
    assert server.requests == []


def test_a_nodes_role_goes_as_a_bare_json_text(api: client.Client, server: fake_rapi.FakeRapi) -> None:
    api.set_node_role("node1", "offline", reason="r", force=True)
    assert server.last.query == (("force", "1"), ("reason", "r"))
    assert sent(server) == "offline"
