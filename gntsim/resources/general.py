"""The cluster as a whole: version, info, features, operating systems, tags, and queries."""

from collections.abc import Callable, Iterable
from typing import Any

import orjson

from gntsim import http, jobs, objects, query, views
from gntsim.resources import base
from gntsim.resources import jobs as job_resources

FEATURES = ["node-migrate-reqv1", "node-evac-res1", "instance-reinstall-reqv1", "instance-create-reqv1"]
OS_TIMEOUT = 30.0
TAGGED = {"instances": "instance", "nodes": "node", "groups": "nodegroup", "networks": "network"}


def nothing(_world: base.World, _request: http.Request) -> None:
    return None


def version(_world: base.World, _request: http.Request) -> int:
    return 2


def features(_world: base.World, _request: http.Request) -> list[str]:
    return FEATURES


def info(world: base.World, _request: http.Request) -> dict[str, Any]:
    with world.cluster.lock:
        return views.info(world.cluster)


def filters(_world: base.World, _request: http.Request) -> list[Any]:
    return []


def operating_systems(world: base.World, _request: http.Request) -> list[str]:
    """The OS names with their variants; Ganeti asks its nodes by a job, and so do we."""
    given = {"output_fields": ["name", "variants"], "names": []}
    job_id = base.submit(world, [jobs.make_op("OP_OS_DIAGNOSE", given, trail=[], with_dry_run=False)])

    def finished() -> bool:
        return jobs.Status(job_resources.row(world, job_id)["status"]).final

    if not world.scheduler.wait_for(finished, OS_TIMEOUT):
        raise http.HttpError(504)
    result = job_resources.row(world, job_id)["opresult"][0]
    return [f"{name}+{variant}" if variant else name for name, variants in result for variant in variants or [""]]


# -- tags -----------------------------------------------------------------------------------------------------------


def cluster_tags(world: base.World, _request: http.Request) -> list[str]:
    return list(world.cluster.identity.tags)


def _tags_of(plural: str) -> base.Handler:
    def handler(world: base.World, request: http.Request) -> list[str]:
        state = world.cluster
        finders: dict[str, Callable[[str], objects.Anything | None]] = {
            "instances": state.instance_or_uuid,
            "nodes": state.node,
            "groups": state.group,
            "networks": state.network,
        }
        with state.lock:
            return list(base.found(finders[plural](request.items[0])).tags)

    return handler


def _change_tags(opcode: str, kind: str, resource: str) -> base.Handler:
    def handler(world: base.World, request: http.Request) -> int:
        if "tag" not in request.query:
            doing = "delete" if opcode == "OP_TAGS_DEL" else "add"
            raise http.HttpError(400, f"Please specify tag(s) to {doing} using the the 'tag' parameter")
        given: dict[str, Any] = {"kind": kind, "tags": request.query["tag"], "dry_run": request.dry_run}
        if request.items:
            given["name"] = request.items[0]
        return base.submit(world, [jobs.make_op(opcode, given, trail=base.trail(request, resource))])

    return handler


def _tag_route(pattern: str, kind: str, resource: str, get: base.Handler) -> base.Route:
    put = _change_tags("OP_TAGS_SET", kind, resource)
    delete = _change_tags("OP_TAGS_DEL", kind, resource)
    return base.Route(pattern, {"GET": get, "PUT": put, "DELETE": delete})


# -- queries --------------------------------------------------------------------------------------------------------


def run_query(world: base.World, request: http.Request) -> dict[str, Any]:
    kind = request.items[0]
    body = request.body if isinstance(request.body, dict) else {}
    fields, qfilter = body.get("fields"), body.get("qfilter", body.get("filter"))
    if fields is None:
        listed = request.text("fields")
        if listed is None:
            raise http.HttpError(400, "Missing query argument 'fields'")
        fields = [name.strip() for name in listed.split(",")]
    source = SOURCES.get(kind)
    shown = orjson.dumps([kind, fields, qfilter]).decode().replace(",", ", ")
    prefix = f"Failed to parse request: Cannot convert value '{shown}', error: "
    if source is None:
        raise http.HttpError(502, f"{prefix}Can't parse value '{kind}' as neitherQueryTypeLuxi nor QueryTypeOp")
    try:
        matches = query.compiled(qfilter)
    except query.BadFilter as err:
        raise http.HttpError(502, f"{prefix}{err}") from err
    known, rows = source(world, qfilter)
    with world.cluster.lock:
        return query.answer(fields, known, [row for row in rows if matches(row)])


class LazyInstance(dict[str, Any]):
    """An instance's row that computes a field when it is first asked for."""

    def __init__(self, state: views.State, thing: objects.Instance) -> None:
        super().__init__()
        self._state = state
        self._thing = thing

    def __contains__(self, field: object) -> bool:
        return isinstance(field, str) and instance_field(field)

    def __missing__(self, field: str) -> Any:
        value = self._compute(field)
        self[field] = value
        return value

    def get(self, field: str, default: Any = None) -> Any:
        if field not in self:
            return default
        return self[field]

    def _compute(self, field: str) -> Any:
        getter = views.INSTANCE.get(field) or views.INSTANCE_MORE.get(field)
        if getter is not None:
            return getter(self._state, self._thing)
        if field.startswith("be/"):
            return views.INSTANCE["beparams"](self._state, self._thing).get(field[3:])
        if field.startswith("hv/"):
            return self._state.hvparams(self._thing).get(field[3:])
        plural, _, position = field.partition("/")
        values = self[f"{plural}s"]
        index = int(position)
        return values[index] if index < len(values) else None


def instance_field(field: str) -> bool:
    if field in views.INSTANCE or field in views.INSTANCE_MORE or field.startswith(("be/", "hv/")):
        return True
    plural, slash, position = field.partition("/")
    return bool(slash) and position.isdigit() and f"{plural}s" in views.INSTANCE


Source = tuple[Callable[[str], bool], Iterable[query.Row]]


def _instances(world: base.World, qfilter: query.Filter) -> Source:
    state = world.cluster
    names = query.requested(qfilter, "name")
    with state.lock:
        if names is None:
            things = sorted(state.instances.values(), key=lambda i: i.name)
        else:
            things = [thing for thing in map(state.instance, names) if thing is not None]
        return instance_field, [LazyInstance(state, thing) for thing in things]


def _jobs(world: base.World, qfilter: query.Filter) -> Source:
    """Live jobs, or the asked-for ones wherever they are; an unknown one is a row without data."""
    ids = query.requested(qfilter, "id")
    known = {*views.JOB_FIELDS, "opstart", "opexec", "opend", "oppriority", "priority", "archived"}
    return known.__contains__, job_resources.rows(world, world.scheduler.live_ids() if ids is None else ids)


def _rows(world: base.World, things: Iterable[Any], *renderers: Callable[[Any, Any], dict[str, Any]]) -> Source:
    rows = []
    for thing in things:
        row: dict[str, Any] = {}
        for render in renderers:
            row |= render(world.cluster, thing)
        rows.append(row)
    names = set().union(*rows) if rows else set()
    return (lambda field: not names or field in names), rows


def _nodes(world: base.World, _filter: query.Filter) -> Source:
    with world.cluster.lock:
        return _rows(world, sorted(world.cluster.nodes.values(), key=lambda n: n.name), views.node, views.node_more)


def _groups(world: base.World, _filter: query.Filter) -> Source:
    with world.cluster.lock:
        return _rows(world, world.cluster.groups.values(), views.group, views.group_more)


def _networks(world: base.World, _filter: query.Filter) -> Source:
    with world.cluster.lock:
        return _rows(world, world.cluster.networks.values(), views.network, views.network_more)


SOURCES: dict[str, Callable[[base.World, query.Filter], Source]] = {
    "instance": _instances,
    "job": _jobs,
    "node": _nodes,
    "group": _groups,
    "network": _networks,
}

ROUTES = (
    base.Route("/", {"GET": nothing}),
    base.Route("/2", {"GET": nothing}),
    base.Route("/version", {"GET": version}),
    base.Route("/2/info", {"GET": info}),
    base.Route("/2/features", {"GET": features}),
    base.Route("/2/filters", {"GET": filters}),
    base.Route("/2/os", {"GET": operating_systems}),
    base.Route(
        "/2/redistribute-config",
        {"PUT": base.Submission("OP_CLUSTER_REDIST_CONF", "redist_config", lambda _r: {}, keeps_dry_run=False)},
    ),
    base.Route("/2/query/{}", {"GET": run_query, "PUT": run_query}, writing=frozenset()),
    _tag_route("/2/tags", "cluster", "tags", cluster_tags),
    *(
        _tag_route(f"/2/{plural}/{{}}/tags", kind, f"{plural}_name_tags", _tags_of(plural))
        for plural, kind in TAGGED.items()
    ),
)
