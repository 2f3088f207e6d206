"""What was moved to another node, or resized where it is, for admins: read from the jobs that did it."""

from __future__ import annotations

from collections.abc import Mapping

import flask

from apiserver import answers, docs, times, validation
from apiserver.compute import models
from apiserver.compute.resource import Resource
from cloud import migrations
from cloud.states import Action
from common.jobs import JobStatus
from db.jobs import Job, MoveFilter

_DOCS = {
    "limit": "How many, at most",
    "marker": "The id of the last one of the page before",
    "host": "Only those from or to this node",
    "source_compute": "Only those from this node",
    "instance_uuid": "Only those of this server",
    "status": "A status such as completed",
    "migration_type": "live-migration, migration, evacuation or resize",
}

_TYPES: Mapping[Action, str] = {
    Action.LIVE_MIGRATE: "live-migration",
    Action.MIGRATE: "migration",
    Action.EVACUATE: "evacuation",
    Action.RESIZE: "resize",
}
#: Nova's words for a migration that has worked; nobody confirms one here but a resize's
_DONE: Mapping[Action, str] = {
    Action.LIVE_MIGRATE: "completed",
    Action.MIGRATE: "confirmed",
    Action.EVACUATE: "done",
    Action.RESIZE: "finished",
}
_UNDER_WAY: Mapping[Action, str] = {
    Action.LIVE_MIGRATE: "running",
    Action.MIGRATE: "migrating",
    Action.EVACUATE: "migrating",
    Action.RESIZE: "migrating",
}


class Migrations(Resource):
    """The moves and resizes of every project's servers."""

    @docs.operation(gives=models.MIGRATIONS, query=_DOCS, faults=models.LIST_FAULTS)
    def get(self) -> flask.Response:
        """List them, newest first."""
        page = self.page()
        after = None if page.marker is None else validation.check_integer(page.marker, "marker")
        found = migrations.page(self.cloud, self.caller, _wanted(self.args), limit=page.limit, after=after)
        documents = [_migration(job) for job in found]
        return answers.json(self.listed("migrations", documents, page, [str(job.id) for job in found]))


def status(action: Action, job_status: JobStatus) -> str:
    """Give Nova's word for how far a migration is."""
    match job_status:
        case JobStatus.SUCCESS:
            return _DONE[action]
        case JobStatus.RUNNING:
            return _UNDER_WAY[action]
        case JobStatus.ERROR:
            return "error"
        case JobStatus.CANCELED:
            return "cancelled"
        case _:
            return "queued"


def _wanted(args: Mapping[str, str]) -> MoveFilter:
    return MoveFilter(
        conditions=_conditions(args.get("migration_type") or None, args.get("status") or None),
        instance_id=args.get("instance_uuid") or None,
        source=args.get("source_compute") or None,
        node=args.get("host") or None,
    )


def _conditions(kind: str | None, wanted: str | None) -> list[tuple[str, list[JobStatus]]] | None:
    if kind is None and wanted is None:
        return None
    found = []
    for action, name in _TYPES.items():
        if kind in (None, name):
            found.append((str(action), [each for each in JobStatus if wanted in (None, status(action, each))]))
    return found


def _migration(job: Job) -> dict[str, object]:
    source, target = job.spec.get("from"), job.spec.get("to")
    return {
        "id": job.id,
        "status": status(Action(job.action), job.status),
        "instance_uuid": job.instance_id,
        "source_compute": source,
        "source_node": source,
        # nobody knows beforehand where Ganeti's allocator sends one
        "dest_compute": target,
        "dest_node": target,
        "dest_host": target,
        "old_instance_type_id": _number(job.spec.get("old_flavor_id")),
        "new_instance_type_id": _number(job.spec.get("new_flavor_id")),
        "created_at": times.bare(job.created_at),
        "updated_at": times.bare(job.finished_at or job.heard_at or job.submitted_at),
    }


def _number(flavor_id: str | None) -> int | None:
    """A flavor's id where it is a number, as all of them were when this form was made."""
    return int(flavor_id) if flavor_id is not None and flavor_id.isascii() and flavor_id.isdigit() else None
