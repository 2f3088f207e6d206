"""What Ganeti does with instances, and what the simulator must do alike."""

import pytest

from rapi import errors, specs
from rapi.specs import NicSpec
from tests.contract.masters import Handle


def test_a_created_instance_runs(cluster: Handle) -> None:
    with cluster.instance() as name:
        shown = cluster.api.get_instance(name)
        assert shown["name"] == name
        assert shown["status"] == "running"
        assert shown["admin_state"] == "up"
        assert shown["oper_state"] is True
        assert shown["pnode"] == cluster.node
        assert shown["beparams"]["maxmem"] == 16
        assert name in [row["name"] for row in cluster.api.get_instances()]


def test_a_create_ends_with_its_nodes(cluster: Handle) -> None:
    name = cluster.name()
    job = cluster.succeeded(cluster.api.create_instance(cluster.spec(name, start=False), reason="r"))
    assert job["opresult"] == [[cluster.node]]
    assert job["summary"] == [f"INSTANCE_CREATE({name})"]
    assert job["opstatus"] == ["success"]
    assert cluster.api.get_instance(name)["status"] == "ADMIN_down"
    cluster.succeeded(cluster.api.delete_instance(name, reason="r"))
    with pytest.raises(errors.RapiRefused) as refusal:
        cluster.api.get_instance(name)
    assert refusal.value.status == 404


def test_an_allocator_chooses_the_node(cluster: Handle) -> None:
    with cluster.instance(pnode=None, iallocator="hail") as name:
        assert cluster.api.get_instance(name)["pnode"] == cluster.node


def test_disks_and_tags_are_as_asked_for(cluster: Handle) -> None:
    disks = (specs.DiskSpec(8, name="root"), specs.DiskSpec(12))
    with cluster.instance(disk_template="file", disks=disks, start=False, tags=("snf:a", "snf:b")) as name:
        shown = cluster.api.get_instance(name)
        assert shown["disk.sizes"] == [8, 12]
        assert shown["disk.names"] == ["root", None]
        assert sorted(shown["tags"]) == ["snf:a", "snf:b"]


def test_a_second_instance_of_a_name_is_a_job_that_fails(cluster: Handle) -> None:
    with cluster.instance(start=False) as name:
        error_class, (message, code) = cluster.failed(cluster.api.create_instance(cluster.spec(name), reason="r"))
        assert (error_class, code) == ("OpPrereqError", "already_exists")
        assert message == f"Instance '{name}' is already in the cluster"


def test_a_create_on_an_unknown_node_fails_before_it_runs(cluster: Handle) -> None:
    spec = cluster.spec(cluster.name(), pnode="nowhere.lab.test")
    job = cluster.api.create_instance(spec, reason="r")
    error_class, (_, code) = cluster.failed(job)
    assert (error_class, code) == ("OpPrereqError", "unknown_entity")
    assert cluster.master.job_file(job)["ops"][0]["exec_timestamp"] is None


def test_a_create_of_an_unknown_system_leaves_no_instance(cluster: Handle) -> None:
    name = cluster.name()
    job = cluster.api.create_instance(cluster.spec(name, os="nosuch+default"), reason="r")
    error_class, (message,) = cluster.failed(job)
    assert error_class == "OpExecError"
    assert message.endswith("Directory for OS nosuch not found in search path")
    assert name not in [row["name"] for row in cluster.api.get_instances()]


def test_a_failed_deployment_leaves_the_instance_stopped(cluster: Handle) -> None:
    name = cluster.name()
    with cluster.master.failing_os() as system:
        spec = cluster.spec(name, os=system, disk_template="file", disks=(specs.DiskSpec(8),))
        error_class, (message,) = cluster.failed(cluster.api.create_instance(spec, reason="r"))
    assert error_class == "OpExecError"
    assert f"Could not add os for instance {name} on node {cluster.node}" in message
    assert cluster.api.get_instance(name)["status"] == "ADMIN_down"
    cluster.succeeded(cluster.api.delete_instance(name, reason="r"))


def test_a_body_of_an_unknown_parameter_is_refused_at_once(cluster: Handle) -> None:
    body = cluster.spec(cluster.name()).body() | {"bogus": 1}
    with pytest.raises(errors.RapiRefused, match="doesn't support the parameter 'bogus'") as refusal:
        cluster.api.create_instance(body, reason="r")
    assert refusal.value.status == 400


def test_stopping_and_starting_twice_changes_nothing_more(cluster: Handle) -> None:
    api = cluster.api
    with cluster.instance() as name:
        again = cluster.succeeded(api.startup_instance(name, reason="r"))
        assert again["opresult"] == [None]
        cluster.succeeded(api.shutdown_instance(name, reason="r", timeout=0))
        assert api.get_instance(name)["status"] == "ADMIN_down"
        again = cluster.succeeded(api.shutdown_instance(name, reason="r", timeout=0))
        assert again["opresult"] == [None]
        cluster.succeeded(api.startup_instance(name, reason="r"))
        assert api.get_instance(name)["status"] == "running"


@pytest.mark.parametrize("kind", ["soft", "hard", "full"])
def test_a_rebooted_instance_runs(cluster: Handle, kind: str) -> None:
    with cluster.instance() as name:
        job = cluster.succeeded(cluster.api.reboot_instance(name, reason="r", reboot_type=kind, shutdown_timeout=0))
        assert job["opresult"] == [None]
        assert cluster.api.get_instance(name)["status"] == "running"


def test_a_reboot_starts_a_stopped_instance(cluster: Handle) -> None:
    with cluster.instance(start=False) as name:
        cluster.succeeded(cluster.api.reboot_instance(name, reason="r", reboot_type="hard"))
        assert cluster.api.get_instance(name)["status"] == "running"


def test_a_modification_reports_what_it_changed(cluster: Handle) -> None:
    with cluster.instance(start=False) as name:
        job = cluster.api.modify_instance(name, reason="r", hotplug=False, beparams={"vcpus": 2, "maxmem": 32})
        (changes,) = cluster.succeeded(job)["opresult"]
        assert sorted(changes) == [["be/maxmem", 32], ["be/vcpus", 2]]
        shown = cluster.api.get_instance(name)
        assert shown["beparams"]["vcpus"] == 2
        assert shown["beparams"]["maxmem"] == 32


def test_a_modification_of_nothing_fails(cluster: Handle) -> None:
    with cluster.instance(start=False) as name:
        error_class, args = cluster.failed(cluster.api.modify_instance(name, reason="r", hotplug=False))
        assert (error_class, args) == ("OpPrereqError", ["No changes submitted", "wrong_input"])


def test_a_server_boots_from_a_cd_only_with_an_image_that_its_node_has(cluster: Handle) -> None:
    def modified(name: str, **hvparams: str) -> int:
        return cluster.api.modify_instance(name, reason="r", hotplug=False, hvparams=hvparams)

    with cluster.instance(start=False) as name:
        error_class, args = cluster.failed(modified(name, boot_order="cdrom"))
        assert (error_class, args) == ("HypervisorError", ["Parameter 'boot_order' is not supported"])

    with cluster.instance(start=False, hypervisor="kvm") as name:
        error_class, args = cluster.failed(modified(name, boot_order="cdrom"))
        assert (error_class, args) == ("HypervisorError", ["Cannot boot from cdrom without an ISO path"])
        error_class, args = cluster.failed(modified(name, cdrom_image_path="rescue.iso"))
        assert error_class == "HypervisorError"
        assert args[0].startswith("Parameter 'cdrom_image_path' fails syntax check: must be an absolute normalized")
        error_class, args = cluster.failed(modified(name, cdrom_image_path="/nosuch.iso"))
        assert error_class == "OpExecError"
        assert args[0].endswith("not found or not a file or URL (current value: '/nosuch.iso')")
        error_class, args = cluster.failed(modified(name, boot_order="cdrom,disk", cdrom_image_path="/etc/hostname"))
        assert error_class == "HypervisorError"
        error_class, args = cluster.failed(modified(name, nosuch="1"))
        assert (error_class, args) == ("TypeEnforcementError", ["Unknown parameter 'nosuch'"])

        cd = {"boot_order": "cdrom", "cdrom_disk_type": "ide", "kernel_path": "", "cdrom_image_path": "/etc/hostname"}
        (changes,) = cluster.succeeded(modified(name, **cd))["opresult"]
        assert sorted(changes) == sorted([f"hv/{key}", value] for key, value in cd.items())
        assert cluster.api.get_instance(name)["hvparams"]["boot_order"] == "cdrom"
        cluster.succeeded(modified(name, **dict.fromkeys(cd, "default")))
        shown = cluster.api.get_instance(name)
        assert (shown["hvparams"]["boot_order"], shown["custom_hvparams"]) == ("disk", {})


def test_a_nic_gets_an_address_of_its_networks_pool(cluster: Handle) -> None:
    api = cluster.api
    with cluster.network("10.77.1.0/28") as network, cluster.instance(start=False) as name:
        add = [["add", -1, {"network": network, "ip": "pool", "name": "port-1"}]]
        (changes,) = cluster.succeeded(api.modify_instance(name, reason="r", hotplug=False, nics=add))["opresult"]
        shown = api.get_instance(name)
        assert shown["nic.ips"] == ["10.77.1.2"]
        assert shown["nic.names"] == ["port-1"]
        assert shown["nic.networks.names"] == [network]
        mac = shown["nic.macs"][0]
        assert changes == [
            ["nic.0", f"add:mac={mac},ip=10.77.1.2,mode=bridged,link=br0,network={network}"],
        ]
        assert api.get_network(network)["free_count"] == 12
        (changes,) = cluster.succeeded(
            api.modify_instance(name, reason="r", hotplug=False, nics=[["remove", "port-1", {}]])
        )["opresult"]
        assert changes == [["NIC/0", "remove"]]
        assert api.get_instance(name)["nic.ips"] == []
        assert api.get_network(network)["free_count"] == 13


def test_what_does_not_run_is_not_hotplugged_and_a_ninth_nic_is_refused(cluster: Handle) -> None:
    api = cluster.api
    with cluster.instance(start=False) as name:
        add = [["add", -1, {"mode": "bridged", "link": "br0", "name": "port-1"}]]
        error_class, args = cluster.failed(api.modify_instance(name, reason="r", hotplug=True, nics=add))
        assert (error_class, args[1]) == ("OpPrereqError", "wrong_state")
        assert args[0].startswith("Hotplug is not possible: ")
        assert api.get_instance(name)["nic.names"] == []

        many = [["add", -1, {"mode": "bridged", "link": "br0", "name": f"port-{number}"}] for number in range(9)]
        error_class, args = cluster.failed(api.modify_instance(name, reason="r", hotplug=False, nics=many))
        assert error_class == "OpPrereqError"
        assert args == ["Instance has too many network interfaces (8), cannot add more", "wrong_state"]

        missing = [["remove", "port-1", {}]]
        error_class, args = cluster.failed(api.modify_instance(name, reason="r", hotplug=False, nics=missing))
        assert (error_class, args[1]) == ("OpPrereqError", "unknown_entity")


def test_a_nic_may_be_given_the_name_that_it_has(cluster: Handle) -> None:
    api = cluster.api
    nic = NicSpec(name="port-1", mac="aa:00:00:7e:57:01", ip="192.0.2.7", mode="bridged", link="br0")
    with cluster.instance(nics=(nic,)) as name:
        before = api.get_instance(name)
        same = [["modify", "port-1", {"name": "port-1"}]]
        job = cluster.succeeded(api.modify_instance(name, reason="r", hotplug=False, nics=same))
        assert ["nic.name/0", "port-1"] in job["opresult"][0]
        after = api.get_instance(name)
        for key in ("nic.names", "nic.macs", "nic.ips", "nic.links", "nic.modes", "nic.uuids", "status"):
            assert after[key] == before[key]


def test_an_address_that_is_taken_is_refused_by_the_job(cluster: Handle) -> None:
    with cluster.network("10.77.2.0/28") as network:
        nic = specs.NicSpec(network=network, ip="10.77.2.5")
        with cluster.instance(start=False, nics=(nic,)):
            spec = cluster.spec(cluster.name(), nics=(nic,))
            error_class, (_, code) = cluster.failed(cluster.api.create_instance(spec, reason="r"))
            assert (error_class, code) == ("OpPrereqError", "resource_not_unique")


def test_an_exhausted_pool_fails_the_job(cluster: Handle) -> None:
    with cluster.network("10.77.3.0/30") as network:
        nic = specs.NicSpec(network=network, ip="pool")
        with cluster.instance(start=False, nics=(nic,)):
            spec = cluster.spec(cluster.name(), nics=(nic,))
            error_class, _ = cluster.failed(cluster.api.create_instance(spec, reason="r"))
            assert error_class == "OpPrereqError"


def test_a_reinstall_is_three_operations_without_a_reason(cluster: Handle) -> None:
    with cluster.instance(disk_template="file", disks=(specs.DiskSpec(8),)) as name:
        job = cluster.succeeded(cluster.api.reinstall_instance(name, os=cluster.master.os))
        assert [op["OP_ID"] for op in job["ops"]] == [
            "OP_INSTANCE_SHUTDOWN",
            "OP_INSTANCE_REINSTALL",
            "OP_INSTANCE_STARTUP",
        ]
        assert job["opresult"] == [None, None, None]
        assert [op["reason"][0][0] for op in job["ops"]] == [
            "gnt:opcode:instance_shutdown",
            "gnt:opcode:instance_reinstall",
            "gnt:opcode:instance_startup",
        ]
        assert cluster.api.get_instance(name)["status"] == "running"


def test_a_reinstall_without_a_start_is_two_operations(cluster: Handle) -> None:
    with cluster.instance(disk_template="file", disks=(specs.DiskSpec(8),), start=False) as name:
        job = cluster.succeeded(cluster.api.reinstall_instance(name, no_startup=True))
        assert job["opstatus"] == ["success", "success"]
        assert cluster.api.get_instance(name)["status"] == "ADMIN_down"


def test_a_reinstall_of_an_unknown_system_fails_and_the_rest_with_it(cluster: Handle) -> None:
    with cluster.instance(disk_template="file", disks=(specs.DiskSpec(8),)) as name:
        job = cluster.ended(cluster.api.reinstall_instance(name, os="nosuch+default"))
        assert job["opstatus"] == ["success", "error", "error"]
        assert job["opresult"][1][0] == "OpExecError"
        assert job["opresult"][2] == ["OpExecError", ["Preceding opcode failed"]]


def test_a_renamed_instance_answers_to_its_new_name(cluster: Handle) -> None:
    name, new_name = cluster.name(), cluster.name()
    cluster.succeeded(cluster.api.create_instance(cluster.spec(name, start=False), reason="r"))
    job = cluster.succeeded(cluster.api.rename_instance(name, new_name, reason="r"))
    assert job["opresult"] == [new_name]
    assert cluster.api.get_instance(new_name)["name"] == new_name
    cluster.succeeded(cluster.api.delete_instance(new_name, reason="r"))


def test_changes_to_an_unknown_instance_are_jobs_that_fail(cluster: Handle) -> None:
    api, name = cluster.api, cluster.name()
    for job in (
        api.startup_instance(name, reason="r"),
        api.shutdown_instance(name, reason="r"),
        api.reboot_instance(name, reason="r", reboot_type="hard"),
        api.delete_instance(name, reason="r"),
        api.modify_instance(name, reason="r", hotplug=False, beparams={"vcpus": 2}),
    ):
        error_class, args = cluster.failed(job)
        assert (error_class, args) == ("OpPrereqError", [f"Instance '{name}' not known", "unknown_entity"])


def test_tags_come_and_go(cluster: Handle) -> None:
    api = cluster.api
    with cluster.instance(start=False) as name:
        cluster.succeeded(api.add_instance_tags(name, ["snf:b", "snf:a"], reason="r"))
        assert sorted(api.get_instance_tags(name)) == ["snf:a", "snf:b"]
        cluster.succeeded(api.delete_instance_tags(name, ["snf:b"], reason="r"))
        assert api.get_instance_tags(name) == ["snf:a"]
        error_class, _ = cluster.failed(api.delete_instance_tags(name, ["snf:b"], reason="r"))
        assert error_class == "OpPrereqError"
