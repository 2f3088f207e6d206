"""/2/networks."""

from typing import Any

from gntsim import http, views
from gntsim.resources import base


def index(world: base.World, request: http.Request) -> Any:
    state = world.cluster
    with state.lock:
        things = sorted(state.networks.values(), key=lambda n: n.name)
        if request.bulk:
            return [views.network(state, thing) for thing in things]
        return [{"name": thing.name, "uri": f"/2/networks/{thing.name}"} for thing in things]


def show(world: base.World, request: http.Request) -> Any:
    with world.cluster.lock:
        return views.network(world.cluster, base.found(world.cluster.network(request.items[0])))


def _name(request: http.Request) -> dict[str, Any]:
    return {"network_name": request.items[0]}


def _job(opcode: str, resource: str, *, keeps_dry_run: bool = True) -> base.Submission:
    return base.Submission(f"OP_NETWORK_{opcode}", f"networks_name{resource}", _name, keeps_dry_run=keeps_dry_run)


ROUTES = (
    base.Route(
        "/2/networks",
        {
            "GET": index,
            "POST": base.Submission(
                "OP_NETWORK_ADD",
                "networks",
                lambda _request: {},
                rename={"name": "network_name"},
                default_body=False,
            ),
        },
    ),
    base.Route("/2/networks/{}", {"GET": show, "DELETE": _job("REMOVE", "")}),
    base.Route("/2/networks/{}/connect", {"PUT": _job("CONNECT", "_connect")}),
    base.Route("/2/networks/{}/disconnect", {"PUT": _job("DISCONNECT", "_disconnect")}),
    base.Route("/2/networks/{}/modify", {"PUT": _job("SET_PARAMS", "_modify", keeps_dry_run=False)}),
)
