"""/sim: commands the faults of a running simulator. No part of Ganeti; see docs/gntsim.md."""

from typing import Any

from gntsim import http
from gntsim.resources import base

CALLS = frozenset(
    {
        "fail",
        "break_rapi",
        "turn",
        "clear",
        "drain",
        "archive",
        "purge",
        "kill_job",
        "release_job",
        "operator_job",
        "node",
        "guest_poweroff",
        "stranger",
        "lose_instance",
        "move_master",
        "reinitialise",
        "poison",
    }
)


def show(world: base.World, _request: http.Request) -> Any:
    return world.faults.show()


def call(world: base.World, request: http.Request) -> Any:
    """Call one of Faults' methods with the body's members as keyword arguments."""
    name = request.items[0]
    if name not in CALLS:
        raise http.HttpError(404)
    arguments = request.body or {}
    if not isinstance(arguments, dict):
        raise http.HttpError(400, "The body must be an object of arguments")
    try:
        return getattr(world.faults, name)(**arguments)
    except (KeyError, TypeError, ValueError) as err:
        raise http.HttpError(400, f"{type(err).__name__}: {err}") from err


ROUTES = (
    base.Route("/sim/knobs", {"GET": show}),
    base.Route("/sim/{}", {"POST": call}),
)
