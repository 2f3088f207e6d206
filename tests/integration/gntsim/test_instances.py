"""What the opcodes do to instances and networks."""

from tests.integration.gntsim import conftest


def test_an_instance_gets_the_lowest_free_address(sim: conftest.Sim) -> None:
    sim.network()
    for number in (1, 2):
        sim.create(f"snf-{number}", nics=[{"network": "net-1", "ip": "pool"}])
    assert sim.get("/2/instances/snf-2")["nic.ips"] == ["10.77.0.3"]
    assert sim.get("/2/instances/snf-2")["nic.macs"][0].startswith("aa:01:02:")
    sim.do("DELETE", "/2/instances/snf-1", {"shutdown_timeout": 0})
    sim.create("snf-3", nics=[{"network": "net-1", "ip": "pool"}])
    assert sim.get("/2/instances/snf-3")["nic.ips"] == ["10.77.0.2"]


def test_a_failed_creation_gives_its_address_back(sim: conftest.Sim) -> None:
    sim.network()
    sim.knobs.fail("exec", "OP_INSTANCE_CREATE")
    sim.create("snf-1", status="error", nics=[{"network": "net-1", "ip": "pool"}])
    assert sim.get("/2/networks/net-1")["free_count"] == 253


def test_a_taken_address_is_refused(sim: conftest.Sim) -> None:
    sim.network()
    nic = {"network": "net-1", "ip": "10.77.0.9"}
    sim.create("snf-1", nics=[nic])
    error_class, args = sim.create("snf-2", status="error", nics=[nic])["opresult"][0]
    assert (error_class, args[1]) == ("OpPrereqError", "resource_not_unique")


def test_starting_twice_says_nothing(sim: conftest.Sim) -> None:
    sim.create("snf-1")
    assert sim.do("PUT", "/2/instances/snf-1/startup", {})["oplog"] == [[]]


def test_a_stopped_instance_is_stopped_by_admin(sim: conftest.Sim) -> None:
    sim.create("snf-1")
    sim.do("PUT", "/2/instances/snf-1/shutdown", {"timeout": 1})
    shown = sim.get("/2/instances/snf-1")
    assert (shown["status"], shown["oper_state"], shown["oper_ram"]) == ("ADMIN_down", False, None)


def test_a_nic_is_added_changed_and_removed(sim: conftest.Sim) -> None:
    sim.network()
    sim.create("snf-1")
    path = "/2/instances/snf-1/modify"
    added = sim.do("PUT", path, {"nics": [["add", -1, {"network": "net-1", "ip": "pool", "name": "n"}]]})
    mac = sim.get("/2/instances/snf-1")["nic.macs"][0]
    assert added["opresult"] == [[["nic.0", f"add:mac={mac},ip=10.77.0.2,mode=bridged,link=br0,network=net-1"]]]
    changed = sim.do("PUT", path, {"nics": [["modify", "n", {"ip": "10.77.0.99"}]], "hotplug": True})
    assert changed["opresult"][0][0] == ["nic.ip/0", "10.77.0.99"]
    removed = sim.do("PUT", path, {"nics": [["remove", "n", {}]], "hotplug": True})
    assert removed["opresult"] == [[["NIC/0", "remove"], ["NIC/0", "hotplug:done"]]]
    assert sim.get("/2/networks/net-1")["free_count"] == 253


def test_what_does_not_run_is_not_hotplugged(sim: conftest.Sim) -> None:
    sim.create("snf-1", start=False)
    change = {"nics": [["add", -1, {"link": "br0"}]], "hotplug": True}
    refused = sim.do("PUT", "/2/instances/snf-1/modify", change, status="error")
    name, (text, code) = refused["opresult"][0]
    assert (name, code) == ("OpPrereqError", "wrong_state")
    assert text.startswith("Hotplug is not possible: ")
    assert sim.get("/2/instances/snf-1")["nic.macs"] == []


def test_a_disk_is_detached_and_attached(sim: conftest.Sim) -> None:
    sim.create("snf-1")
    sim.create("snf-2")
    sim.do("PUT", "/2/instances/snf-1/modify", {"disks": [["add", -1, {"size": 16, "name": "data"}]]})
    sim.do("PUT", "/2/instances/snf-1/modify", {"disks": [["detach", "data", {}]]})
    sim.do("PUT", "/2/instances/snf-2/modify", {"disks": [["attach", -1, {"name": "data"}]]})
    assert sim.get("/2/instances/snf-2")["disk.sizes"] == [64, 16]


def test_an_empty_change_is_refused(sim: conftest.Sim) -> None:
    sim.create("snf-1")
    shown = sim.do("PUT", "/2/instances/snf-1/modify", {}, status="error")
    assert shown["opresult"] == [["OpPrereqError", ["No changes submitted", "wrong_input"]]]


def test_a_guest_moves_and_runs_on(sim: conftest.Sim) -> None:
    sim.create("snf-1", pnode="node1.gnt.test")
    sim.do("PUT", "/2/instances/snf-1/migrate", {"mode": "live", "target_node": "node3.gnt.test"})
    shown = sim.get("/2/instances/snf-1")
    assert (shown["pnode"], shown["status"]) == ("node3.gnt.test", "running")


def test_a_guest_on_a_local_file_cannot_move(sim: conftest.Sim) -> None:
    sim.create("snf-1", disk_template="file")
    shown = sim.do("PUT", "/2/instances/snf-1/migrate", {}, status="error")
    text = "Instance's disk layout 'file' does not allow migrations"
    assert shown["opresult"] == [["OpPrereqError", [text, "wrong_state"]]]


def test_a_short_name_is_expanded_while_running(sim: conftest.Sim) -> None:
    sim.create("snf-1.vm.test")
    job = sim.submit("PUT", "/2/instances/SNF-1/shutdown", {})
    assert sim.ended(job)["ops"][0]["instance_name"] == "snf-1.vm.test"
    assert sim.written[job][0]["ops"][0]["input"]["instance_name"] == "SNF-1"
    assert sim.call("GET", "/2/instances/SNF-1").status == 404
    assert sim.get("/2/instances/snf-1")["name"] == "snf-1.vm.test"


def test_a_query_answers_cells_with_their_state(sim: conftest.Sim) -> None:
    sim.create("snf-1", tags=["t"])
    body = {
        "fields": ["name", "be/vcpus", "nic.ip/0", "foo"],
        "qfilter": ["&", ["=[]", "tags", "t"], ["=~", "name", "^snf"]],
    }
    answer = sim.call("PUT", "/2/query/instance", body).body
    assert answer["data"] == [[[0, "snf-1"], [0, 1], [0, None], [1, None]]]
    assert [field["kind"] for field in answer["fields"]][::3] == ["text", "unknown"]


def test_many_jobs_are_asked_for_by_id(sim: conftest.Sim) -> None:
    sim.create("snf-1")
    sim.knobs.archive()
    sim.create("snf-2")
    wanted = {"fields": ["id", "status"], "qfilter": ["|", ["=", "id", 1], ["=", "id", 2]]}
    answer = sim.call("PUT", "/2/query/job", wanted).body
    assert answer["data"] == [[[0, 1], [0, "success"]], [[0, 2], [0, "success"]]]


def test_a_full_cluster_refuses_another_instance(sim: conftest.Sim) -> None:
    big = {"maxmem": 200000, "minmem": 200000, "vcpus": 1}
    for number in (1, 2, 3):
        sim.create(f"snf-{number}", beparams=big)
    error_class, args = sim.create("snf-4", status="error", beparams=big)["opresult"][0]
    assert (error_class, args[1]) == ("OpPrereqError", "insufficient_resources")


def test_a_network_in_use_stays_connected(sim: conftest.Sim) -> None:
    sim.network()
    sim.create("snf-1", nics=[{"network": "net-1", "ip": "pool"}])
    sim.do("PUT", "/2/networks/net-1/disconnect", {"group_name": "default"}, status="error")
    sim.do("DELETE", "/2/networks/net-1", status="error")


def test_a_dry_run_changes_nothing(sim: conftest.Sim) -> None:
    job = sim.submit("POST", "/2/instances?dry-run=1", conftest.create_body("snf-1"))
    node = sim.get("/2/nodes/node1.gnt.test")["uuid"]
    shown = sim.ended(job)
    assert shown["status"] == "success"
    assert len(shown["opresult"][0][0]) == len(node)
    assert sim.get("/2/instances") == []


def test_missing_tags_are_not_deleted(sim: conftest.Sim) -> None:
    sim.create("snf-1")
    sim.do("PUT", "/2/instances/snf-1/tags?tag=a&tag=b")
    assert sorted(sim.get("/2/instances/snf-1/tags")) == ["a", "b"]
    shown = sim.do("DELETE", "/2/instances/snf-1/tags?tag=c", status="error")
    assert shown["opresult"] == [["OpPrereqError", ["Tag(s) 'c' not found", "unknown_entity"]]]
