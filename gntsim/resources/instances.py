"""/2/instances and everything below it."""

from typing import Any

from gntsim import http, jobs, views
from gntsim.resources import base


def index(world: base.World, request: http.Request) -> Any:
    state = world.cluster
    with state.lock:
        things = sorted(state.instances.values(), key=lambda i: i.name)
        if request.bulk:
            return [views.instance(state, thing) for thing in things]
        return [{"id": thing.name, "uri": f"/2/instances/{thing.name}"} for thing in things]


def create(world: base.World, request: http.Request) -> int:
    request.check_body(dict)
    body = dict(request.body)
    version = body.pop("__version__", 0)
    if version == 0:
        raise http.HttpError(400, "Instance creation request version 0 is no longer supported")
    if version != 1:
        raise http.HttpError(400, f"Unsupported request data version {version}")
    given = base.fill("OP_INSTANCE_CREATE", body, {}, rename={"os": "os_type", "name": "instance_name"})
    if world.settings.software_version.startswith("3.1"):
        given.setdefault("name_check", False)
        given.setdefault("ip_check", False)
    given["nics"] = [{k: v for k, v in nic.items() if v is not None} for nic in given["nics"]]
    given["dry_run"] = request.dry_run
    op = jobs.make_op("OP_INSTANCE_CREATE", given, trail=base.trail(request, "instances"))
    return base.submit(world, [op])


def show(world: base.World, request: http.Request) -> Any:
    state = world.cluster
    with state.lock:
        return views.instance(state, base.found(state.instance_or_uuid(request.items[0])))


def reinstall(world: base.World, request: http.Request) -> int:
    """Three opcodes in one job; the one submission that carries no reason and no dependency."""
    if request.body:
        if request.query:
            raise http.HttpError(400, "Can't combine query and body parameters")
        body = request.body
    elif request.query:
        body = {"os": request.text("os"), "start": not request.flag("nostartup")}
    else:
        body = {}
    if not isinstance(body, dict):
        raise http.HttpError(400, "Invalid body contents, not a dictionary")
    if not isinstance(body.get("start", True), bool):
        raise http.HttpError(400, "Invalid value for 'start'")
    name = request.items[0]
    wanted: list[tuple[str, dict[str, Any]]] = [
        ("OP_INSTANCE_SHUTDOWN", {"instance_name": name}),
        (
            "OP_INSTANCE_REINSTALL",
            {"instance_name": name, "os_type": body.get("os"), "osparams": body.get("osparams")},
        ),
    ]
    if body.get("start", True):
        wanted.append(("OP_INSTANCE_STARTUP", {"instance_name": name, "force": False}))
    ops = [jobs.make_op(opcode, given, trail=[], with_dry_run=False) for opcode, given in wanted]
    return base.submit(world, ops)


def modify(world: base.World, request: http.Request) -> int:
    body = request.body
    if isinstance(body, dict) and world.settings.software_version.startswith("3.1"):
        if "hotplug_if_possible" in body:
            text = "Object OpInstanceSetParams doesn't support the parameter 'hotplug_if_possible'"
            raise http.HttpError(400, f"Invalid body parameters: {text}")
        body = {"hotplug": True, **body}
    static = {"instance_name": request.items[0]}
    given = base.fill("OP_INSTANCE_SET_PARAMS", body, static, rename={"custom_beparams": "beparams"}, needs_body=True)
    trail = base.trail(request, "instances_name_modify")
    return base.submit(world, [jobs.make_op("OP_INSTANCE_SET_PARAMS", given, trail=trail, with_dry_run=False)])


def console(world: base.World, request: http.Request) -> Any:
    """A serial console; for VNC Ganeti answers 500, always."""
    state = world.cluster
    with state.lock:
        thing = state.instance_or_uuid(request.items[0])
        if thing is None:
            raise http.HttpError(500, "list index out of range")
        if not thing.running:
            raise http.HttpError(503, "Instance console unavailable")
        hvparams = state.hvparams(thing)
        node = state.nodes[thing.pnode].name
    if thing.hypervisor == "fake":
        return {"instance": thing.name, "kind": "msg", "message": "Console not available for fake hypervisor"}
    if not hvparams["serial_console"]:
        raise http.HttpError(500, "Unable to load QueryResponse: display")
    socket = f"UNIX-CONNECT:/var/run/ganeti/kvm-hypervisor/ctrl/{thing.name}.serial"
    command = ["/usr/lib/ganeti/tools/kvm-console-wrapper", "/usr/bin/socat", "STDIO,raw,echo=0,icanon=0", socket]
    return {"instance": thing.name, "kind": "ssh", "host": node, "user": "root", "command": command}


def _name(request: http.Request) -> dict[str, Any]:
    return {"instance_name": request.items[0]}


def _startup(request: http.Request) -> dict[str, Any]:
    return _name(request) | {"force": request.flag("force"), "no_remember": request.flag("no_remember")}


def _shutdown(request: http.Request) -> dict[str, Any]:
    return _name(request) | {"no_remember": request.flag("no_remember")}


def _reboot(request: http.Request) -> dict[str, Any]:
    kind = request.text("type", "hard")
    return _name(request) | {"reboot_type": kind, "ignore_secondaries": request.flag("ignore_secondaries")}


def _grow(request: http.Request) -> dict[str, Any]:
    try:
        return _name(request) | {"disk": int(request.items[1])}
    except ValueError as err:
        raise http.HttpError(404) from err


def _info(request: http.Request) -> dict[str, Any]:
    return {"instances": [request.items[0]], "static": request.flag("static")}


def _job(opcode: str, resource: str, static: Any = _name, **options: Any) -> base.Submission:
    return base.Submission(f"OP_INSTANCE_{opcode}", f"instances_name{resource}", static, **options)


ROUTES = (
    base.Route("/2/instances", {"GET": index, "POST": create}),
    base.Route(
        "/2/instances-multi-alloc",
        {
            "POST": base.Submission(
                "OP_INSTANCE_MULTI_ALLOC", "instances_multi_alloc", lambda _request: {}, default_body=False
            )
        },
    ),
    base.Route("/2/instances/{}", {"GET": show, "DELETE": _job("REMOVE", "")}),
    base.Route("/2/instances/{}/startup", {"PUT": _job("STARTUP", "_startup", _startup, takes_body=False)}),
    base.Route("/2/instances/{}/shutdown", {"PUT": _job("SHUTDOWN", "_shutdown", _shutdown)}),
    base.Route("/2/instances/{}/reboot", {"POST": _job("REBOOT", "_reboot", _reboot)}),
    base.Route("/2/instances/{}/reinstall", {"POST": reinstall}),
    base.Route("/2/instances/{}/modify", {"PUT": modify}),
    base.Route("/2/instances/{}/rename", {"PUT": _job("RENAME", "_rename", keeps_dry_run=False)}),
    base.Route("/2/instances/{}/migrate", {"PUT": _job("MIGRATE", "_migrate", keeps_dry_run=False)}),
    base.Route("/2/instances/{}/failover", {"PUT": _job("FAILOVER", "_failover", keeps_dry_run=False)}),
    base.Route(
        "/2/instances/{}/export",
        {
            "PUT": base.Submission(
                "OP_BACKUP_EXPORT",
                "instances_name_export",
                _name,
                rename={"destination": "target_node"},
                keeps_dry_run=False,
            )
        },
    ),
    base.Route("/2/instances/{}/info", {"GET": _job("QUERY_DATA", "_info", _info, keeps_dry_run=False)}),
    base.Route("/2/instances/{}/activate-disks", {"PUT": _job("ACTIVATE_DISKS", "_activate_disks")}),
    base.Route("/2/instances/{}/deactivate-disks", {"PUT": _job("DEACTIVATE_DISKS", "_deactivate_disks")}),
    base.Route("/2/instances/{}/disk/{}/grow", {"POST": _job("GROW_DISK", "_disk_grow", _grow, keeps_dry_run=False)}),
    base.Route("/2/instances/{}/console", {"GET": console}),
)
