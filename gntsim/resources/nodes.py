"""/2/nodes and /2/groups."""

from typing import Any

from gntsim import http, jobs, views
from gntsim.resources import base

ROLES = {"M": "master", "C": "master-candidate", "R": "regular", "D": "drained", "O": "offline"}
NEW_ROLES: dict[str, dict[str, bool | None]] = {
    "regular": {"master_candidate": False, "offline": False, "drained": False},
    "master-candidate": {"master_candidate": True, "offline": None, "drained": None},
    "drained": {"master_candidate": None, "offline": None, "drained": True},
    "offline": {"master_candidate": None, "offline": True, "drained": None},
}


def index(world: base.World, request: http.Request) -> Any:
    state = world.cluster
    with state.lock:
        things = sorted(state.nodes.values(), key=lambda n: n.name)
        if request.bulk:
            return [views.node(world.cluster, thing) for thing in things]
        return [{"id": thing.name, "uri": f"/2/nodes/{thing.name}"} for thing in things]


def show(world: base.World, request: http.Request) -> Any:
    with world.cluster.lock:
        return _shown(world, base.found(world.cluster.node(request.items[0])))


def role(world: base.World, request: http.Request) -> str:
    with world.cluster.lock:
        return ROLES[views.role(world.cluster, base.found(world.cluster.node(request.items[0])))]


def set_role(world: base.World, request: http.Request) -> int:
    request.check_body(str)
    flags = NEW_ROLES.get(request.body)
    if flags is None:
        raise http.HttpError(400, f"Can't set '{request.body}' role")
    given = {
        "node_name": request.items[0],
        "force": request.flag("force"),
        "auto_promote": request.flag("auto-promote"),
    } | flags
    trail = base.trail(request, "nodes_name_role")
    return base.submit(world, [jobs.make_op("OP_NODE_SET_PARAMS", given, trail=trail, with_dry_run=False)])


def groups(world: base.World, request: http.Request) -> Any:
    state = world.cluster
    with state.lock:
        things = sorted(state.groups.values(), key=lambda g: g.name)
        if request.bulk:
            return [views.group(state, thing) for thing in things]
        return [{"name": thing.name, "uri": f"/2/groups/{thing.name}"} for thing in things]


def show_group(world: base.World, request: http.Request) -> Any:
    with world.cluster.lock:
        return views.group(world.cluster, base.found(world.cluster.group(request.items[0])))


def _shown(world: base.World, thing: Any) -> dict[str, Any]:
    return views.node(world.cluster, thing) | {"secondary_ip": thing.ip}


def _node(request: http.Request) -> dict[str, Any]:
    return {"node_name": request.items[0]}


def _group(request: http.Request) -> dict[str, Any]:
    return {"group_name": request.items[0]}


def _nothing(_request: http.Request) -> dict[str, Any]:
    return {}


def _node_job(opcode: str, resource: str, *, keeps_dry_run: bool = False) -> base.Submission:
    return base.Submission(f"OP_NODE_{opcode}", f"nodes_name_{resource}", _node, keeps_dry_run=keeps_dry_run)


ROUTES = (
    base.Route("/2/nodes", {"GET": index}),
    base.Route("/2/nodes/{}", {"GET": show}),
    base.Route("/2/nodes/{}/role", {"GET": role, "PUT": set_role}),
    base.Route("/2/nodes/{}/modify", {"POST": _node_job("SET_PARAMS", "modify")}),
    base.Route("/2/nodes/{}/migrate", {"POST": _node_job("MIGRATE", "migrate")}),
    base.Route("/2/nodes/{}/evacuate", {"POST": _node_job("EVACUATE", "evacuate", keeps_dry_run=True)}),
    base.Route(
        "/2/groups",
        {"GET": groups, "POST": base.Submission("OP_GROUP_ADD", "groups", _nothing, rename={"name": "group_name"})},
    ),
    base.Route(
        "/2/groups/{}", {"GET": show_group, "DELETE": base.Submission("OP_GROUP_REMOVE", "groups_name", _group)}
    ),
    base.Route("/2/groups/{}/modify", {"PUT": base.Submission("OP_GROUP_SET_PARAMS", "groups_name_modify", _group)}),
    base.Route("/2/groups/{}/rename", {"PUT": base.Submission("OP_GROUP_RENAME", "groups_name_rename", _group)}),
)
