"""`syros-manage node check`: each thing that a node may lack is found by itself, with its remedy."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from common import clock
from manage.__main__ import cli
from manage.context import Wiring
from manage.node.host import Done, Host

PROGRAMS = ("eventd", "nfdhcpd", "metadatad", "seriald")
LATER = timedelta(minutes=10)
LISTENING = "  sl  local_address rem_address   st\n   0: 00000000:224C 00000000:0000 0A\n"
QUEUES = "".join(f"{number:5} 12345 0 2 65531 0 0 0 1\n" for number in (42, 43, 44, 45))
CONFIGURATION = """
[seriald]
token = "shown"
plain_http = true
ctrl_dir = "/run/ganeti/ctrl"
[metadatad]
secret = "shown"
api_url = "https://cloud.example"
"""


class Node:
    """A made-up node, which is well until a test spoils something."""

    def __init__(self, root: Path, installed: Path) -> None:
        self.root = root
        self.config = root / "etc/syros/syros.toml"
        self.units = dict.fromkeys(PROGRAMS, "active running success enabled")
        self.refused: set[str] = set()
        self.absent: set[str] = set()
        self.nft = "nftables v1.0.6 (Lester Gooch #5)"
        self.clock: bool | None = True
        self.name = "node1.example"
        self.time: datetime = clock.now()
        shutil.copytree(installed, root, symlinks=True, dirs_exist_ok=True)
        self.write(sys.executable.removeprefix("/"), "")
        self.write("usr/bin/python3", "")
        self.write("bin/sh", "")
        self.write("etc/syros/syros.toml", CONFIGURATION)
        self.write("usr/lib/ganeti/net-common", "")
        folders = ("run/systemd/system", "var/lib/nfdhcpd", "var/spool/syros/hooks", "run/ganeti/ctrl")
        for each in (*folders, "proc/sys/net/bridge"):
            (root / each).mkdir(parents=True)
        for program in PROGRAMS:
            self.write(f"usr/lib/systemd/system/syros-{program}.service", "")
        for secret in ("bus-url", "console-token", "metadata-secret"):
            self.write(f"etc/syros/secrets/{secret}", "hush\n", mode=0o600)
        (root / "etc/syros/secrets").chmod(0o700)
        self.cluster(master="node1.example", candidates=("node1.example", "node2.example"))
        for number, daemon in enumerate(("noded", "confd", "wconfd", "luxid", "rapi"), start=100):
            self.write(f"proc/{number}/cmdline", f"/usr/bin/python3\0/usr/sbin/ganeti-{daemon}\0-b\0")
        self.write("proc/net/tcp", LISTENING)
        self.write("proc/net/netfilter/nfnetlink_queue", QUEUES)
        for device in ("dev/net/tun", "dev/kvm", "dev/vhost-net"):
            self.write(device, "")
        self.bridge("br0")
        self.set("ipv4/ip_forward", 1)
        self.set("ipv6/conf/all/forwarding", 1)

    def write(self, path: str, text: str, *, mode: int = 0o644) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)
        return file

    def set(self, key: str, value: int) -> None:
        self.write(f"proc/sys/net/{key}", f"{value}\n")

    def bridge(self, name: str, *, flags: str = "0x1003") -> None:
        (self.root / f"sys/class/net/{name}/bridge").mkdir(parents=True, exist_ok=True)
        self.write(f"sys/class/net/{name}/flags", flags + "\n")

    def cluster(self, *, master: str, candidates: Sequence[str]) -> None:
        names = ("node1.example", "node2.example", "node3.example")
        for name, lines in {"master_node": [master], "master_candidates": candidates, "node_list": names}.items():
            self.write(f"var/lib/ganeti/ssconf_{name}", "\n".join(lines) + "\n")

    def stop(self, daemon: str) -> None:
        for file in (self.root / "proc").glob("[0-9]*/cmdline"):
            if daemon in file.read_text():
                file.unlink()

    def hooks(self) -> Path:
        return self.root / "etc/ganeti/hooks"

    def run(self, words: Sequence[str], told: str) -> Done:
        program = words[0]
        if program in self.absent:
            return Done(127, err=f"{program} is not installed")
        if program == "systemctl":
            unit = words[2].removeprefix("syros-").removesuffix(".service")
            active, sub, result, file = self.units[unit].split()
            facts = {"LoadState": "loaded", "ActiveState": active, "SubState": sub, "Result": result}
            return Done(0, "".join(f"{k}={v}\n" for k, v in {**facts, "UnitFileState": file}.items()))
        if words[:2] == ["nft", "--version"]:
            return Done(0, self.nft)
        if any(word in " ".join(words) + told for word in self.refused):
            return Done(1, err="Error: Could not process rule: No such file or directory")
        return Done(0)

    def check(self, *options: str, code: int | None = None) -> dict[str, tuple[str, str, str]]:
        """Run it; give all that is not ok, by check, as state, detail and remedy."""
        host = Host(
            self.root, run=self.run, disciplined=lambda: self.clock, name=lambda: self.name, now=lambda: self.time
        )
        wiring = Wiring(environ={"SYROS_CONFIG": str(self.config)}, host=host)
        result = CliRunner().invoke(cli, ["node", "check", "--format", "json", *options], obj=wiring)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        rows = json.loads(result.stdout)
        found = {row["check"]: (row["state"], row["detail"], row["remedy"]) for row in rows if row["state"] != "ok"}
        assert len(found) == len([row for row in rows if row["state"] != "ok"]), rows
        assert result.exit_code == int(any(state == "trouble" for state, _, _ in found.values()))
        if code is not None:
            assert result.exit_code == code
        return found


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the package installs on a node."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "ganeti_hooks.install", "--root", folder], check=True, timeout=60)
    return folder


@pytest.fixture
def node(tmp_path: Path, installed: Path) -> Node:
    return Node(tmp_path / "root", installed)


def test_a_node_that_is_well_is_said_to_be(node: Node) -> None:
    assert node.check("--bridge", "br0", "--routed", code=0) == {}


def test_no_database_is_opened_and_nothing_is_made(node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    node.check("--bridge", "br0")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_section_that_can_not_be_meant_is_a_finding(node: Node) -> None:
    node.config.write_text("[seriald]\ntoken = 'shown'\n")
    found = node.check("--bridge", "br0", code=1)
    assert list(found) == ["configuration [metadatad]", "configuration [seriald]"]
    assert found["configuration [seriald]"][1].startswith("[seriald] cert and key")


def test_hooks_that_are_missing_closed_or_older_are_told_apart(node: Node) -> None:
    (node.hooks() / "instance-add-post.d/syros").unlink()
    (node.hooks() / "instance-stop-post.d/syros").chmod(0o644)
    old = node.hooks() / "instance-remove-post.d/syros"
    old.write_text(old.read_text() + "# of another version\n")
    found = node.check("--bridge", "br0", code=1)
    assert list(found) == ["hooks"]
    assert found["hooks"][1] == (
        "not there: instance-add-post.d/syros; not executable: instance-stop-post.d/syros;"
        " not this version's: instance-remove-post.d/syros"
    )
    assert "ganeti_hooks.install" in found["hooks"][2]


def test_a_hook_may_have_an_operator_s_settings_but_not_another_spool_than_eventd(node: Node) -> None:
    for hook in node.hooks().glob("*-post.d/syros"):
        hook.write_text(hook.read_text().replace('NODE = ""', "NODE = 'node1'"))
    assert node.check("--bridge", "br0") == {}
    for hook in node.hooks().glob("*-post.d/syros"):
        hook.write_text(hook.read_text().replace("/var/spool/syros/hooks", "/srv/spool"))
    assert "eventd reads /var/spool/syros/hooks" in node.check("--bridge", "br0")["hooks"][1]


def test_a_hook_with_a_dot_in_its_name_is_warned_of(node: Node) -> None:
    shutil.copy(node.hooks() / "instance-add-post.d/syros", node.hooks() / "instance-add-post.d/syros.dpkg-new")
    assert node.check("--bridge", "br0", code=0)["hooks"][0] == "warning"


def test_an_interpreter_that_is_gone_is_found(node: Node) -> None:
    (node.root / Path(sys.executable).relative_to("/")).unlink()
    found = node.check("--bridge", "br0")
    assert "without their interpreter" in found["network script"][1]
    assert "without their interpreter" in found["hooks"][1]


@pytest.mark.parametrize("file", ["create", "parameters.list", "ganeti_api_version"])
def test_the_os_definition_is_compared_where_ganeti_reads_it(node: Node, file: str) -> None:
    (node.root / "usr/share/ganeti/os/syros" / file).write_text("another\n")
    found = node.check("--bridge", "br0", code=1)
    assert list(found) == ["OS definition"]
    assert file in found["OS definition"][1]


def test_another_os_definition_of_the_name_that_comes_first_is_found(node: Node) -> None:
    (node.root / "srv/ganeti/os/syros").mkdir(parents=True)
    assert "/srv/ganeti/os" in node.check("--bridge", "br0")["OS definition"][1]


def test_another_s_network_script_is_not_ours(node: Node) -> None:
    (node.root / "etc/ganeti/kvm-vif-bridge").write_text("#!/bin/sh\n")
    assert "another program's" in node.check("--bridge", "br0")["network script"][1]
    (node.root / "etc/ganeti/kvm-vif-bridge").unlink()
    assert "not there" in node.check("--bridge", "br0")["network script"][1]


def test_ganeti_s_own_part_of_the_network_script_is_missed(node: Node) -> None:
    (node.root / "usr/lib/ganeti/net-common").unlink()
    assert "net-common" in node.check("--bridge", "br0")["network script"][1]


def test_tools_of_the_network_script_are_missed(node: Node) -> None:
    node.absent = {"conntrack"}
    assert node.check("--bridge", "br0") == {
        "network tools": (
            "trouble", "conntrack not installed: the network script needs them", "`apt-get install conntrack`",
        )
    }  # fmt: skip


def test_bridges_come_from_options_bindings_and_ganeti(node: Node) -> None:
    assert node.check(code=0)["bridges"][0] == "warning"
    assert "br7 is not there" in node.check("--bridge", "br7")["bridges"][1]
    node.write("var/lib/nfdhcpd/tap0", json.dumps({"mode": "bridged", "link": "prv3"}))
    assert "prv3 is not there" in node.check("--bridge", "br0")["bridges"][1]
    (node.root / "var/lib/nfdhcpd/tap0").unlink()
    networks = {"u": {"mode": "bridged", "link": "br5"}}
    node.write("var/lib/ganeti/config.data", json.dumps({"cluster": {}, "nodegroups": {"g": {"networks": networks}}}))
    assert "br5 is not there" in node.check("--bridge", "br0")["bridges"][1]


def test_a_bridge_that_is_down_and_what_is_no_bridge_are_told_apart(node: Node) -> None:
    node.bridge("br0", flags="0x1002")
    assert node.check("--bridge", "br0", code=1)["bridges"][1] == "br0 is down"
    (node.root / "sys/class/net/br0/bridge").rmdir()
    assert node.check("--bridge", "br0", code=0)["bridges"][0] == "warning"


def test_forwarding_is_wanted_by_routed_networks_alone(node: Node) -> None:
    node.set("ipv4/ip_forward", 0)
    assert node.check("--bridge", "br0") == {}
    state, detail, remedy = node.check("--bridge", "br0", "--routed")["forwarding"]
    assert state == "trouble"
    assert "net.ipv4.ip_forward off" in detail
    assert "net.ipv6" not in detail
    assert "sysctl -w net.ipv4.ip_forward=1" in remedy
    node.write("var/lib/nfdhcpd/tap0", json.dumps({"mode": "routed"}))
    assert "forwarding" in node.check("--bridge", "br0")


def test_a_strict_reverse_path_filter_is_warned_of_where_guests_are_routed(node: Node) -> None:
    node.set("ipv4/conf/all/rp_filter", 1)
    assert node.check("--bridge", "br0") == {}
    assert "strict for all" in node.check("--bridge", "br0", "--routed")["rp_filter"][1]
    node.set("ipv4/conf/all/rp_filter", 2)
    assert node.check("--bridge", "br0", "--routed") == {}


def test_an_interface_that_answers_arp_for_everybody_is_warned_of(node: Node) -> None:
    node.set("ipv4/conf/tap3/proxy_arp", 1)
    assert node.check("--bridge", "br0") == {}
    node.set("ipv4/conf/br0/proxy_arp", 1)
    assert node.check("--bridge", "br0", code=0)["proxy_arp"][1].startswith("on for br0")


def test_an_uplink_that_no_longer_hears_its_router_is_warned_of(node: Node) -> None:
    route = " ".join(
        ["0" * 32, "00", "0" * 32, "00", "fe80" + "0" * 27 + "1", "00000400", "1", "0", "00000003", "eth0"]
    )
    node.write("proc/net/ipv6_route", route + "\n")
    node.set("ipv6/conf/eth0/accept_ra", 1)
    assert node.check("--bridge", "br0", code=0)["accept_ra"][1].startswith("eth0 with accept_ra=1")
    node.set("ipv6/conf/eth0/accept_ra", 2)
    assert node.check("--bridge", "br0") == {}


def test_bridges_that_all_go_by_iptables_are_warned_of(node: Node) -> None:
    node.set("bridge/bridge-nf-call-iptables", 1)
    found = node.check("--bridge", "br0", code=0)
    assert found["bridge-nf-call"][2].startswith("`sysctl -w net.bridge.bridge-nf-call-iptables=0`")


def test_a_kernel_without_queue_is_told_from_one_without_nftables(node: Node) -> None:
    node.refused = {"queue num"}
    assert list(node.check("--bridge", "br0", code=1)) == ["nft queue"]
    node.refused = {"syros_node_check"}
    assert list(node.check("--bridge", "br0", code=1)) == ["nftables", "nft queue"]


def test_an_old_nft_is_warned_of_and_an_absent_one_is_trouble(node: Node) -> None:
    node.nft = "nftables v0.9.8 (E.D.S.)"
    assert node.check("--bridge", "br0", code=0)["nftables"][0] == "warning"
    node.absent = {"nft"}
    assert node.check("--bridge", "br0", code=1)["nftables"][2] == "`apt-get install nftables`"


@pytest.mark.parametrize(
    ("path", "module", "check", "state"),
    [
        ("proc/net/netfilter/nfnetlink_queue", "nfnetlink_queue", "nfnetlink_queue", "trouble"),
        ("dev/net/tun", "tun", "tun", "trouble"),
        ("proc/sys/net/bridge", "br_netfilter", "br_netfilter", "trouble"),
        ("dev/kvm", "kvm", "kvm", "warning"),
    ],
)
def test_what_the_kernel_lacks_is_found(node: Node, path: str, module: str, check: str, state: str) -> None:
    gone = node.root / path
    gone.rmdir() if gone.is_dir() else gone.unlink()
    node.refused = {f"modprobe --dry-run --quiet {module}"}
    assert node.check("--bridge", "br0")[check][0] == state


def test_a_module_that_can_be_loaded_is_not_missed(node: Node) -> None:
    (node.root / "dev/net/tun").unlink()
    assert node.check("--bridge", "br0") == {}


def test_vhost_net_is_missed_only_where_guests_are_to_have_it(node: Node) -> None:
    (node.root / "dev/vhost-net").unlink()
    node.refused = {"vhost_net"}
    assert node.check("--bridge", "br0") == {}
    cluster = {"enabled_hypervisors": ["kvm"], "hvparams": {"kvm": {"vhost_net": True}}}
    node.write("var/lib/ganeti/config.data", json.dumps({"cluster": cluster}))
    assert list(node.check("--bridge", "br0", code=1)) == ["vhost_net"]


def test_secrets_that_are_missing_loose_or_not_a_node_s_are_found(node: Node) -> None:
    (node.root / "etc/syros/secrets/console-token").unlink()
    state, detail, remedy = node.check("--bridge", "br0")["secrets"]
    assert (state, detail) == ("trouble", "console-token missing in /etc/syros/secrets")
    assert "syros-manage setup" in remedy
    node.write("etc/syros/secrets/console-token", "hush\n", mode=0o644)
    assert node.check("--bridge", "br0")["secrets"][1].endswith("can read /etc/syros/secrets/console-token")
    node.write("etc/syros/secrets/console-token", "hush\n", mode=0o600)
    node.write("etc/syros/secrets/database-url", "hush\n", mode=0o600)
    assert node.check("--bridge", "br0", code=0)["secrets"][0] == "warning"
    node.write("usr/lib/systemd/system/syros-dispatcher.service", "")
    assert node.check("--bridge", "br0") == {}


@pytest.mark.parametrize(
    ("unit", "state", "detail"),
    [
        ("failed failed exit-code enabled", "trouble", "failed (exit-code)"),
        ("activating auto-restart exit-code enabled", "trouble", "activating (exit-code)"),
        ("inactive dead success enabled", "trouble", "inactive: it does not run"),
        ("active running success disabled", "warning", "runs, and will not after the next boot"),
    ],
)
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_unit_that_is_down_failed_or_not_enabled_is_found(
    node: Node, program: str, unit: str, state: str, detail: str
) -> None:
    node.units[program] = unit
    found = node.check("--bridge", "br0")
    assert {name: each[:2] for name, each in found.items()} == {f"syros-{program}.service": (state, detail)}


def test_eventd_may_rest_where_the_node_is_no_candidate(node: Node) -> None:
    node.name = "node3.example"
    node.units["eventd"] = "inactive dead success disabled"
    assert node.check("--bridge", "br0") == {}
    node.name = "node2.example"
    assert list(node.check("--bridge", "br0")) == ["syros-eventd.service"]


def test_a_program_that_is_not_installed_is_missed(node: Node) -> None:
    for program in PROGRAMS:
        (node.root / f"usr/lib/systemd/system/syros-{program}.service").unlink()
    node.config.write_text("")
    found = node.check("--bridge", "br0")
    assert {name: each[0] for name, each in found.items()} == {
        "syros-eventd.service": "trouble",
        "syros-nfdhcpd.service": "trouble",
        "syros-metadatad.service": "warning",
        "syros-seriald.service": "warning",
    }
    assert found["syros-nfdhcpd.service"][2] == "`apt-get install syros-nfdhcpd`"


def test_a_program_that_runs_deaf_is_found(node: Node) -> None:
    node.write("proc/net/tcp", LISTENING.replace(":224C", ":0016"))
    assert list(node.check("--bridge", "br0", code=1)) == ["seriald's port"]
    node.write("proc/net/tcp", LISTENING)
    node.write("proc/net/netfilter/nfnetlink_queue", QUEUES.splitlines()[0] + "\n")
    assert node.check("--bridge", "br0")["nfdhcpd's queues"][1] == "nobody listens to the queues 43, 44, 45"


def test_rules_that_are_not_loaded_are_found(node: Node) -> None:
    node.refused = {"table inet syros_dhcp"}
    found = node.check("--bridge", "br0")
    assert list(found) == ["nfdhcpd's rules"]
    assert found["nfdhcpd's rules"][2] == "`nft -f /usr/share/syros/rules.nft`"


def test_folders_that_are_missing_or_open_are_found(node: Node) -> None:
    (node.root / "var/lib/nfdhcpd").rmdir()
    assert node.check("--bridge", "br0")["folders"][:2] == ("trouble", "/var/lib/nfdhcpd is not there")
    (node.root / "var/lib/nfdhcpd").mkdir()
    (node.root / "var/lib/nfdhcpd").chmod(0o777)
    assert "may write to /var/lib/nfdhcpd" in node.check("--bridge", "br0")["folders"][1]


@pytest.mark.parametrize("daemon", ["noded", "luxid", "rapi", "wconfd", "confd"])
def test_a_daemon_of_ganeti_s_that_is_down_is_named(node: Node, daemon: str) -> None:
    node.stop(f"ganeti-{daemon}")
    assert node.check("--bridge", "br0")["ganeti daemons"][:2] == ("trouble", f"ganeti-{daemon} down")


def test_the_master_s_daemons_are_not_missed_on_other_nodes(node: Node) -> None:
    node.name = "node3.example"
    for daemon in ("luxid", "rapi", "wconfd", "confd"):
        node.stop(f"ganeti-{daemon}")
    assert node.check("--bridge", "br0") == {}


def test_a_host_that_is_no_node_is_told_so(node: Node) -> None:
    (node.root / "var/lib/ganeti/ssconf_master_node").unlink()
    assert list(node.check("--bridge", "br0", code=1)) == ["ganeti"]


def test_a_host_by_another_name_than_ganeti_s_is_told_so(node: Node) -> None:
    node.name = "node1"
    assert node.check("--bridge", "br0") == {}
    node.name = "elsewhere.example"
    assert "node_name" in node.check("--bridge", "br0")["ganeti"][2]


def test_hooks_files_that_nobody_takes_are_found_on_the_master(node: Node) -> None:
    written = int((node.time - LATER).timestamp() * 1e9)
    node.write(f"var/spool/syros/hooks/{written:020d}-7", "{}")
    state, detail, _ = node.check("--bridge", "br0")["spool"]
    assert state == "trouble"
    assert detail == "1 files wait, the oldest for 600 s (more than 300)"
    node.name = "node2.example"
    assert node.check("--bridge", "br0") == {}


def test_files_that_no_hook_wrote_are_warned_of(node: Node) -> None:
    node.write("var/spool/syros/hooks/bad/x", "?")
    assert node.check("--bridge", "br0", code=0)["spool"][0] == "warning"


@pytest.mark.parametrize(("known", "state"), [(False, "trouble"), (None, "warning")])
def test_a_clock_that_nothing_keeps_is_found(node: Node, known: bool | None, state: str) -> None:
    node.clock = known
    assert node.check("--bridge", "br0")["clock"][0] == state


def test_without_systemd_the_processes_tell(node: Node) -> None:
    (node.root / "run/systemd/system").rmdir()
    found = node.check("--bridge", "br0")
    assert {name for name, each in found.items() if each[0] == "trouble"} == {
        f"syros-{each}.service" for each in PROGRAMS
    }
    for number, program in enumerate(PROGRAMS, start=200):
        node.write(f"proc/{number}/cmdline", f"/usr/bin/python3\0/usr/sbin/syros-{program}\0")
    assert {each[0] for each in node.check("--bridge", "br0", code=0).values()} == {"warning"}


def test_it_wants_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    result = CliRunner().invoke(cli, ["node", "check"], obj=Wiring(environ={}))
    assert result.exit_code == 2
    assert "root" in result.stderr
