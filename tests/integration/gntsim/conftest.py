"""A simulator that works at once, and the few calls its tests need."""

import contextlib
import dataclasses
import json
import pathlib
import ssl
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest

from gntsim import queue, server, settings

WRITER = ("syros", "secret")
READER = ("reader", "secret")
FINAL = ("success", "error", "canceled")
NETWORK = {"network_name": "net-1", "network": "10.77.0.0/24", "gateway": "10.77.0.1", "mac_prefix": "aa:01:02"}
LINK = {"group_name": "default", "network_mode": "bridged", "network_link": "br0"}


@dataclasses.dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: Any


class Sim:
    """A running simulator, spoken to over its own HTTPS."""

    def __init__(self, config: settings.Settings, written: dict[int, list[dict[str, Any]]]) -> None:
        self.simulator = server.Simulator(config)
        self.simulator.start()
        self.written = written
        self.knobs = self.simulator.knobs
        self._tls = ssl.create_default_context(cafile=str(self.simulator.ca_file))

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        user: tuple[str, str] | None = WRITER,
        raw: bytes | None = None,
        kind: str | None = "application/json",
    ) -> Answer:
        data = raw if raw is not None else (None if body is None else json.dumps(body).encode())
        request = urllib.request.Request(self.simulator.url + path, data=data, method=method)
        if data is not None and kind is not None:
            request.add_header("Content-Type", kind)
        elif data is not None:
            request.add_header("Content-Type", "")
        manager = urllib.request.HTTPPasswordMgrWithPriorAuth()
        if user is not None:
            manager.add_password(None, self.simulator.url, *user, is_authenticated=True)
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=self._tls),
            *([urllib.request.HTTPBasicAuthHandler(manager)] if user else []),
        )
        try:
            with opener.open(request, timeout=30) as reply:
                return Answer(reply.status, dict(reply.headers), json.loads(reply.read()))
        except urllib.error.HTTPError as err:
            with err:
                return Answer(err.code, dict(err.headers), json.loads(err.read()))

    def get(self, path: str) -> Any:
        answer = self.call("GET", path)
        assert answer.status == 200, answer
        return answer.body

    def submit(self, method: str, path: str, body: Any = None) -> int:
        answer = self.call(method, path, body)
        assert answer.status == 200, answer
        assert isinstance(answer.body, int)
        return answer.body

    def ended(self, job: int) -> dict[str, Any]:
        eventually(lambda: self.get(f"/2/jobs/{job}")["status"] in FINAL)
        shown: dict[str, Any] = self.get(f"/2/jobs/{job}")
        return shown

    def do(self, method: str, path: str, body: Any = None, *, status: str = "success") -> dict[str, Any]:
        shown = self.ended(self.submit(method, path, body))
        assert shown["status"] == status, shown["opresult"]
        return shown

    def create(self, name: str, *, status: str = "success", **changes: Any) -> dict[str, Any]:
        return self.do("POST", "/2/instances?reason=req-1", create_body(name, **changes), status=status)

    def network(self) -> None:
        self.do("POST", "/2/networks", NETWORK)
        self.do("PUT", "/2/networks/net-1/connect", LINK)

    def status_of(self, job: int) -> str:
        return str(self.get(f"/2/jobs/{job}")["status"])

    def file(self, job: int) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((self.simulator.settings.queue_dir / f"job-{job}").read_bytes())
        return document


def create_body(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "__version__": 1,
        "mode": "create",
        "instance_name": name,
        "disk_template": "sharedfile",
        "disks": [{"size": 64}],
        "nics": [],
        "os_type": "noop+default",
        "name_check": False,
        "ip_check": False,
        "conflicts_check": False,
        "hypervisor": "kvm",
        "beparams": {"maxmem": 128, "minmem": 128, "vcpus": 1},
    } | changes


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


Start = Callable[..., Sim]


@pytest.fixture
def start(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts simulators on one data folder, recording every version of every job file."""
    written: dict[int, list[dict[str, Any]]] = defaultdict(list)
    replace = queue.JobQueue._replace

    def recording(self: queue.JobQueue, temporary: str, name: str, content: bytes) -> None:
        if name.startswith("job-"):
            written[int(name[4:])].append(orjson.loads(content))
        replace(self, temporary, name, content)

    monkeypatch.setattr(queue.JobQueue, "_replace", recording)
    with contextlib.ExitStack() as stack:

        def run(**changes: Any) -> Sim:
            defaults: dict[str, Any] = {
                "data_dir": tmp_path,
                "durations": settings.Durations(scale=0.0),
                "death_delay": 0.05,
                "wait_timeout": 0.2,
            }
            sim = Sim(settings.Settings(**(defaults | changes)), written)
            stack.callback(sim.simulator.stop)
            return sim

        yield run


@pytest.fixture
def sim(start: Start) -> Sim:
    return start()
