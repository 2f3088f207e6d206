"""`syros-manage setup --check`: each thing that is not well is told by itself, with its remedy."""

import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from common import bus
from common.bus.memory import MemoryBus
from db.backends import Backend
from gntsim.server import Simulator
from manage import at_once, unit_states
from manage.node.host import Done
from manage.setup import backends, expiry, tool
from manage.setup.step import Undone
from rapi.probe import Fault, Look
from tests.unit.manage.conftest import Answer, Operator, add_arguments
from tests.unit.rapi import certificates

BROKER = "amqp://syros:hush@broker.example/syros"
DAY = timedelta(days=1)


@dataclass
class Check:
    """An installation that is well until a test spoils something."""

    operator: Operator
    folder: Path

    def run(self, *more: str) -> Answer:
        where = ["--secrets", str(self.folder / "secrets"), "--clouds", str(self.folder / "clouds.yaml")]
        where += ["--tls", str(self.folder / "tls")]
        told = ["--database-url-file", str(self.folder / "url"), "--bus-url-file", str(self.folder / "bus")]
        return self.operator.run("--format", "json", "setup", *where, *told, *more, code=None)

    def found(self) -> dict[str, Any]:
        """Check; give the rows that are not ok, by step. The exit code has to go with them."""
        answer = self.run("--check")
        for row in answer.json:
            assert set(row) == {"step", "state", "detail", "remedy"}
        assert answer.code == int(any(row["state"] == "trouble" for row in answer.json)), answer.out
        return {row["step"]: row for row in answer.json if row["state"] != "ok"}

    def add(self, simulator: Simulator, *more: str) -> None:
        self.operator.run(*add_arguments(self.operator, simulator, "--no-refresh", *more))

    def change(self, **facts: object) -> None:
        with self.operator.sessions.begin() as db:
            db.execute(sa.update(Backend).values(**facts))


@pytest.fixture
def check(operator: Operator, tmp_path: Path) -> Check:
    (tmp_path / "url").write_text(operator.environ["SYROS_DATABASE_URL"] + "\n")
    (tmp_path / "bus").write_text(BROKER + "\n")
    operator.environ["SYROS_BUS_URL"] = BROKER
    made = Check(operator, tmp_path)
    answer = made.run()
    assert answer.code == 0, answer.out
    return made


def test_what_is_well_is_said_to_be(check: Check, simulator: Simulator) -> None:
    assert check.found() == {}
    check.add(simulator)
    check.change(os="")
    assert check.found() == {}


def test_a_rapi_that_does_not_answer_is_named_with_its_address_and_the_time_it_had(check: Check) -> None:
    password = check.operator.file("password", "secret\n")
    add = ("backend", "add", "--rapi-user", "syros", "--rapi-password-file", password, "--system-ca", "--no-refresh")
    check.operator.run(*add, "closed", "--rapi-url", "https://127.0.0.1:9")
    check.operator.run(*add, "nameless", "--rapi-url", "https://nowhere.invalid:5080")
    found = check.found()
    assert found["backend closed"]["detail"].startswith("https://127.0.0.1:9: nothing listens there")
    assert "ganeti-rapi" in found["backend closed"]["remedy"]
    assert "https://nowhere.invalid:5080: the name does not resolve" in found["backend nameless"]["detail"]


def test_another_ca_is_told(check: Check, simulator: Simulator) -> None:
    check.add(simulator)
    check.change(os="", rapi_ca=certificates.make("another").pem)
    row = check.found()["backend lab"]
    assert "the certificate is not of the CA that is trusted" in row["detail"]
    assert "/var/lib/ganeti/rapi.pem" in row["remedy"]


def test_a_user_who_may_only_read_is_told_from_one_with_a_wrong_password(check: Check, simulator: Simulator) -> None:
    check.add(simulator)
    check.change(os="", rapi_user="reader")
    row = check.found()["backend lab"]
    assert row["detail"].endswith("the user may only read (reader may not POST /2/instances)")
    assert "USER PASSWORD write" in row["remedy"]
    check.change(rapi_user="nobody")
    assert "the user or the password is wrong" in check.found()["backend lab"]["detail"]


def test_another_cluster_is_not_believed(check: Check, simulator: Simulator) -> None:
    check.add(simulator)
    check.change(os="", cluster="0f7ab0f4-3b5e-4c0c-9a0b-7a4a8c6f4a55")
    assert "another cluster answers" in check.found()["backend lab"]["detail"]


def test_an_os_definition_that_the_nodes_lack_is_told(check: Check, simulator: Simulator) -> None:
    check.add(simulator, "--os", "absent+default")
    row = check.found()["backend lab OS definition"]
    assert row["detail"].startswith("absent+default is not on all of its nodes")
    assert "node check" in row["remedy"]


def test_a_backend_that_is_offline_is_not_asked(check: Check) -> None:
    password = check.operator.file("password", "secret\n")
    add = ("backend", "add", "--rapi-user", "syros", "--rapi-password-file", password, "--system-ca", "--no-refresh")
    check.operator.run(*add, "closed", "--rapi-url", "https://127.0.0.1:9")
    check.operator.run("backend", "offline", "closed", "--yes")
    assert check.found() == {}


def test_a_password_that_another_key_has_sealed_is_told(check: Check, simulator: Simulator) -> None:
    check.add(simulator)
    check.operator.environ["SYROS_SECRETS_KEY"] = check.operator.run("key", "new").out.strip()
    assert "can't be read" in check.found()["backend lab"]["detail"]


BACKEND = Backend(name="lab", os="", cluster="c1")
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
WELL = Look("https://a:5080", cluster="c1", skew=0.0, expires=NOW + 90 * DAY)


def judged(*looks: Look) -> dict[str, tuple[str, str]]:
    rows = backends.of_looks(BACKEND, looks, now=NOW)
    return {row.check: (row.state.value, row.detail) for row in rows if row.state != "ok"}


def test_of_several_addresses_only_the_master_s_has_to_answer() -> None:
    closed = Look("https://b:5080", Fault.CLOSED, "refused")
    assert judged(closed, WELL) == {}
    assert judged(closed, replace(closed, url="https://c:5080"))["backend lab"][0] == "trouble"
    pinned = Look("https://b:5080", Fault.PINNED, "another")
    assert judged(pinned, WELL)["backend lab"][0] == "warning"


def test_a_certificate_that_ends_soon_or_has_ended_is_told() -> None:
    assert judged(replace(WELL, expires=NOW + 29 * DAY)) == {
        "backend lab certificate": (
            "trouble", "https://a:5080: expires on 2026-03-01, in 29 days (less than 30)",
        )
    }  # fmt: skip
    ended = Look("https://a:5080", Fault.EXPIRED, "certificate has expired", expires=NOW - DAY)
    assert judged(ended)["backend lab"][1] == "https://a:5080: the certificate has expired (certificate has expired)"


@pytest.mark.parametrize(("skew", "words"), [(7.2, "7 s ahead of"), (-90.0, "90 s behind")])
def test_a_clock_that_is_off_is_told_with_the_limit(skew: float, words: str) -> None:
    state, detail = judged(replace(WELL, skew=skew))["backend lab clock"]
    assert (state, detail) == ("trouble", f"{words} this machine's (more than 5 s)")
    assert judged(replace(WELL, skew=5.0)) == {}


@pytest.mark.parametrize("fault", list(Fault))
def test_each_fault_has_a_remedy(fault: Fault) -> None:
    (row,) = backends.of_looks(BACKEND, [Look("https://a:5080", fault, "why")], now=NOW)
    assert row.remedy


def test_nobody_waits_for_who_never_answers() -> None:
    never = threading.Event()
    try:
        assert at_once.answers({"deaf": never.wait, "well": lambda: True}, seconds=0.2) == {"well": True}
    finally:
        never.set()


def test_what_a_call_raises_is_its_answer() -> None:
    def fail() -> None:
        raise ValueError("no")

    (answer,) = at_once.answers({"call": fail}, seconds=30).values()
    assert isinstance(answer, ValueError)


class SickBus(MemoryBus):
    """A broker with a fault."""

    def __init__(self, fault: bus.Fault) -> None:
        super().__init__()
        self._fault = fault

    def trouble(self) -> bus.Trouble | None:
        return bus.Trouble(self._fault, "so it says")


@pytest.mark.parametrize("fault", list(bus.Fault))
def test_each_fault_of_the_broker_is_told_with_a_remedy(check: Check, fault: bus.Fault) -> None:
    check.operator.bus = SickBus(fault)
    row = check.found()["broker"]
    assert row["detail"] == f"amqp://broker.example/syros: {fault.value} (so it says)"
    assert row["remedy"]


def test_policies_are_not_asked_for_while_the_broker_is_away(check: Check, local: Path, tmp_path: Path) -> None:
    check.operator.bus = SickBus(bus.Fault.UNREACHABLE)
    assert check.found()["policies"]["state"] == "warning"
    assert not (tmp_path / "asked").exists()


def test_a_tool_s_complaint_is_found_in_what_it_says(tmp_path: Path) -> None:
    program = tmp_path / "tool"
    program.write_text("#!/bin/sh\nprintf 'Error: no node\\nadvice\\n * hash: x\\n' >&2; exit 1\n")
    program.chmod(0o755)
    with pytest.raises(Undone, match="Error: no node"):
        tool.run([str(program)], remedy="mend it")
    program.write_text("#!/bin/sh\nprintf 'notice\\npsql: refused\\n' >&2; exit 1\n")
    with pytest.raises(Undone, match="psql: refused"):
        tool.run([str(program)], remedy="mend it")


def test_a_configuration_that_names_another_broker_is_told(check: Check) -> None:
    check.operator.environ["SYROS_BUS_URL"] = "amqp://elsewhere.example/"
    assert "url_file" in check.found()["broker"]["remedy"]


@pytest.fixture
def local(check: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have the broker on this machine, with a rabbitmqctl that says what the file tells."""
    here = "amqp://syros:hush@127.0.0.1/syros"
    (tmp_path / "bus").write_text(here)
    (tmp_path / "secrets/bus-url").write_text(here)
    check.operator.environ["SYROS_BUS_URL"] = here
    control = tmp_path / "bin/rabbitmqctl"
    control.parent.mkdir()
    told = tmp_path / "policies.json"
    control.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/asked\ncase "$*" in *list_policies*) cat {told};; esac\n')
    control.chmod(0o755)
    monkeypatch.setenv("PATH", f"{control.parent}:/usr/bin:/bin")
    return told


def test_policies_that_are_missing_are_told_and_made(check: Check, local: Path, tmp_path: Path) -> None:
    local.write_text('[{"name": "syros-dead", "vhost": "syros"}]')
    row = check.found()["policies"]
    assert row["detail"].startswith("syros-events missing")
    assert check.run().code == 0
    asked = (tmp_path / "asked").read_text().splitlines()
    assert [line for line in asked if "set_policy" in line] == [
        '--quiet set_policy -p syros syros-events ^syros\\.events$ {"max-length-bytes": 1073741824,'
        ' "overflow": "reject-publish"} --apply-to queues'
    ]
    local.write_text('[{"name": "syros-dead"}, {"name": "syros-events"}]')
    assert check.found() == {}


def test_a_rabbitmqctl_that_says_nothing_sensible_is_told(check: Check, local: Path) -> None:
    local.write_text("what?")
    assert "list_policies" in check.found()["policies"]["detail"]


def test_an_old_schema_is_told_from_a_newer_one(check: Check) -> None:
    def revise(revision: str) -> None:
        with check.operator.sessions.engine.begin() as connection:
            connection.execute(sa.text("UPDATE alembic_version SET version_num = :it"), {"it": revision})

    with check.operator.sessions.engine.connect() as connection:
        head = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    revise("0001")
    found = check.found()
    assert found["schema"]["remedy"] == "`syros-manage db upgrade`"
    assert found["admin"]["state"] == "warning"
    revise("9999")
    found = check.found()
    assert list(found) == ["schema"]
    assert "later program" in found["schema"]["detail"]
    assert "packages" in found["schema"]["remedy"]
    answer = check.run()
    assert answer.json[-1]["step"] == "schema"
    assert answer.json[-1]["state"] == "trouble"
    revise(str(head))
    assert check.found() == {}


def test_without_a_schema_the_command_is_said(check: Check) -> None:
    for file in check.folder.glob("syros.db*"):
        file.unlink()
    (check.folder / "syros.db").touch()
    assert check.found()["schema"]["detail"].startswith("none; this program's is ")


def test_secrets_that_others_can_read_are_told_and_closed(check: Check, tmp_path: Path) -> None:
    (tmp_path / "secrets").chmod(0o755)
    (tmp_path / "secrets/key").chmod(0o640)
    detail = check.found()["secrets"]["detail"]
    assert detail == f"others than root can read {tmp_path}/secrets, {tmp_path}/secrets/key"
    check.run()
    assert check.found() == {}


def test_a_configuration_that_can_not_be_meant_is_told(check: Check) -> None:
    check.operator.environ["SYROS_API_CERT"] = "/etc/syros/tls/api.pem"
    assert check.found()["configuration"]["detail"].startswith("[api] cert and key")


def test_services_that_are_down_or_failed_are_told(check: Check) -> None:
    root = check.operator.host.root
    (root / "run/systemd/system").mkdir(parents=True)
    units = root / "usr/lib/systemd/system"
    units.mkdir(parents=True)
    states = {
        "syros-apiserver": "active running success enabled",
        "syros-dispatcher": "failed failed exit-code enabled",
        "syros-nfdhcpd": "inactive dead success disabled",
        "syros-seriald": "activating auto-restart exit-code enabled",
    }
    for unit in states:
        (units / f"{unit}.service").write_text("")

    def run(words: Any, _told: str) -> Done:
        active, sub, result, file = states[words[2].removesuffix(".service")].split()
        return Done(0, f"ActiveState={active}\nSubState={sub}\nResult={result}\nUnitFileState={file}\n")

    check.operator.host = replace(check.operator.host, run=run)
    found = check.found()
    assert list(found) == ["services", "syros-seriald.service"]
    assert found["services"]["detail"] == "syros-dispatcher.service is failed, enabled"
    assert found["services"]["remedy"] == "`journalctl -u syros-dispatcher.service` says why"


def test_certificates_that_the_configuration_names_are_looked_at(check: Check, tmp_path: Path) -> None:
    file = tmp_path / "broker-ca.pem"
    check.operator.environ["SYROS_BUS_CA_FILE"] = str(file)
    assert "No such file" in check.found()["certificates"]["detail"]
    file.write_text("nonsense")
    assert "no certificate in PEM form" in check.found()["certificates"]["detail"]
    # it lasts for a day
    file.write_text(certificates.make("broker").pem)
    assert "less than 30" in check.found()["certificates"]["detail"]


def test_a_certificate_is_judged_by_its_end() -> None:
    assert expiry.judged("x", "f", NOW + 31 * DAY, NOW).state == "ok"
    assert expiry.judged("x", "f", NOW - DAY, NOW).detail == "f: expired on 2026-01-30"


def test_an_installation_without_anything_is_told_all_at_once_and_nothing_is_made(
    bare: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    bare.environ = {"SYROS_CONFIG": str(bare.config)}
    before = sorted(tmp_path.rglob("*"))
    options = ("--secrets", str(tmp_path / "secrets"), "--tls", str(tmp_path / "tls"))
    rows = bare.run("--format", "json", "setup", "--check", *options, code=1).json
    assert [row["step"] for row in rows if row["state"] == "trouble"] == ["secrets", "database", "broker", "schema"]
    assert sorted(tmp_path.rglob("*")) == before


def test_of_certificates_that_are_trusted_old_ones_may_have_ended(tmp_path: Path) -> None:
    old, new = certificates.make("ca", shifted=-9 * DAY), certificates.make("ca", shifted=90 * DAY)
    file = tmp_path / "bundle.pem"
    file.write_text(old.pem + new.pem)
    now = datetime.now(UTC)
    assert expiry._of_file(file, "[bus] ca_file", now).state == "ok"
    assert expiry._of_file(file, "[api] cert", now).state == "trouble"


def test_a_unit_of_which_systemd_says_nothing_is_in_trouble() -> None:
    silent = unit_states.of(lambda _words, _told: Done(1, ""), "syros-seriald.service")
    assert unit_states.judged(silent, wanted=False).state == "trouble"
