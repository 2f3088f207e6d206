"""A machine as an operator sets it up: every role under systemd, confined as its unit says; and what a purge leaves."""

import json
import re
import shutil

import pytest

from lab import process
from lab.machine import Machine
from tests.deb.conftest import ROOT, WITHOUT_RULES, commands
from tests.unit.rapi import certificates

DAEMONS = ("apiserver", "dispatcher", "eventd", "metadatad", "nfdhcpd", "seriald", "vncauthproxy")
#: what is this machine's own, whatever it has
KERNELS = ("nftables", "nft queue", "nfnetlink_queue", "tun", "br_netfilter", "clock")


@pytest.fixture(scope="module")
def cloud(machine: Machine) -> Machine:
    """The machine, set up by the one command, with all roles started."""
    _, setting_up, _ = commands("install.md", "One machine")
    machine.run("sh", "-euc", setting_up, timeout=300)
    config = machine.root / "etc/syros/syros.toml"
    text = config.read_text()
    needed = (ROOT / "debian/tests/roles.toml").read_text()
    config.write_text(text[: text.index("[seriald]")] + needed)
    own = machine.root / "etc/systemd/system/syros-nfdhcpd.service.d"
    own.mkdir(parents=True)
    (own / "rules.conf").write_text(WITHOUT_RULES)
    (machine.root / "var/lib/ganeti/queue").mkdir(parents=True)
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", *[f"syros-{role}" for role in DAEMONS], timeout=300)
    return machine


def test_setup_does_everything_once_and_finds_it_well_afterwards(cloud: Machine) -> None:
    # what to do next is on standard error
    again = json.loads(cloud.ask("syros-manage", "--format", "json", "setup").stdout)
    assert {row["state"] for row in again} == {"ok"}, again
    looked = json.loads(cloud.ask("syros-manage", "--format", "json", "setup", "--check").stdout)
    assert {row["state"] for row in looked} == {"ok"}, looked
    assert [row["step"] for row in again] == [row["step"] for row in looked][: len(again)]


def test_the_first_admin_logs_in(cloud: Machine) -> None:
    clouds = (cloud.root / "root/.config/openstack/clouds.yaml").read_text()
    password = re.search(r'password: "(.+)"', clouds)
    assert password is not None
    user = {"name": "admin", "domain": {"id": "default"}, "password": password[1]}
    body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}
    answer = cloud.run(
        "/opt/venvs/syros/bin/python",
        "-c",
        "import requests, sys; r = requests.post(sys.argv[1], data=sys.argv[2],"
        " headers={'Content-Type': 'application/json'}, timeout=30); print(r.status_code)",
        "http://127.0.0.1:8774/identity/v3/auth/tokens",
        json.dumps(body),
    )
    assert answer.strip() == "201"


def test_what_a_first_server_needs_is_made_as_the_documentation_says(cloud: Machine) -> None:
    (first,) = commands("install.md", "The first server")
    orders = [line for line in first.splitlines() if line.startswith("syros-manage ")]
    cloud.run("sh", "-euc", "\n".join(orders))
    (network,) = json.loads(cloud.run("syros-manage", "--format", "json", "network", "list"))
    assert network["name"] == "public"
    assert len(orders) > 3


@pytest.mark.parametrize("role", DAEMONS)
def test_a_role_runs_as_its_unit_says_and_stays(cloud: Machine, role: str) -> None:
    shown = cloud.run("systemctl", "show", f"syros-{role}", "--property=ActiveState,NRestarts,Result,User")
    facts = dict(line.split("=", 1) for line in shown.splitlines())
    user = "root" if role in ("metadatad", "seriald") else f"syros-{role}"
    assert facts == {"ActiveState": "active", "NRestarts": "0", "Result": "success", "User": user}


@pytest.mark.parametrize("role", DAEMONS)
def test_a_unit_is_confined(cloud: Machine, role: str) -> None:
    said = cloud.ask("systemd-analyze", "security", "--no-pager", f"syros-{role}.service").stdout
    exposure = re.search(r"Overall exposure level for \S+ ([0-9.]+)", said)
    assert exposure is not None
    assert float(exposure[1]) < 3.0


@pytest.mark.parametrize("role", DAEMONS)
def test_no_role_said_that_anything_is_wrong(cloud: Machine, role: str) -> None:
    said = cloud.run("journalctl", "--no-pager", "--output=cat", f"--unit=syros-{role}")
    assert [line for line in said.splitlines() if " ERROR " in line or "Traceback" in line] == []


def test_no_secret_is_told_to_other_users(cloud: Machine) -> None:
    seen = cloud.ask("runuser", "-u", "syros-eventd", "--", "ls", "/etc/syros/secrets")
    assert "Permission denied" in seen.stderr


def test_the_status_is_good_but_for_backends(cloud: Machine) -> None:
    checks = json.loads(cloud.ask("syros-manage", "--format", "json", "status").stdout)["checks"]
    assert {each["check"]: each["state"] for each in checks if each["check"] in ("database", "bus", "schema")} == {
        "database": "ok",
        "bus": "ok",
        "schema": "ok",
    }


def test_the_api_server_reads_its_configuration_again(cloud: Machine) -> None:
    before = cloud.run("systemctl", "show", "syros-apiserver", "--property=MainPID")
    cloud.run("systemctl", "reload", "syros-apiserver")
    process.wait_until(
        lambda: "Handling signal: hup" in cloud.run("journalctl", "--output=cat", "--unit=syros-apiserver"),
        what="the reload",
        timeout=60,
    )
    assert cloud.run("systemctl", "show", "syros-apiserver", "--property=MainPID") == before


def test_a_node_is_told_what_it_lacks_and_nothing_else(cloud: Machine) -> None:
    def lacking() -> dict[str, str]:
        told = json.loads(cloud.ask("syros-manage", "--format", "json", "node", "check", "--bridge", "br0").stdout)
        troubles = {row["check"]: row["detail"] for row in told if row["state"] == "trouble"}
        return {check: detail for check, detail in troubles.items() if check not in KERNELS}

    # there is no Ganeti, and the rules were left out above
    known = {"ganeti", "nfdhcpd's rules"}
    assert lacking().keys() == {*known, "bridges"}
    cloud.run("ip", "link", "add", "br0", "type", "bridge")
    assert lacking()["bridges"] == "br0 is down"
    cloud.run("ip", "link", "set", "br0", "up")
    assert lacking().keys() == known
    hook = "/etc/ganeti/hooks/instance-add-post.d/syros"
    cloud.run("chmod", "-x", hook)
    assert lacking()["hooks"] == "not executable: instance-add-post.d/syros"
    cloud.run("/opt/venvs/syros/bin/python", "-m", "ganeti_hooks.install")
    cloud.run("systemctl", "stop", "syros-seriald")
    assert lacking().keys() == {*known, "syros-seriald.service"}
    cloud.run("systemctl", "start", "syros-seriald")
    cloud.run("ip", "link", "del", "br0")


def test_a_cluster_that_can_not_be_reached_or_trusted_is_told(cloud: Machine) -> None:
    (cloud.root / "root/rapi-password").write_text("secret\n")
    (cloud.root / "root/another-ca.pem").write_text(certificates.make("another").pem)
    add = ["syros-manage", "backend", "add", "--rapi-user", "syros", "--rapi-password-file", "/root/rapi-password"]
    add += ["--no-refresh", "--ca-file", "/root/another-ca.pem", "--rapi-url"]

    def told() -> dict[str, str]:
        looked = cloud.ask("syros-manage", "--format", "json", "setup", "--check")
        assert looked.returncode == 1
        return {row["step"]: row["detail"] for row in json.loads(looked.stdout) if row["state"] == "trouble"}

    cloud.run(*add, "https://127.0.0.1:5080", "lab")
    assert told() == {"backend lab": "https://127.0.0.1:5080: nothing listens there (Connection refused)"}
    simulator = ["/opt/venvs/syros/bin/syros-gntsim", "--data", "/run/gntsim"]
    cloud.run("systemd-run", "--unit=gntsim", *simulator)
    process.wait_until(
        lambda: "is not of the CA that is trusted" in told()["backend lab"], what="the simulated cluster", timeout=60
    )
    cloud.run("systemctl", "stop", "gntsim")
    cloud.run("syros-manage", "backend", "remove", "lab", "--yes")


def test_man_pages_and_completions_are_there(cloud: Machine) -> None:
    for role in (*DAEMONS, "manage", "manage-backend-add"):
        assert (cloud.root / f"usr/share/man/man8/syros-{role}.8.gz").exists(), role
    assert (cloud.root / "usr/share/bash-completion/completions/syros-manage").exists()


def test_autopkgtest_runs_what_debian_tests_says(cloud: Machine) -> None:
    """By Debian's own tool, on the packages that are installed; without a network it has nothing to fetch."""
    shutil.copytree(ROOT / "debian", cloud.root / "packages/source/debian")
    said = cloud.run("autopkgtest", "--no-built-binaries", "/packages/source/", "--", "null", timeout=600)
    assert re.search(r"^roles +PASS$", said, re.MULTILINE)
    assert [f"syros-{role} runs" for role in DAEMONS] == [line for line in said.splitlines() if line.endswith(" runs")]


def test_all_stops_cleanly_and_a_purge_leaves_nothing(cloud: Machine) -> None:
    """The last one: the machine is without Syros afterwards."""
    cloud.run("systemctl", "start", *[f"syros-{role}" for role in DAEMONS], timeout=300)
    cloud.run("systemctl", "stop", *[f"syros-{role}" for role in DAEMONS], timeout=180)
    results = {
        role: cloud.run("systemctl", "show", f"syros-{role}", "--property=Result", "--value").strip()
        for role in DAEMONS
    }
    assert results == dict.fromkeys(DAEMONS, "success")
    listed = cloud.run("dpkg-query", "-W", "-f", "${Package}\n", "syros-*")
    cloud.run("apt-get", "purge", "-y", *listed.split(), timeout=300)
    found = cloud.run("find", "/", "-xdev", "(", "-name", "*syros*", "-o", "-name", "nfdhcpd", ")", "-print")
    left = [path for path in found.splitlines() if not path.startswith(("/packages/", "/proc/", "/var/lib/systemd/"))]
    # the test's own, and the admin's
    assert [path for path in left if "nfdhcpd.service.d" not in path] == []
