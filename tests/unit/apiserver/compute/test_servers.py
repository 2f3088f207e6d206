import re
from datetime import timedelta

import pytest
import sqlalchemy as sa

from cloud.context import Cloud
from db.instances import State, Task
from db.sessions import Sessions
from tests.unit.apiserver.asking import Asking
from tests.unit.apiserver.compute.conftest import Become, MakeServer
from tests.unit.apiserver.conftest import Clock

PATH = "/compute/v2.1/servers"
NIC = {"index": 0, "mac": "aa:00:00:00:00:01", "ip": "192.0.2.7", "network": "lan"}


def names_of(asking: Asking, query: str = "") -> list[str]:
    answer = asking.get(f"{PATH}{query}")
    assert answer.status_code == 200, answer.text
    return [server["name"] for server in answer.json["servers"]]


@pytest.fixture
def three(make: MakeServer, clock: Clock) -> dict[str, str]:
    """Three servers, a minute apart."""
    made = {}
    for name in ("one", "two", "three"):
        made[name] = make(name)
        clock.forward(minutes=1)
    return made


def test_servers_are_listed_newest_first(demo: Asking, three: dict[str, str]) -> None:
    assert names_of(demo) == ["three", "two", "one"]
    assert names_of(demo, "/detail") == ["three", "two", "one"]


def test_a_list_in_brief_has_ids_names_and_links(demo: Asking, make: MakeServer) -> None:
    make()
    assert set(demo.get(PATH).json["servers"][0]) == {"id", "name", "links"}


def test_a_list_in_detail_shows_what_showing_one_does(demo: Asking, active: str) -> None:
    assert demo.get(f"{PATH}/detail").json["servers"] == [demo.get(f"{PATH}/{active}").json["server"]]


def test_links_lead_through_all_pages_to_an_end(demo: Asking, three: dict[str, str]) -> None:
    found, path = [], f"{PATH}?limit=2&name=t?"
    while path:
        page = demo.get(path).json
        found += [server["name"] for server in page["servers"]]
        following = page.get("servers_links")
        path = following[0]["href"].removeprefix("http://cloud.example:8774") if following else ""
    assert found == ["three", "two", "one"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?name=t", ["three", "two"]),
        ("?name=^t.o$", ["two"]),
        ("?name=o%7Ctw", ["two", "one"]),
        ("?name=Two", []),
        ("?status=BUILD", ["three"]),
        ("?status=active", ["two"]),
        ("?status=ACTIVE&status=SHUTOFF", ["two", "one"]),
        ("?status=999", []),
        ("?flavor=1", ["three", "two", "one"]),
        ("?flavor=none", []),
        ("?flavor=http://cloud.example:8774/compute/flavors/1", ["three", "two", "one"]),
        ("?image=none", []),
        ("?ip=192", []),
        ("?uuid=none", []),
        ("?limit=0", []),
        ("?changes-since=2026-01-31T12:30:00Z", ["one"]),
        ("?changes-since=2026-01-31T13:30:00+01:00", ["one"]),
        ("?deleted=false", ["three", "two", "one"]),
        ("?deleted=true", []),
        ("?all_tenants=false", ["three", "two", "one"]),
        ("?host=node9", ["three", "two", "one"]),
        ("?tenant_id=ignored", ["three", "two", "one"]),
        ("?what=ever", ["three", "two", "one"]),
        ("?sort_key=created_at&sort_dir=desc", ["three", "two", "one"]),
        ("?sort_dir=desc", ["three", "two", "one"]),
        ("?key_name=mine", []),
        ("?locked=true", []),
        ("?locked=false", ["three", "two", "one"]),
        ("?vm_state=active", ["two"]),
        ("?vm_state=active&vm_state=stopped&status=SHUTOFF", ["one"]),
        ("?task_state=spawning", ["three"]),
        ("?task_state=None", ["two", "one"]),
        ("?power_state=4", ["one"]),
        ("?power_state=9", []),
        ("?availability_zone=nova", ["three", "two", "one"]),
        ("?availability_zone=elsewhere", []),
    ],
)
def test_a_filter_finds_what_it_says(
    demo: Asking, become: Become, three: dict[str, str], cloud: Cloud, query: str, found: list[str]
) -> None:
    become(three["two"], State.ACTIVE)
    become(three["one"], State.STOPPED, updated_at=cloud.clock() + timedelta(hours=1))
    assert names_of(demo, query) == found


@pytest.mark.parametrize(
    "query",
    [
        "limit=-1",
        "limit=x",
        "marker=none",
        "name=(",
        "name=(a%2B)%2B",
        "changes-since=yesterday",
        "deleted=perhaps",
        "all_tenants=perhaps",
        "sort_key=power",
        "sort_key=vm_state",
        "sort_dir=up",
        "description=mine",
        "locked=perhaps",
        "power_state=on",
    ],
)
def test_a_query_that_can_not_be_meant_or_served_is_refused(demo: Asking, query: str) -> None:
    assert demo.get(f"{PATH}?{query}").status_code == 400


@pytest.mark.parametrize(
    ("order", "found"),
    [
        ("sort_key=display_name&sort_dir=asc", ["one", "three", "two"]),
        ("sort_key=name", ["two", "three", "one"]),
        ("sort_key=updated_at", ["one", "three", "two"]),
        ("sort_key=key_name&sort_dir=asc", ["two", "one", "three"]),
        ("sort_key=key_name&sort_dir=desc&sort_key=name&sort_dir=asc", ["one", "two", "three"]),
        ("sort_key=terminated_at&sort_key=name&sort_dir=asc", ["one", "three", "two"]),
        ("sort_key=image_ref&sort_key=key_name&sort_key=created_at&sort_dir=asc", ["two", "one", "three"]),
    ],
)
def test_any_order_pages_through_every_server_once(
    demo: Asking, become: Become, three: dict[str, str], cloud: Cloud, order: str, found: list[str]
) -> None:
    become(three["one"], State.ACTIVE, updated_at=cloud.clock() + timedelta(hours=1), key_name="z")
    become(three["two"], State.ACTIVE, updated_at=cloud.clock() - timedelta(hours=1), key_name="a")
    seen: list[str] = []
    marker = ""
    while page := demo.get(f"{PATH}?limit=1&{order}{marker}").json["servers"]:
        seen += [server["name"] for server in page]
        marker = f"&marker={page[-1]['id']}"
    assert seen == found


def test_only_admins_sort_by_the_node(demo: Asking, admin: Asking, three: dict[str, str]) -> None:
    assert demo.get(f"{PATH}?sort_key=host").status_code == 403
    assert admin.get(f"{PATH}?sort_key=host&all_tenants=1").status_code == 200


def test_another_projects_server_is_no_marker(stranger: Asking, active: str) -> None:
    assert stranger.get(f"{PATH}?marker={active}").status_code == 400


def test_what_is_deleted_is_found_by_those_who_ask(demo: Asking, make: MakeServer, clock: Clock) -> None:
    server = make("gone")
    clock.forward(minutes=1)
    assert demo.delete(f"{PATH}/{server}").status_code == 204
    assert demo.get(f"{PATH}/{server}").status_code == 404
    assert names_of(demo) == []
    for query in ("deleted=true", "status=DELETED", "changes-since=2026-01-31T12:00:30"):
        (found,) = demo.get(f"{PATH}/detail?{query}").json["servers"]
        assert (found["name"], found["status"]) == ("gone", "DELETED")
        assert found["OS-SRV-USG:terminated_at"] == "2026-01-31T12:01:00.000000"


def test_only_admins_see_every_projects_servers(
    demo: Asking, admin: Asking, stranger: Asking, make: MakeServer
) -> None:
    make("ours")
    make("theirs", by=stranger)
    assert names_of(admin) == []
    assert names_of(admin, "?all_tenants=1") == ["theirs", "ours"] or names_of(admin, "?all_tenants=1") == [
        "ours",
        "theirs",
    ]
    project = demo.get("/identity/v3/auth/projects").json["projects"][0]["id"]
    assert names_of(admin, f"?all_tenants=&project_id={project}") == ["ours"]
    for query in ("all_tenants=1", "all_tenants=", "all_projects=True"):
        assert demo.get(f"{PATH}?{query}").status_code == 403


def test_only_admins_see_where_a_server_runs(demo: Asking, admin: Asking, active: str, become: Become) -> None:
    become(active, State.ACTIVE, node="node1.example")
    theirs = admin.get(f"{PATH}/{active}").json["server"]
    ours = demo.get(f"{PATH}/{active}").json["server"]
    assert theirs["OS-EXT-SRV-ATTR:host"] == "node1.example"
    assert theirs["OS-EXT-SRV-ATTR:instance_name"] == f"syros-{active}"
    assert "node1" not in str(ours)
    assert re.fullmatch("[0-9a-f]{56}", ours["hostId"])
    assert names_of(admin, "?all_tenants=1&host=node1.example") == ["web"]


def test_an_instance_in_error_tells_its_fault(demo: Asking, active: str, become: Become, cloud: Cloud) -> None:
    become(active, State.ERROR, fault_code=500, fault_message="no room", fault_at=cloud.clock())
    shown = demo.get(f"{PATH}/{active}").json["server"]
    assert shown["fault"] == {"code": 500, "created": "2026-01-31T12:00:00Z", "message": "no room"}
    assert "progress" not in shown


def test_a_fault_of_the_past_is_not_shown(demo: Asking, active: str, become: Become) -> None:
    become(active, State.ACTIVE, fault_message="long ago")
    assert "fault" not in demo.get(f"{PATH}/{active}").json["server"]


def test_addresses_are_shown_by_network(demo: Asking, active: str, become: Become) -> None:
    become(active, State.ACTIVE, nics=[NIC, {**NIC, "ip": None}, {**NIC, "ip": "2001:db8::7", "network": None}])
    shown = demo.get(f"{PATH}/{active}").json["server"]["addresses"]
    assert shown["lan"] == [
        {
            "version": 4,
            "addr": "192.0.2.7",
            "OS-EXT-IPS:type": "fixed",
            "OS-EXT-IPS-MAC:mac_addr": "aa:00:00:00:00:01",
        }
    ]
    plain = demo.get(f"{PATH}/{active}/ips").json["addresses"]
    assert plain == {
        "lan": [{"version": 4, "addr": "192.0.2.7"}],
        "private": [{"version": 6, "addr": "2001:db8::7"}],
    }
    assert demo.get(f"{PATH}/{active}/ips/lan").json == {"lan": plain["lan"]}
    assert demo.get(f"{PATH}/{active}/ips/wan").status_code == 404


def test_a_server_is_renamed_and_answered_in_short(demo: Asking, active: str) -> None:
    answer = demo.put(f"{PATH}/{active}", {"server": {"name": " new ", "accessIPv4": "192.0.2.9"}})
    assert answer.status_code == 200
    server = answer.json["server"]
    assert (server["name"], server["accessIPv4"]) == ("new", "192.0.2.9")
    assert not {"key_name", "security_groups", "config_drive", "OS-EXT-STS:vm_state"} & set(server)
    assert demo.get(f"{PATH}/{active}").json["server"]["name"] == "new"


def test_an_address_is_taken_away_by_an_empty_text(demo: Asking, active: str) -> None:
    demo.put(f"{PATH}/{active}", {"server": {"accessIPv4": "192.0.2.9"}})
    assert demo.put(f"{PATH}/{active}", {"server": {"accessIPv4": ""}}).json["server"]["accessIPv4"] == ""


@pytest.mark.parametrize(
    "server", [{"name": ""}, {"name": "x" * 256}, {"name": None}, {"accessIPv4": "x"}, {"OS-DCF:diskConfig": "MANUAL"}]
)
def test_a_change_that_can_not_be_meant_is_refused(demo: Asking, active: str, server: dict[str, object]) -> None:
    assert demo.put(f"{PATH}/{active}", {"server": server}).status_code == 400


def test_deleting_twice_is_no_mistake_while_it_lasts(demo: Asking, active: str, become: Become) -> None:
    become(active, State.ACTIVE, present=True)
    assert [demo.delete(f"{PATH}/{active}").status_code for _ in range(2)] == [204, 204]
    shown = demo.get(f"{PATH}/{active}").json["server"]
    assert (shown["status"], shown["OS-EXT-STS:task_state"]) == ("ACTIVE", "deleting")


@pytest.mark.parametrize("path", ["/servers/", "/servers//action", "/images/", "/flavors/", "/servers/none"])
def test_an_empty_or_unknown_id_is_not_found(demo: Asking, path: str) -> None:
    assert demo.get(f"/compute/v2.1{path}").status_code == 404


TENANT_ROUTES = [
    ("GET", "", None),
    ("PUT", "", {"server": {"name": "mine"}}),
    ("DELETE", "", None),
    ("POST", "/action", {"os-stop": None}),
    ("POST", "/action", {"reboot": {"type": "HARD"}}),
    ("POST", "/action", {"rebuild": {}}),
    ("GET", "/ips", None),
    ("GET", "/ips/lan", None),
    ("GET", "/metadata", None),
    ("POST", "/metadata", {"metadata": {}}),
    ("PUT", "/metadata", {"metadata": {}}),
    ("GET", "/metadata/k", None),
    ("PUT", "/metadata/k", {"meta": {"k": "v"}}),
    ("DELETE", "/metadata/k", None),
    ("GET", "/diagnostics", None),
    ("GET", "/tags", None),
    ("PUT", "/tags", {"tags": ["mine"]}),
    ("DELETE", "/tags", None),
    ("GET", "/tags/mine", None),
    ("PUT", "/tags/mine", None),
    ("DELETE", "/tags/mine", None),
    ("GET", "/os-instance-actions", None),
    ("GET", "/os-instance-actions/req-1", None),
    ("GET", "/os-security-groups", None),
    ("GET", "/os-server-password", None),
    ("DELETE", "/os-server-password", None),
    ("GET", "/os-volume_attachments", None),
    ("GET", "/os-interface", None),
    ("POST", "/os-interface", {"interfaceAttachment": {}}),
    ("GET", "/os-interface/port-1", None),
    ("DELETE", "/os-interface/port-1", None),
    ("GET", "/console-links", None),
    ("POST", "/console-links", {"console_link": {"seconds": 60}}),
    ("DELETE", "/console-links/link-1", None),
    ("POST", "/remote-consoles", {"remote_console": {"protocol": "vnc", "type": "novnc"}}),
    ("POST", "/action", {"os-getVNCConsole": {"type": "novnc"}}),
    ("POST", "/action", {"os-getSerialConsole": {"type": "serial"}}),
    ("POST", "/action", {"console": {"type": "vnc"}}),
    ("POST", "/action", {"addFixedIp": {"networkId": "none"}}),
    ("POST", "/action", {"removeFixedIp": {"address": "192.0.2.9"}}),
]


@pytest.mark.parametrize(("method", "path", "body"), TENANT_ROUTES)
def test_another_tenants_server_is_as_good_as_none_on_every_route(
    stranger: Asking, active: str, method: str, path: str, body: object
) -> None:
    theirs = stranger.send(method, f"{PATH}/{active}{path}", json=body)
    nobodys = stranger.send(method, f"{PATH}/{'0' * 8}-0000-4000-8000-{'0' * 12}{path}", json=body)
    assert (theirs.status_code, nobodys.status_code) == (404, 404)
    assert theirs.json["itemNotFound"]["message"].replace(active, "") == nobodys.json["itemNotFound"][
        "message"
    ].replace("00000000-0000-4000-8000-000000000000", "")


def test_no_route_of_a_server_is_left_out_of_that(app: object) -> None:
    rules = app.url_map.iter_rules()  # type: ignore[attr-defined]  # a Flask app
    prefix = "/compute/<compute:version>/servers/<server_id>"
    served = {
        (method, rule.rule.removeprefix(prefix))
        for rule in rules
        if rule.rule.startswith(prefix)
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    tried = {
        (
            method,
            path.replace("/lan", "/<network>")
            .replace("/k", "/<key>")
            .replace("/req-1", "/<request_id>")
            .replace("/port-1", "/<port_id>")
            .replace("/link-1", "/<link_id>")
            .replace("/mine", "/<tag>"),
        )
        for method, path, _ in TENANT_ROUTES
    }
    assert served == tried


@pytest.mark.parametrize(
    ("path", "number"),
    [("", 2), ("/detail", 4), ("/detail?status=ACTIVE&name=x&limit=5", 2)],
    ids=["brief", "with addresses", "nothing found"],
)
def test_a_list_takes_a_few_statements_however_many_servers_there_are(
    demo: Asking, make: MakeServer, sessions: Sessions, path: str, number: int
) -> None:
    make(max_count=9)
    statements: list[str] = []

    def count(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            statements.append(statement)

    sa.event.listen(sessions.engine, "before_cursor_execute", count)
    try:
        demo.get(f"{PATH}{path}")
    finally:
        sa.event.remove(sessions.engine, "before_cursor_execute", count)
    assert len(statements) == number


def test_a_server_under_a_task_tells_it(demo: Asking, active: str, become: Become) -> None:
    become(active, State.STOPPED, Task.STARTING)
    shown = demo.get(f"{PATH}/{active}").json["server"]
    assert (shown["status"], shown["OS-EXT-STS:task_state"]) == ("SHUTOFF", "powering-on")
