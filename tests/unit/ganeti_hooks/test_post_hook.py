"""The hook as Ganeti runs it: a program of its own with a recorded environment."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from common import messages
from eventd import spool as spools
from ganeti_hooks import install, post_hook

RECORDED = Path(__file__).parents[2] / "data" / "ganeti" / "hooks"


def recorded(name: str) -> dict[str, str]:
    lines = (RECORDED / f"{name}.env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines)


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    spool = tmp_path / "spool"
    install.install_hooks(tmp_path / "hooks", spool)
    return spool


def run(spool: Path, path: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the installed hook on a host that is the master by name."""
    mine = {**env, "GANETI_MASTER": os.uname().nodename}
    program = spool.parent / "hooks" / f"{path}-post.d" / install.HOOK_NAME
    return subprocess.run([str(program)], env=mine, cwd="/", capture_output=True, text=True, check=False, timeout=20)


def events(spool: Path) -> list[messages.InstanceEvent | messages.NetworkEvent]:
    return [spools.read(path, "cluster-a") for path in spools.Spool(spool).files(100)]


@pytest.mark.parametrize("file", sorted(RECORDED.glob("*.env")), ids=lambda file: file.stem)
def test_each_recorded_hook_becomes_one_event(spool: Path, file: Path) -> None:
    path = file.stem.split(".")[1].removesuffix("-post")
    done = run(spool, path, recorded(file.stem))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (event,) = events(spool)
    assert event.opcode == recorded(file.stem)["GANETI_OP_CODE"]
    assert isinstance(event, messages.NetworkEvent if path.startswith("network-") else messages.InstanceEvent)
    assert datetime.now(tz=UTC) - event.at < timedelta(minutes=1)


def test_every_operation_of_interest_has_a_recorded_hook() -> None:
    recorded_paths = {file.stem.split(".")[1].removesuffix("-post") for file in RECORDED.glob("*.env")}
    assert recorded_paths == set(install.HOOK_PATHS)


def test_a_create_tells_the_node_and_the_nics_with_their_resolved_addresses(spool: Path) -> None:
    run(spool, "instance-add", recorded("kvm_create_mbr.instance-add-post"))
    (event,) = events(spool)
    assert isinstance(event, messages.InstanceEvent)
    assert (event.instance, event.node) == ("snf-k1.test", "node1.gnt.test")
    assert event.nics[0] == messages.Nic(
        index=0,
        mac="aa:01:02:65:c4:7d",
        ip="10.77.0.2",
        mode="bridged",
        link="br0",
        network="snf-net-1",
        uuid="9d0ab745-b113-40b7-854f-7666c70d968c",
        name="nic-a",
    )
    assert [nic.ip for nic in event.nics] == ["10.77.0.2", None, "10.99.0.7"]


def test_a_modification_tells_the_nics_as_they_are_afterwards(spool: Path) -> None:
    env = recorded("kvm_modify_nic_add_hotplug.instance-modify-post")
    run(spool, "instance-modify", env)
    (event,) = events(spool)
    assert isinstance(event, messages.InstanceEvent)
    assert len(event.nics) == int(env["GANETI_POST_INSTANCE_NIC_COUNT"])
    assert all(nic.mac for nic in event.nics)


@pytest.mark.parametrize("operation", ["migrate", "failover"])
def test_a_move_tells_the_new_node(spool: Path, operation: str) -> None:
    env = recorded(f"three_nodes.instance-{operation}-post")
    run(spool, f"instance-{operation}", env)
    (event,) = events(spool)
    assert isinstance(event, messages.InstanceEvent)
    assert event.node == env["GANETI_NEW_PRIMARY"] != env["GANETI_INSTANCE_PRIMARY"]


def test_a_rename_tells_the_new_name(spool: Path) -> None:
    run(spool, "instance-rename", recorded("kvm_rename.instance-rename-post"))
    (event,) = events(spool)
    assert isinstance(event, messages.InstanceEvent)
    assert event.instance == "snf-k1b.test"


def test_no_parameter_of_the_instance_reaches_the_spool(spool: Path) -> None:
    env = recorded("kvm_create_mbr.instance-add-post") | {"GANETI_INSTANCE_HV_vnc_password_file": "/secret"}
    run(spool, "instance-add", env)
    (file,) = spools.Spool(spool).files(2)
    names = orjson.loads(file.read_bytes())["env"]
    assert not [name for name in names if "_HV_" in name or "_BE_" in name or "TAGS" in name.split("NETWORK_")[0]]


def test_on_another_node_than_the_master_nothing_is_written(spool: Path) -> None:
    program = spool.parent / "hooks" / "instance-add-post.d" / install.HOOK_NAME
    env = recorded("kvm_create_mbr.instance-add-post") | {"GANETI_MASTER": "another.gnt.test"}
    done = subprocess.run([str(program)], env=env, capture_output=True, check=False, timeout=20)
    assert done.returncode == 0
    assert events(spool) == []


def test_a_node_may_go_by_another_name_than_its_host(tmp_path: Path) -> None:
    install.install_hooks(tmp_path / "hooks", tmp_path / "spool", node_name="node1.gnt.test")
    program = tmp_path / "hooks" / "instance-add-post.d" / install.HOOK_NAME
    env = recorded("kvm_create_mbr.instance-add-post")
    subprocess.run([str(program)], env=env, check=True, timeout=20)
    assert len(events(tmp_path / "spool")) == 1


@pytest.mark.parametrize(
    ("master", "hostname", "expected"),
    [
        ("node1.gnt.test", "node1.gnt.test", True),
        ("node1.gnt.test", "node1", True),
        ("node1.gnt.test", "node2.gnt.test", False),
        ("node1.gnt.test", "node1.other.test", False),
        ("node10.gnt.test", "node1", False),
        ("", "node1", False),
    ],
)
def test_the_master_is_told_by_name_without_asking_a_resolver(master: str, hostname: str, expected: bool) -> None:
    assert post_hook.runs_on_master(master, hostname) is expected


def test_a_missing_spool_is_said_and_does_not_fail_the_operation(spool: Path) -> None:
    spool.rmdir()
    done = run(spool, "instance-add", recorded("kvm_create_mbr.instance-add-post"))
    assert done.returncode == 0
    assert "FileNotFoundError" in done.stderr


def test_a_full_spool_takes_no_more(spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(post_hook, "LIMIT", 3)
    for number in range(3):
        post_hook.write(str(spool), post_hook.document({"GANETI_OP_CODE": "X"}, number))
    with pytest.raises(OSError, match="holds 3 files"):
        post_hook.write(str(spool), post_hook.document({"GANETI_OP_CODE": "X"}, 9))
    assert len(list(spool.iterdir())) == 3


def test_bytes_that_are_not_text_do_not_spoil_the_file(spool: Path) -> None:
    env = recorded("kvm_create_mbr.instance-add-post") | {"GANETI_POST_INSTANCE_NIC0_NAME": "a\udcff"}
    run(spool, "instance-add", env)
    (event,) = events(spool)
    assert isinstance(event, messages.InstanceEvent)
    assert event.nics[0].name == "a?"


def test_no_temporary_file_stays_behind(spool: Path) -> None:
    run(spool, "instance-add", recorded("kvm_create_mbr.instance-add-post"))
    assert [path.name for path in spool.iterdir() if path.name.startswith(".")] == []
