import logging
import threading
import traceback
from concurrent import futures

import pytest

from rapi import client, errors
from tests.unit.rapi import fake_rapi
from tests.unit.rapi.conftest import PASSWORD, MakeClient, MakeServer


def test_a_refused_connection_means_that_nothing_was_sent(make_client: MakeClient, dead_url: str) -> None:
    with pytest.raises(errors.RapiUnreachable) as failure:
        make_client(dead_url).startup_instance("snf-1", reason="r")
    assert not failure.value.sent


def test_an_unknown_host_means_that_nothing_was_sent(make_client: MakeClient) -> None:
    with pytest.raises(errors.RapiUnreachable) as failure:
        make_client("http://nowhere.invalid:5080").startup_instance("snf-1", reason="r")
    assert not failure.value.sent


@pytest.mark.parametrize("reply", [fake_rapi.CUT_BEFORE_ANSWER, fake_rapi.CUT_IN_BODY])
def test_a_cut_connection_leaves_the_outcome_unknown(
    api: client.Client, server: fake_rapi.FakeRapi, reply: fake_rapi.Reply
) -> None:
    server.reply = reply
    with pytest.raises(errors.RapiUnreachable) as failure:
        api.startup_instance("snf-1", reason="r")
    assert failure.value.sent


def test_a_silent_server_leaves_the_outcome_unknown(make_client: MakeClient, server: fake_rapi.FakeRapi) -> None:
    release = threading.Event()

    def never(_: fake_rapi.Request) -> fake_rapi.Reply:
        release.wait(30)
        return fake_rapi.CUT_BEFORE_ANSWER

    server.reply = never
    with pytest.raises(errors.RapiUnreachable) as failure:
        make_client(server.url, timeout=0.1).startup_instance("snf-1", reason="r")
    release.set()
    assert failure.value.sent


def test_an_answer_that_is_no_job_id_leaves_the_outcome_unknown(api: client.Client, server: fake_rapi.FakeRapi) -> None:
    server.reply = fake_rapi.answer({"id": 7})
    with pytest.raises(errors.RapiUnreachable) as failure:
        api.startup_instance("snf-1", reason="r")
    assert failure.value.sent


def test_a_change_goes_to_the_next_address_when_it_was_not_sent(
    make_client: MakeClient, server: fake_rapi.FakeRapi, dead_url: str
) -> None:
    assert make_client(dead_url, server.url).startup_instance("snf-1", reason="r") == 7
    assert len(server.requests) == 1


def test_a_change_that_may_have_been_sent_is_never_sent_again(make_client: MakeClient, make_server: MakeServer) -> None:
    first, second = make_server(), make_server()
    first.reply = fake_rapi.CUT_BEFORE_ANSWER
    with pytest.raises(errors.RapiUnreachable):
        make_client(first.url, second.url).startup_instance("snf-1", reason="r")
    assert second.requests == []
    assert len(first.requests) == 1


def test_a_read_goes_to_the_next_address_after_a_cut(make_client: MakeClient, make_server: MakeServer) -> None:
    first, second = make_server(), make_server()
    first.reply = fake_rapi.CUT_BEFORE_ANSWER
    second.reply = fake_rapi.answer(2)
    assert make_client(first.url, second.url).get_version() == 2


def test_the_address_that_answered_is_asked_first(make_client: MakeClient, make_server: MakeServer) -> None:
    first, second = make_server(), make_server()
    first.reply = fake_rapi.CUT_BEFORE_ANSWER
    api = make_client(first.url, second.url)
    api.get_version()
    api.startup_instance("snf-1", reason="r")
    assert first.paths() == ["/version"]
    assert second.paths() == ["/version", "/2/instances/snf-1/startup"]


def test_a_refusal_is_an_answer_too_and_asks_no_other_address(make_client: MakeClient, make_server: MakeServer) -> None:
    first, second = make_server(), make_server()
    first.reply = fake_rapi.error(404, "Not Found")
    with pytest.raises(errors.RapiRefused):
        make_client(first.url, second.url).get_instance("snf-1")
    assert second.requests == []


def test_no_more_calls_are_in_flight_than_allowed(make_client: MakeClient, server: fake_rapi.FakeRapi) -> None:
    lock = threading.Lock()
    two_inside = threading.Barrier(2, timeout=30)
    inside = 0
    most = 0

    def slowly(_: fake_rapi.Request) -> fake_rapi.Reply:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        two_inside.wait()
        with lock:
            inside -= 1
        return fake_rapi.Reply()

    server.reply = slowly
    api = make_client(server.url, max_connections=2)
    with futures.ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: api.get_version(), range(8))) == [7] * 8
    assert most == 2


def test_a_call_that_finds_no_free_connection_was_not_sent(make_client: MakeClient, server: fake_rapi.FakeRapi) -> None:
    arrived, release = threading.Event(), threading.Event()

    def held(_: fake_rapi.Request) -> fake_rapi.Reply:
        arrived.set()
        release.wait(30)
        return fake_rapi.answer({"job_info": ["queued"]})

    server.reply = held
    api = make_client(server.url, max_connections=1, timeout=0.3)
    with futures.ThreadPoolExecutor(1) as pool:
        # the long poll waits longer than a plain call does for a free connection
        first = pool.submit(api.wait_for_job_change, 7, fields=["status"])
        arrived.wait(30)
        with pytest.raises(errors.RapiUnreachable) as failure:
            api.startup_instance("snf-1", reason="r")
        release.set()
        assert first.result() == {"job_info": ["queued"]}
    assert not failure.value.sent


def test_every_call_authenticates_and_closes_its_connection(api: client.Client, server: fake_rapi.FakeRapi) -> None:
    api.get_version()
    assert server.last.headers["Authorization"] == "Basic c25mOmh1bnRlcjItZHVtbXk="
    assert server.last.headers["Connection"] == "close"


def test_the_environment_adds_no_proxy(
    api: client.Client, server: fake_rapi.FakeRapi, monkeypatch: pytest.MonkeyPatch, dead_url: str
) -> None:
    monkeypatch.setenv("http_proxy", dead_url)
    monkeypatch.setenv("no_proxy", "")
    assert api.get_version() == 7


def test_a_call_is_one_log_line_with_its_facts(api: client.Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="rapi"):
        api.startup_instance("snf-1", reason="req-1")
    (line,) = caplog.records
    assert (
        vars(line).items()
        >= {
            "msg": "rapi call",
            "method": "PUT",
            "resource": "/2/instances/snf-1/startup",
            "http_status": 200,
            "reason": "req-1",
        }.items()
    )
    assert vars(line)["ms"] >= 0


def test_credentials_and_secrets_are_in_no_exception_log_or_repr(
    api: client.Client, server: fake_rapi.FakeRapi, caplog: pytest.LogCaptureFixture
) -> None:
    body = {"instance_name": "snf-1", "osparams_secret": {"token": "tok-dummy"}}
    replies = [
        fake_rapi.error(400, f"cannot use tok-dummy of snf:{PASSWORD}"),
        fake_rapi.error(504, "timeout at tok-dummy"),
        fake_rapi.CUT_BEFORE_ANSWER,
    ]
    seen = ""
    with caplog.at_level(logging.DEBUG):
        for server.reply in replies:
            with pytest.raises(errors.RapiError) as failure:
                api.create_instance(body, reason="r")
            seen += "".join(traceback.format_exception(failure.value)) + repr(failure.value)
    seen += "".join(str(vars(record)) for record in caplog.records)
    assert "tok-dummy" not in seen
    assert PASSWORD not in seen
    assert len(server.requests) == 3
