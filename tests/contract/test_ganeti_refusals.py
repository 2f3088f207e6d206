"""The answers of Ganeti's remote API when it says no, word by word."""

import json
from dataclasses import dataclass, replace
from typing import Any

import pytest

from rapi import client, errors
from tests.contract.masters import Handle

BAD_REQUEST = "Bad request syntax or unsupported method"
NOT_FOUND = {"code": 404, "message": "Not Found", "explain": "Nothing matches the given URI"}
UNSUPPORTED_TYPE = {"code": 415, "message": "Unsupported Media Type", "explain": "Entity body in unsupported format"}


@dataclass(frozen=True)
class Case:
    title: str
    method: str
    path: str
    answer: dict[str, Any]
    body: str | None = None
    content_type: str | None = "application/json"


def bad_request(message: str) -> dict[str, Any]:
    return {"code": 400, "message": message, "explain": BAD_REQUEST}


def unsupported(method: str, path: str) -> dict[str, Any]:
    message = f"Method {method} is unsupported for path {path}"
    return {"code": 501, "message": message, "explain": "Server does not support this operation"}


CASES = (
    Case("unknown instance", "GET", "/2/instances/nope", NOT_FOUND),
    Case("unknown network", "GET", "/2/networks/nope", NOT_FOUND),
    Case("unknown node", "GET", "/2/nodes/nope", NOT_FOUND),
    Case("unknown group", "GET", "/2/groups/nope", NOT_FOUND),
    Case("unknown path", "GET", "/2/nothing", NOT_FOUND),
    Case("job that is no number", "GET", "/2/jobs/abc", NOT_FOUND),
    Case("method of no use", "POST", "/2/info", unsupported("POST", "/2/info"), body="{}"),
    Case("put to a network", "PUT", "/2/networks/nope", unsupported("PUT", "/2/networks/nope"), body="{}"),
    Case("no JSON", "POST", "/2/instances", bad_request("Unable to parse JSON data"), body="{not json"),
    Case(
        "no body", "POST", "/2/instances",
        bad_request("Body contents: Type is &#x27;NoneType&#x27;, but &#x27;dict&#x27; is expected"),
    ),
    Case("no content type", "POST", "/2/instances", UNSUPPORTED_TYPE, body='{"a":1}', content_type=None),
    Case(
        "another content type", "PUT", "/2/instances/nope/startup", UNSUPPORTED_TYPE,
        body="a=b", content_type="application/x-www-form-urlencoded",
    ),
    Case(
        "old version", "POST", "/2/instances",
        bad_request("Instance creation request version 0 is no longer supported"),
        body='{"instance_name": "x"}',
    ),
    Case(
        "unknown parameter", "POST", "/2/instances",
        bad_request(
            "Invalid body parameters: Object OpInstanceCreate doesn&#x27;t support the parameter &#x27;bogus&#x27;"
        ),
        body='{"__version__": 1, "instance_name": "x", "bogus": 1}',
    ),
    Case(
        "missing parameter", "POST", "/2/instances",
        bad_request(
            "Invalid body parameters: (&quot;Parameter &#x27;OP_INSTANCE_CREATE.instance_name&#x27; fails"
            " validation&quot;, &#x27;wrong_input&#x27;)"
        ),
        body='{"__version__": 1}',
    ),
    Case(
        "reason in the body", "PUT", "/2/instances/nope/modify",
        bad_request("Can&#x27;t overwrite static parameters {&#x27;reason&#x27;}"),
        body='{"reason": [], "beparams": {"vcpus": 1}}',
    ),
    Case(
        "reason of a reinstall", "POST", "/2/instances/nope/reinstall?reason=r",
        bad_request("Can&#x27;t combine query and body parameters"),
        body='{"start": true}',
    ),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_a_refusal_is_worded_as_ganeti_words_it(cluster: Handle, case: Case) -> None:
    status, answer = cluster.raw(case.method, case.path, body=case.body, content_type=case.content_type)
    assert (status, answer) == (case.answer["code"], case.answer)


def test_a_wrong_password_is_refused(cluster: Handle) -> None:
    stranger = client.Client(replace(cluster.master.point, password="wrong"))
    with pytest.raises(errors.RapiRefused) as refusal:
        stranger.get_info()
    stranger.close()
    assert (refusal.value.status, refusal.value.error_class) == (401, "HttpUnauthorized")
    assert refusal.value.reason == "Unauthorized"


def test_a_reader_may_read_and_not_write(cluster: Handle) -> None:
    user, password = cluster.master.reader
    reader = client.Client(replace(cluster.master.point, user=user, password=password))
    assert reader.get_info()["name"]
    with pytest.raises(errors.RapiRefused) as refusal:
        reader.startup_instance("nope", reason="r")
    reader.close()
    assert (refusal.value.status, refusal.value.error_class) == (403, "HttpForbidden")


@pytest.mark.parametrize(
    ("what", "qfilter"), [("instance", ["bogus", "name", "x"]), ("foo", None)], ids=["bad filter", "unknown kind"]
)
def test_a_query_that_makes_no_sense_is_refused(cluster: Handle, what: str, qfilter: list[str] | None) -> None:
    with pytest.raises(errors.RapiRefused, match=r"^HttpBadGateway \(502\): Failed to parse request: "):
        cluster.api.query(what, ["name"], qfilter)


def test_nothing_that_is_refused_made_a_job(cluster: Handle) -> None:
    before = {row["id"] for row in cluster.api.get_jobs(bulk=False)}
    for case in CASES:
        cluster.raw(case.method, case.path, body=case.body, content_type=case.content_type)
    assert {row["id"] for row in cluster.api.get_jobs(bulk=False)} == before


def test_a_job_id_is_a_bare_number(cluster: Handle) -> None:
    status, answer = cluster.raw("PUT", "/2/instances/nope/startup", body=json.dumps({}))
    assert status == 200
    assert isinstance(answer, int)
