"""Instances, jobs and the story of a request, on a simulated cluster."""

from pathlib import Path

from cloud import images, instances
from cloud.requests import Answered, record
from common import names
from db import nodes
from gntsim.server import Simulator
from tests.unit.manage.conftest import Tenancy
from tests.unit.seriald.fakes import TOKEN, Daemon


def test_instances_of_all_projects_are_listed_with_where_they_are(tenancy: Tenancy) -> None:
    made = tenancy.create("web")
    tenancy.settle()

    (shown,) = tenancy.operator.json("instance", "list")

    assert shown["id"] == made.id
    assert (shown["name"], shown["project"], shown["user"]) == ("web", "acme", "ann")
    assert (shown["backend"], shown["ganeti_name"]) == ("lab", made.ganeti_name)
    assert (shown["state"], shown["task"], shown["flavor"]) == ("active", None, "m1.tiny")
    assert shown["node"].startswith("node")


def test_lists_are_narrowed(tenancy: Tenancy) -> None:
    tenancy.create("web")
    tenancy.create("mail")

    def listed(*more: str) -> list[str]:
        return [row["name"] for row in tenancy.operator.json("instance", "list", *more)]

    assert listed("--name", "^we") == ["web"]
    assert listed("--backend", "lab", "--project", "acme", "--user", "ann") == ["mail", "web"]
    assert listed("--state", "active") == []
    assert len(listed("--state", "building")) == 2
    tenancy.operator.run("instance", "list", "--backend", "other", code=1)


def test_a_long_list_says_where_it_goes_on(tenancy: Tenancy) -> None:
    tenancy.create("first")
    last = tenancy.create("last")

    answer = tenancy.operator.run("instance", "list", "--limit", "1", "--format", "json")

    assert [row["name"] for row in answer.json] == ["last"]
    assert f"--marker {last.id}" in answer.err
    (rest,) = tenancy.operator.json("instance", "list", "--marker", last.id)
    assert rest["name"] == "first"


def test_an_instance_is_shown_by_either_name_with_its_jobs_even_when_gone(tenancy: Tenancy) -> None:
    made = tenancy.create()
    tenancy.settle()
    instances.delete(tenancy.operator.cloud, tenancy.caller(), made.id)
    tenancy.settle()

    shown = tenancy.operator.json("instance", "show", made.ganeti_name)

    assert shown == tenancy.operator.json("instance", "show", made.id)
    assert shown["state"] == "deleted"
    assert [job["action"] for job in shown["jobs"]] == ["delete", "create"]
    assert tenancy.operator.json("instance", "list") == []
    assert len(tenancy.operator.json("instance", "list", "--deleted")) == 1
    tenancy.operator.run("instance", "show", names.new_id(), code=1)


def test_an_instance_is_a_readable_page_too(tenancy: Tenancy) -> None:
    made = tenancy.create()
    tenancy.settle()

    page = tenancy.operator.run("instance", "show", made.id).out

    assert f"ganeti_name\t{made.ganeti_name}" in page
    assert "OP_INSTANCE_CREATE" not in page
    assert "\njobs\n" in page


def test_jobs_are_found_by_our_number_and_by_ganetis(tenancy: Tenancy) -> None:
    made = tenancy.create()
    tenancy.settle()

    (job,) = tenancy.operator.json("job", "list", "--instance", made.id)

    assert (job["action"], job["status"], job["backend"]) == ("create", "success", "lab")
    assert tenancy.operator.json("job", "show", str(job["id"])) == job
    assert tenancy.operator.json("job", "show", f"lab/{job['ganeti_id']}") == job
    assert tenancy.operator.json("job", "list", "--request", job["request_id"]) == [job]
    tenancy.operator.run("job", "show", "lab/999999", code=1)
    tenancy.operator.run("job", "show", "seven", code=2)


def test_open_jobs_are_those_that_have_not_ended(tenancy: Tenancy) -> None:
    tenancy.create("done")
    tenancy.settle()
    waiting = tenancy.create("waiting")

    (job,) = tenancy.operator.json("job", "list", "--open", "--backend", "lab")

    assert (job["instance_id"], job["status"]) == (waiting.id, "submitting")


def test_the_story_of_a_click_goes_from_http_to_the_row_in_order_of_time(tenancy: Tenancy) -> None:
    caller = tenancy.caller()
    made = tenancy.create(caller=caller)
    record(
        tenancy.operator.cloud,
        Answered(
            request_id=caller.request_id,
            method="POST",
            path="/compute/v2.1/servers",
            status=202,
            milliseconds=5000,  # the create was within that time, however slow the machine
            user_id=caller.user_id,
            project_id=caller.project_id,
        ),
    )
    tenancy.settle()

    told = tenancy.operator.json("request", "show", caller.request_id)

    assert (told["method"], told["path"], told["status"]) == ("POST", "/compute/v2.1/servers", 202)
    assert (told["user"], told["project"]) == ("ann", "acme")
    events = [(line["source"], line["event"]) for line in told["story"]]
    assert {"api", "job", "ganeti", "instance"} == {source for source, _ in events}
    times = [line["at"] for line in told["story"]]
    assert times == sorted(times)
    order = [
        ("api", "asked"), ("job", "wanted"), ("api", "answered"), ("ganeti", "queued"), ("ganeti", "started"),
        ("ganeti", "op success"), ("job", "ended: success"),
    ]  # fmt: skip
    assert [event for event in events if event in order] == order
    assert [row["id"] for row in told["instances"]] == [made.id]
    assert told["instances"][0]["state"] == "active"
    assert told["jobs"][0]["ganeti_id"] is not None


def test_a_failed_create_tells_ganetis_own_words_and_the_cleanup(tenancy: Tenancy, simulator: Simulator) -> None:
    simulator.knobs.fail("os", "OP_INSTANCE_CREATE", message="no such image")
    caller = tenancy.caller()
    image = images.add(tenancy.operator.cloud, images.ImageSpec(name="debian", file="debian.img"))
    made = tenancy.create(caller=caller, image_id=image.id)
    tenancy.settle()
    tenancy.settle()

    told = tenancy.operator.json("request", "show", caller.request_id)

    assert [(job["action"], job["status"]) for job in told["jobs"]] == [("create", "error"), ("cleanup", "success")]
    assert [job["instance_id"] for job in told["jobs"]] == [made.id, made.id]
    assert any(line["source"] == "ganeti" and "no such image" in line["text"] for line in told["story"])
    assert any(line["source"] == "instance" and line["event"] == "fault" for line in told["story"])


def test_a_cluster_that_can_not_be_asked_leaves_the_rest_of_the_story(tenancy: Tenancy) -> None:
    caller = tenancy.caller()
    tenancy.create(caller=caller)
    tenancy.settle()
    tenancy.operator.run("backend", "move", "lab", "--rapi-url", "https://127.0.0.1:1")

    answer = tenancy.operator.run("request", "show", caller.request_id, "--format", "json")

    assert "backend lab could not be asked" in answer.err
    assert {line["source"] for line in answer.json["story"]} == {"job", "instance"}
    silent = tenancy.operator.run("request", "show", caller.request_id, "--no-ganeti")
    assert silent.err == ""


def test_an_unknown_request_is_code_1_and_no_request_id_code_2(tenancy: Tenancy) -> None:
    tenancy.operator.run("request", "show", names.new_request_id(), code=1)
    tenancy.operator.run("request", "show", "req-1", code=2)


def test_an_operator_reads_what_a_guest_printed_from_the_node_it_is_on(tenancy: Tenancy, tmp_path: Path) -> None:
    made = tenancy.create()
    tenancy.settle()
    operator = tenancy.operator
    node = Daemon(tmp_path, prefix="")
    with operator.sessions.begin() as db:
        for row in nodes.all_nodes(db):
            row.ip = "127.0.0.1"
    (node.state / f"{made.ganeti_name}.log").write_bytes(b"boot\nlogin: ")
    operator.environ |= {
        "SYROS_CONSOLE_TOKEN": TOKEN,
        "SYROS_CONSOLE_PORT": str(node.seriald.port),
        "SYROS_CONSOLE_PLAIN_HTTP": "yes",
    }

    assert operator.run("instance", "console-log", made.ganeti_name).out == "boot\nlogin: \n"
    assert operator.run("instance", "console-log", made.id, "--lines", "1").out == "login: \n"
    node.stop()
    assert "does not answer" in operator.run("instance", "console-log", made.id, code=3).err


def test_console_logs_need_what_the_nodes_are_shown(tenancy: Tenancy) -> None:
    made = tenancy.create()
    assert "[console] token" in tenancy.operator.run("instance", "console-log", made.id, code=2).err
