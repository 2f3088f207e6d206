"""The life of an installation: the packages of this tree, then the version to come, a backup, a restoration, a removal.

The version before is this tree's own packages, as `make deb` builds them. The version to come is the same tree with a
higher version and one more migration (next_version.py): what its programs do is the same. So this shows what packages,
units and programs make of a schema that is not theirs, and nothing of what a change to the code may break.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from db import schema
from lab import process
from lab.machine import Machine
from tests.deb import next_version
from tests.deb.conftest import commands
from tests.deb.small_cloud import EDIT, PATIENCE, ROLES, SmallCloud

PREVIOUS_PORT = 8775
_QUIET = ("nfdhcpd", "metadatad", "seriald", "vncauthproxy")


@pytest.fixture(scope="module")
def next_packages(packages: list[Path], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return next_version.build(tmp_path_factory.mktemp("next"))


@pytest.fixture(scope="module")
def cloud(machine: Machine, packages: list[Path]) -> SmallCloud:
    """The version before, set up and with servers; its API server runs a second time, as it does on another host."""
    made = SmallCloud(machine)
    _, setting_up, _ = commands("install.md", "One machine")
    made.set_up(setting_up)
    for name in ("one", "three", "two"):
        made.create(name)
    (common,) = (package for package in packages if package.name.startswith("syros-common_"))
    made.start_previous(common, port=PREVIOUS_PORT)
    return made


class Before:
    """How the cloud was just before the upgrade."""

    def __init__(self, cloud: SmallCloud) -> None:
        self.servers = cloud.servers()
        self.rows = cloud.rows()
        self.pids = {role: cloud.pid(f"syros-{role}") for role in ROLES}
        self.config = (cloud.machine.root / "etc/syros/syros.toml").read_text()
        self.secrets = {file.name: file.read_text() for file in (cloud.machine.root / "etc/syros/secrets").iterdir()}


@pytest.fixture(scope="module")
def before(cloud: SmallCloud, next_packages: list[Path]) -> Before:
    """What was, once the packages of the version to come are installed; the schema is as it was."""
    found = Before(cloud)
    folder = cloud.machine.root / "packages/build/deb"
    shutil.rmtree(folder)
    folder.mkdir()
    for package in next_packages:
        shutil.copy(package, folder)
    installing, _ = commands("install.md", "Upgrade")
    cloud.machine.run("sh", "-euc", f"cd /packages\n{installing}", timeout=600)
    return found


@pytest.fixture(scope="module")
def moved(cloud: SmallCloud, before: Before) -> Before:
    """The same, once the schema has been moved, too."""
    _, moving = commands("install.md", "Upgrade")
    cloud.machine.run("sh", "-euc", moving)
    process.wait_until(cloud.ready, what="the API server went on by itself", timeout=PATIENCE)
    return before


def lasting(servers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give what of servers no event changes."""
    volatile = {"status", "updated", "OS-EXT-STS:vm_state", "OS-EXT-STS:power_state", "progress"}
    return [{key: value for key, value in row.items() if key not in volatile} for row in servers]


def status_of(cloud: SmallCloud, role: str) -> str:
    return cloud.machine.run("systemctl", "show", f"syros-{role}", "--property=StatusText", "--value").strip()


def test_the_new_packages_are_there(cloud: SmallCloud, before: Before) -> None:
    listed = cloud.machine.run("dpkg-query", "-W", "-f", "${Version} ${db:Status-Abbrev}\n", "syros-*")
    assert set(listed.splitlines()) == {f"{next_version.VERSION} ii "}


def test_what_the_admin_wrote_is_kept_and_no_question_was_asked(cloud: SmallCloud, before: Before) -> None:
    folder = cloud.machine.root / "etc/syros"
    assert EDIT in before.config
    assert (folder / "syros.toml").read_text() == before.config
    assert {file.name: file.read_text() for file in (folder / "secrets").iterdir()} == before.secrets
    assert sorted(file.name for file in folder.iterdir()) == ["secrets", "syros.toml"]


@pytest.mark.parametrize("role", ROLES)
def test_what_ran_was_restarted(cloud: SmallCloud, before: Before, role: str) -> None:
    assert cloud.pid(f"syros-{role}") not in (0, before.pids[role])


@pytest.mark.parametrize("role", _QUIET)
def test_what_did_not_run_was_not_started(cloud: SmallCloud, before: Before, role: str) -> None:
    assert cloud.pid(f"syros-{role}") == 0


def test_on_the_old_schema_the_new_api_server_serves_nobody_and_says_what_to_do(
    cloud: SmallCloud, before: Before
) -> None:
    ready = cloud.ask("GET", "/readyz")
    assert ready.status == 503
    assert ready.json["database"] == "ok"
    assert f"{next_version.REVISION} is needed: `syros-manage db upgrade`" in ready.json["schema"]
    refused = cloud.ask("GET", "/compute/v2.1/servers")
    assert (refused.status, refused.headers["Retry-After"]) == (503, "5")


@pytest.mark.parametrize("role", ["apiserver", "dispatcher"])
def test_on_the_old_schema_a_unit_says_what_it_waits_for(cloud: SmallCloud, before: Before, role: str) -> None:
    process.wait_until(
        lambda: "`syros-manage db upgrade`" in status_of(cloud, role), what=f"{role} waits", timeout=PATIENCE
    )
    said = cloud.machine.run("journalctl", "--no-pager", "--output=cat", f"--unit=syros-{role}")
    assert "schema.behind" in said
    assert "Traceback" not in said


def test_on_the_old_schema_the_operators_commands_say_what_to_do(cloud: SmallCloud, before: Before) -> None:
    checks = cloud.manage("status", code=1)["checks"]
    (found,) = (each["detail"] for each in checks if each["check"] == "schema")
    assert found == f"at {schema.head()}, {next_version.REVISION} is needed: `syros-manage db upgrade`"


def test_meanwhile_the_api_server_of_the_version_before_goes_on(cloud: SmallCloud, before: Before) -> None:
    assert cloud.ready(PREVIOUS_PORT)
    assert lasting(cloud.servers(port=PREVIOUS_PORT)) == lasting(before.servers)


def test_what_happens_meanwhile_waits_for_the_dispatcher(cloud: SmallCloud, before: Before) -> None:
    (stopped,) = (server for server in before.servers if server["name"] == "two")
    cloud.ganeti("PUT", f"/2/instances/syros-{stopped['id']}/shutdown")
    queue = ("rabbitmqctl", "--quiet", "list_queues", "-p", "syros", "--formatter", "json", "name", "messages")

    def waits() -> bool:
        counts = {row["name"]: row["messages"] for row in json.loads(cloud.machine.run(*queue))}
        return sum(counts.values()) > 0

    process.wait_until(waits, what="the event in the broker", timeout=PATIENCE, every=0.5)
    assert cloud.states(port=PREVIOUS_PORT)["two"] == "ACTIVE"


def test_once_the_schema_is_moved_all_goes_on_without_a_restart(cloud: SmallCloud, moved: Before) -> None:
    for role in ROLES:
        shown = cloud.machine.run("systemctl", "show", f"syros-{role}", "--property=ActiveState,NRestarts")
        assert set(shown.split()) == {"ActiveState=active", "NRestarts=0"}
    assert cloud.manage("db", "version") == {
        "version": next_version.REVISION,
        "wanted": next_version.REVISION,
        "current": True,
    }


def test_no_event_was_lost_and_none_put_aside(cloud: SmallCloud, moved: Before) -> None:
    process.wait_until(lambda: cloud.states()["two"] == "SHUTOFF", what="the event applied", timeout=PATIENCE)
    assert cloud.manage("event", "dead", "list") == []


def test_no_server_and_no_row_is_lost(cloud: SmallCloud, moved: Before) -> None:
    assert lasting(cloud.servers()) == lasting(moved.servers)
    assert cloud.rows() == {**moved.rows, "jobs": cloud.rows()["jobs"]}
    assert cloud.rows()["jobs"] >= moved.rows["jobs"]


def test_on_the_new_schema_the_version_before_still_serves(cloud: SmallCloud, moved: Before) -> None:
    assert cloud.ready(PREVIOUS_PORT)
    cloud.create("by-the-old", port=PREVIOUS_PORT)
    cloud.create("by-the-new")
    assert lasting(cloud.servers(port=PREVIOUS_PORT)) == lasting(cloud.servers())


def test_the_operators_commands_of_the_version_before_leave_a_later_schema_alone(
    cloud: SmallCloud, moved: Before
) -> None:
    refused = cloud.machine.ask("/opt/previous/opt/venvs/syros/bin/python", "-m", "manage", "db", "upgrade")
    assert refused.returncode == 1
    assert "a later version" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_backup_is_restored_and_what_has_happened_since_is_found(cloud: SmallCloud, moved: Before) -> None:
    cloud.machine.run("systemctl", "stop", "previous-apiserver")
    dumping, restoring = commands("install.md", "Backup and restore")
    cloud.machine.run("sh", "-euc", dumping)
    then, rows = cloud.servers(), cloud.rows()
    since = cloud.create("since-the-backup")
    (one,) = (server["id"] for server in then if server["name"] == "one")
    cloud.ganeti("PUT", f"/2/instances/syros-{one}/shutdown")
    process.wait_until(lambda: cloud.states()["one"] == "SHUTOFF", what="the stop is seen", timeout=PATIENCE)
    # the worst case: nothing of it is left on this machine
    shutil.rmtree(cloud.machine.root / "etc/syros")
    cloud.machine.run("systemctl", "stop", "syros-apiserver", "syros-dispatcher", "syros-eventd")
    for order in ("DROP DATABASE syros WITH (FORCE)", "DROP ROLE syros"):
        cloud.machine.run("runuser", "-u", "postgres", "--", "psql", "-qc", order)
    cloud.machine.run("rabbitmqctl", "--quiet", "delete_user", "syros")
    cloud.machine.run("rabbitmqctl", "--quiet", "delete_vhost", "syros")

    cloud.machine.run("sh", "-euc", restoring, timeout=300)

    assert (cloud.machine.root / "etc/syros/syros.toml").read_text() == moved.config
    assert cloud.rows()["instances"] == rows["instances"]
    process.wait_until(
        lambda: [row["name"] for row in cloud.manage("stranger", "list")] == [f"syros-{since}"],
        what="what was made since is kept in quarantine",
        timeout=PATIENCE,
        every=1,
    )
    cloud.machine.run("systemctl", "start", "syros-apiserver", "syros-eventd", timeout=300)
    process.wait_until(cloud.ready, what="the API server", timeout=PATIENCE, every=0.5)
    process.wait_until(
        lambda: cloud.states() == {**{row["name"]: row["status"] for row in then}, "one": "SHUTOFF"},
        what="states follow the cluster",
        timeout=PATIENCE,
        every=1,
    )
    cloud.manage(
        "stranger", "adopt", "simulated", f"syros-{since}", "--project", "demo", "--user", "demo", "--flavor", "1"
    )
    process.wait_until(lambda: since in {row["id"] for row in cloud.servers()}, what="it is adopted", timeout=PATIENCE)
    process.wait_until(
        lambda: cloud.machine.ask("syros-manage", "status").returncode == 0,
        what="all is well",
        timeout=PATIENCE,
        every=1,
    )


def test_a_removal_stops_what_runs_and_an_installation_has_it_run_again(cloud: SmallCloud, moved: Before) -> None:
    cloud.machine.run("apt-get", "remove", "-y", "syros-dispatcher", timeout=300)
    assert cloud.pid("syros-dispatcher") == 0
    (package,) = (cloud.machine.root / "packages/build/deb").glob("syros-dispatcher_*.deb")
    cloud.machine.run("apt-get", "install", "-y", f"/packages/build/deb/{package.name}", timeout=300)
    assert cloud.pid("syros-dispatcher") != 0


def test_what_ganeti_runs_stands_back_once_its_packages_are_removed(cloud: SmallCloud, moved: Before) -> None:
    cloud.machine.run("apt-get", "remove", "-y", "syros-ganeti-hooks", "syros-common", timeout=300)
    master = f"GANETI_MASTER={cloud.machine.run('hostname').strip()}"
    hook = "/etc/ganeti/hooks/instance-start-post.d/syros"
    assert cloud.machine.run("env", master, "GANETI_OP_CODE=OP_INSTANCE_STARTUP", hook) == ""
    assert cloud.machine.run("ls", "/var/spool/syros/hooks") == ""
    script = "/etc/ganeti/kvm-vif-bridge"
    ours = cloud.machine.ask("env", "INTERFACE=tap0", "INSTANCE=syros-8f1c", script)
    assert (ours.returncode, "install syros-ganeti-hooks, or purge it" in ours.stderr) == (1, True)
