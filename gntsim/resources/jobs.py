"""/2/jobs: listing, showing, waiting for and canceling jobs."""

from collections.abc import Iterable
from typing import Any

import orjson

from gntsim import http, jobs, views
from gntsim.resources import base


def index(world: base.World, request: http.Request) -> Any:
    ids = world.scheduler.live_ids()
    if not request.bulk:
        return [{"id": job_id, "uri": f"/2/jobs/{job_id}"} for job_id in ids]
    return [{name: row[name] for name in views.JOB_BULK_FIELDS} for row in rows(world, ids)]


def rows(world: base.World, ids: Iterable[int]) -> list[dict[str, Any]]:
    """Every field of each job; one that does not exist has nothing but its id."""
    return [row(world, job_id) for job_id in ids]


def row(world: base.World, job_id: int) -> dict[str, Any]:
    content = world.scheduler.file(job_id)
    if content is None:
        return {"id": job_id}
    if not content.isascii():
        # Nobody can read a list of jobs while one of them holds such text.
        raise http.HttpError(500, "hGetContents: invalid argument (invalid byte sequence)")
    return views.job(jobs.parse(orjson.loads(content)), archived=not world.scheduler.is_live(job_id))


def show(world: base.World, request: http.Request) -> Any:
    """One job; an unknown one is 200 with all fields null."""
    found = row(world, job_id(request))
    return {name: found.get(name) for name in views.JOB_FIELDS}


def cancel(world: base.World, request: http.Request) -> Any:
    return list(world.scheduler.cancel(job_id(request)))


def wait(world: base.World, request: http.Request) -> Any:
    """Answer when the asked fields or the log differ from what the client has seen, or after the timeout."""
    if not isinstance(request.body, dict):
        raise http.HttpError(500, "'NoneType' object is not subscriptable")
    number = job_id(request)
    fields = request.body["fields"]
    seen = request.body.get("previous_job_info")
    serial = request.body.get("previous_log_serial") or -1
    if world.scheduler.file(number) is None:
        raise http.HttpError(500, f"Can't load job file: {number}")
    answer: dict[str, Any] = {}

    def changed() -> bool:
        found = row(world, number)
        answer["job_info"] = [found.get(name) for name in fields]
        log = [entry for entries in found["oplog"] for entry in entries if entry[0] > serial]
        answer["log_entries"] = log
        return bool(log) or answer["job_info"] != seen or jobs.Status(found["status"]).final

    world.scheduler.wait_for(changed, world.settings.wait_timeout)
    return answer


def job_id(request: http.Request) -> int:
    if not request.items[0].isdigit():
        raise http.HttpError(404)
    return int(request.items[0])


ROUTES = (
    base.Route("/2/jobs", {"GET": index}),
    base.Route("/2/jobs/{}", {"GET": show, "DELETE": cancel}),
    base.Route("/2/jobs/{}/wait", {"GET": wait}, writing=frozenset({"GET"})),
)
