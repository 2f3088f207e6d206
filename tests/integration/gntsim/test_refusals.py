"""The answers that are not 200, and the odd ones that are, as Ganeti gives them."""

from typing import Any

import pytest

from tests.integration.gntsim import conftest


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/2/nothing", 404),
        ("GET", "/2/instances/nope", 404),
        ("GET", "/2/networks/nope", 404),
        ("GET", "/2/nodes/nope", 404),
        ("GET", "/2/groups/nope", 404),
        ("GET", "/2/jobs/abc", 404),
        ("PUT", "/2/networks/nope", 501),
        ("POST", "/2/info", 501),
        ("PUT", "/2/instances", 501),
        ("GET", "/2/instances/nope/console", 500),
        ("GET", "/2/jobs/77/wait", 500),
    ],
)
def test_a_wrong_address_is_refused(sim: conftest.Sim, method: str, path: str, status: int) -> None:
    assert sim.call(method, path).status == status


def test_an_unknown_job_is_200_with_nulls(sim: conftest.Sim) -> None:
    shown = sim.get("/2/jobs/99999")
    assert shown.pop("id") == 99999
    assert set(shown.values()) == {None}


def test_an_error_has_code_message_and_explanation(sim: conftest.Sim) -> None:
    answer = sim.call("GET", "/2/nothing")
    assert answer.body == {"code": 404, "message": "Not Found", "explain": "Nothing matches the given URI"}


def test_a_connection_is_closed_after_each_answer(sim: conftest.Sim) -> None:
    headers = sim.call("GET", "/version").headers
    assert (headers["Connection"], headers["Server"]) == ("close", "Ganeti 3.0.2")


@pytest.mark.parametrize("user", [None, ("syros", "wrong"), ("nobody", "secret")])
def test_a_stranger_is_told_to_authenticate(sim: conftest.Sim, user: tuple[str, str] | None) -> None:
    answer = sim.call("GET", "/2/info", user=user)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="Ganeti Remote API"'


def test_a_reader_may_not_write(sim: conftest.Sim) -> None:
    assert sim.call("PUT", "/2/instances/x/startup", {}, user=conftest.READER).status == 403
    assert sim.call("GET", "/2/jobs/1/wait", {"fields": ["status"]}, user=conftest.READER).status == 403
    assert sim.call("GET", "/2/info", user=conftest.READER).status == 200


def test_a_body_needs_its_type(sim: conftest.Sim) -> None:
    assert sim.call("POST", "/2/instances", raw=b'{"a":1}', kind=None).status == 415
    assert sim.call("PUT", "/2/instances/x/startup", raw=b"a=b", kind="application/x-www-form-urlencoded").status == 415


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{not json", "Unable to parse JSON data"),
        (b"{}", "Instance creation request version 0 is no longer supported"),
        (
            b'{"__version__": 1, "instance_name": "x", "bogus": 1}',
            "Invalid body parameters: Object OpInstanceCreate doesn&#x27;t support the parameter &#x27;bogus&#x27;",
        ),
        (
            b'{"__version__": 1}',
            "Invalid body parameters: (&quot;Parameter &#x27;OP_INSTANCE_CREATE.instance_name&#x27; fails "
            "validation&quot;, &#x27;wrong_input&#x27;)",
        ),
        (
            b'{"__version__": 1, "mode": "create", "instance_name": "x", "disks": "foo", "nics": []}',
            "Invalid body parameters: (&quot;Parameter &#x27;OP_INSTANCE_CREATE.disks&#x27; fails "
            "validation&quot;, &#x27;wrong_input&#x27;)",
        ),
    ],
)
def test_a_bad_creation_is_refused_in_ganetis_words(sim: conftest.Sim, body: bytes, message: str) -> None:
    answer = sim.call("POST", "/2/instances", raw=body)
    assert (answer.status, answer.body["message"]) == (400, message)


def test_an_empty_creation_is_refused(sim: conftest.Sim) -> None:
    answer = sim.call("POST", "/2/instances")
    assert answer.body["message"] == "Body contents: Type is &#x27;NoneType&#x27;, but &#x27;dict&#x27; is expected"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/2/instances/x/modify", {"reason": [["x", "y", 1]]}),
        ("/2/instances/x/shutdown", {"no_remember": True}),
    ],
)
def test_what_the_path_says_cannot_be_overwritten(sim: conftest.Sim, path: str, body: Any) -> None:
    answer = sim.call("PUT", path, body)
    assert answer.status == 400
    assert answer.body["message"].startswith("Can&#x27;t overwrite static parameters")


def test_a_reinstallation_takes_no_reason(sim: conftest.Sim) -> None:
    answer = sim.call("POST", "/2/instances/x/reinstall?reason=r", {"os": "noop+default"})
    assert (answer.status, answer.body["message"]) == (400, "Can&#x27;t combine query and body parameters")


def test_a_node_has_no_role_called_candidate(sim: conftest.Sim) -> None:
    answer = sim.call("PUT", "/2/nodes/node2.gnt.test/role", "candidate")
    assert (answer.status, answer.body["message"]) == (400, "Can&#x27;t set &#x27;candidate&#x27; role")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/2/query/instance", {"fields": ["name"], "qfilter": ["bogus", "name", "x"]}),
        ("/2/query/foo", {"fields": ["name"]}),
        ("/2/query/node", {"fields": ["name"], "qfilter": ["=", "offline", True]}),
    ],
)
def test_a_query_that_makes_no_sense_is_a_bad_gateway(sim: conftest.Sim, path: str, body: Any) -> None:
    answer = sim.call("PUT", path, body)
    assert answer.status == 502
    assert answer.body["message"].startswith("Failed to parse request: Cannot convert value &#x27;[&quot;")


def test_a_drained_queue_takes_no_job(sim: conftest.Sim) -> None:
    sim.knobs.drain()
    answer = sim.call("POST", "/2/instances", conftest.create_body("snf-1"))
    assert (answer.status, answer.body["message"]) == (500, "Queue drained")
    sim.knobs.drain(False)
    sim.create("snf-1")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        (
            {"name_check": True},
            [
                "OpPrereqError",
                ["The given name (snf-1) does not resolve: Temporary failure in name resolution", "resolver_error"],
            ],
        ),
        ({"os_type": None}, ["OpPrereqError", ["No guest OS or OS image specified", "wrong_input"]]),
        (
            {"os_type": "nonexistent+default", "pnode": "node1.gnt.test"},
            [
                "OpExecError",
                [
                    "OS Parameters validation failed on node node1.gnt.test: "
                    "Directory for OS nonexistent not found in search path"
                ],
            ],
        ),
        (
            {"nics": [{"network": "nonet", "ip": "pool"}]},
            ["OpPrereqError", ["Network 'nonet' not found", "unknown_entity"]],
        ),
        ({"beparams": {"maxmem": "x"}}, ["TypeEnforcementError", ["'maxmem' (value x) is not a valid integer"]]),
    ],
)
def test_what_the_cluster_refuses_is_a_failed_job(sim: conftest.Sim, changes: Any, error: Any) -> None:
    assert sim.create("snf-1", status="error", **changes)["opresult"] == [error]
    assert sim.get("/2/instances") == []


def test_a_vnc_console_is_always_an_error(sim: conftest.Sim) -> None:
    sim.create("snf-1", hvparams={"serial_console": False})
    assert sim.call("GET", "/2/instances/snf-1/console").status == 500
    sim.do("PUT", "/2/instances/snf-1/shutdown", {})
    assert sim.call("GET", "/2/instances/snf-1/console").status == 503


def test_text_that_is_not_ascii_poisons_the_job_list(sim: conftest.Sim) -> None:
    job = sim.submit("PUT", "/2/tags?tag=t&reason=%CE%A3%CF%8D%CF%81%CE%BF%CF%82")
    conftest.eventually(lambda: sim.file(job)["ops"][0]["status"] == "success")
    assert sim.call("GET", f"/2/jobs/{job}").status == 500
    assert sim.call("GET", "/2/jobs?bulk=1").status == 500
    sim.knobs.archive([job])
    assert sim.call("GET", "/2/jobs?bulk=1").status == 200
