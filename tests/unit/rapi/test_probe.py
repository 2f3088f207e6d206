"""A look at a cluster's address: what is wrong with it is told apart, and nothing is changed there."""

import datetime
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from common import clock
from gntsim import settings
from gntsim.server import Simulator
from rapi import probe
from rapi.endpoint import Endpoint
from rapi.probe import Fault
from tests.unit.rapi import certificates
from tests.unit.rapi.conftest import MakeServer


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    made = Simulator(settings.Settings(data_dir=tmp_path_factory.mktemp("cluster")))
    made.start()
    yield made
    made.stop()


def point(simulator: Simulator, **more: object) -> Endpoint:
    trust = {} if "fingerprint" in more or "ca_pem" in more else {"ca_pem": simulator.ca_file.read_text()}
    facts = {"urls": (simulator.url,), "user": "syros", "password": "secret", **trust, **more}
    return Endpoint(**facts)  # type: ignore[arg-type]


def look(at: Endpoint) -> probe.Look:
    return probe.look(at, at.urls[0])


def test_a_cluster_that_is_well_tells_who_it_is_and_what_time(simulator: Simulator) -> None:
    found = look(point(simulator))
    assert (found.fault, found.cluster) == (None, simulator.cluster_uuid)
    assert found.expires is not None
    assert found.skew == 0.0
    assert found.systems


@pytest.mark.parametrize("seconds", [-60, 60])
def test_a_clock_that_is_off_is_told(simulator: Simulator, seconds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = clock.now
    monkeypatch.setattr("rapi.probe.clock.now", lambda: ours() - datetime.timedelta(seconds=seconds))
    skew = look(point(simulator)).skew
    assert skew is not None
    # whole seconds are told, and the call takes its time
    assert abs(skew) > 30
    assert (skew > 0) == (seconds > 0)


def test_nothing_is_changed_there(simulator: Simulator) -> None:
    before = sorted(simulator.settings.queue_dir.glob("job-*"))
    look(point(simulator))
    jobs = [each.read_text() for each in sorted(simulator.settings.queue_dir.glob("job-*")) if each not in before]
    assert [job for job in jobs if "OP_OS_DIAGNOSE" not in job] == []


def test_who_may_only_read_is_told_from_who_may_not_come_in(simulator: Simulator) -> None:
    assert look(point(simulator, user="reader")).fault is Fault.READ_ONLY
    found = look(point(simulator, password="guessed"))
    assert found.fault is Fault.LOGIN
    assert "guessed" not in found.words


def test_another_ca_and_another_pinned_certificate_are_told_apart(simulator: Simulator) -> None:
    other = certificates.make("another")
    assert look(point(simulator, ca_pem=other.pem)).fault is Fault.AUTHORITY
    found = look(point(simulator, fingerprint=other.fingerprint))
    assert found.fault is Fault.PINNED
    assert look(point(simulator, fingerprint=found.fingerprint)).fault is None


def test_what_is_no_ca_is_told(simulator: Simulator) -> None:
    assert look(point(simulator, ca_pem="nonsense")).fault is Fault.AUTHORITY


def test_a_certificate_in_another_name_is_told_where_the_system_s_cas_judge(
    make_server: MakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    issued = certificates.make("elsewhere.example")
    (tmp_path / "ca.pem").write_text(issued.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    server = make_server(issued.server_context(tmp_path))
    found = probe.look(Endpoint(urls=(server.url,), user="u", password="p"), server.url)
    assert found.fault is Fault.HOST


@pytest.mark.parametrize(("days", "fault"), [(-2, Fault.EXPIRED), (2, Fault.NOT_YET)])
def test_a_certificate_out_of_its_time_is_told(
    make_server: MakeServer, tmp_path: Path, days: int, fault: Fault
) -> None:
    shown = certificates.make("cluster", shifted=datetime.timedelta(days=days))
    server = make_server(shown.server_context(tmp_path))
    found = probe.look(Endpoint(urls=(server.url,), user="u", password="p", ca_pem=shown.pem), server.url)
    assert found.fault is fault
    assert found.expires == shown.certificate.not_valid_after_utc


def test_a_port_where_nobody_listens_is_told(dead_url: str) -> None:
    assert probe.look(Endpoint(urls=(dead_url,), user="u", password="p"), dead_url).fault is Fault.CLOSED


def test_a_name_that_does_not_resolve_is_told() -> None:
    url = "https://nowhere.invalid:5080"
    assert probe.look(Endpoint(urls=(url,), user="u", password="p"), url).fault is Fault.NAME


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_host_that_takes_a_connection_and_says_nothing_is_told(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"{scheme}://127.0.0.1:{mute.getsockname()[1]}"
        at = Endpoint(urls=(url,), user="u", password="p", timeout=0.2, connect_timeout=0.2)
        assert probe.look(at, url).fault is Fault.SILENT


def test_what_speaks_no_tls_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as plain:

        def answer() -> None:
            connection, _ = plain.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        url = f"https://127.0.0.1:{plain.getsockname()[1]}"
        found = probe.look(Endpoint(urls=(url,), user="u", password="p"), url)
        thread.join()
        assert found.fault is Fault.NOT_TLS


def test_what_is_no_rapi_is_told(make_server: MakeServer) -> None:
    server = make_server()
    found = probe.look(Endpoint(urls=(server.url,), user="u", password="p"), server.url)
    assert found.fault is Fault.NOT_RAPI


def test_nobody_but_whose_certificate_is_pinned_is_told_the_password(tmp_path: Path) -> None:
    """The first connection is shown the pinned certificate, the second another one."""
    pinned, other = certificates.make("cluster"), certificates.make("cluster")
    told: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            for shown in (pinned, other):
                plain, _ = listening.accept()
                with shown.server_context(tmp_path).wrap_socket(plain, server_side=True) as connection:
                    connection.settimeout(10)
                    try:
                        told.append(connection.recv(4096))
                    except OSError:
                        told.append(b"")

        thread = threading.Thread(target=answer)
        thread.start()
        url = f"https://127.0.0.1:{listening.getsockname()[1]}"
        found = probe.look(Endpoint(urls=(url,), user="u", password="p", fingerprint=pinned.fingerprint), url)
        thread.join()
    assert found.fault is Fault.PINNED
    assert told == [b"", b""]
