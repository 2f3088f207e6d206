"""What was done to a server, and how it ended: read from its jobs."""

from __future__ import annotations

import flask

from apiserver import answers, docs, times
from apiserver.compute import models
from apiserver.compute.resource import Resource
from cloud import instances
from cloud.states import Action
from common.errors import NotFound
from common.jobs import JobStatus
from db.jobs import Job

#: actions that clients know by another name
_NAMES = {
    Action.REBOOT_HARD: "reboot",
    Action.CONFIRM_RESIZE: "confirmResize",
    Action.REVERT_RESIZE: "revertResize",
    Action.SOFT_DELETE: "delete",
    Action.CREATE_IMAGE: "createImage",
    Action.ATTACH_INTERFACE: "attach_interface",
    Action.DETACH_INTERFACE: "detach_interface",
}


class InstanceActions(Resource):
    """A server's history."""

    @docs.operation(gives=models.INSTANCE_ACTIONS, faults=models.LOOK_FAULTS)
    def get(self, server_id: str) -> flask.Response:
        """List what was done to a server, newest first; a deleted server keeps its history."""
        found = instances.actions(self.cloud, self.caller, server_id)
        by_request: dict[str, list[Job]] = {}
        for job in found:
            by_request.setdefault(job.request_id, []).append(job)
        return answers.json({"instanceActions": [_action(jobs) for jobs in by_request.values()]})


class InstanceAction(Resource):
    """One thing that was done to a server."""

    @docs.operation(gives=models.INSTANCE_ACTION, faults=models.LOOK_FAULTS)
    def get(self, server_id: str, request_id: str) -> flask.Response:
        """Show what a request did to a server, step by step."""
        found = instances.actions(self.cloud, self.caller, server_id)
        of_request = [job for job in found if job.request_id == request_id]
        if not of_request:
            raise NotFound(f"nothing was done to server {server_id} by a request {request_id}")
        document = _action(of_request)
        return answers.json({"instanceAction": {**document, "events": [_event(job) for job in of_request]}})


def _action(jobs: list[Job]) -> dict[str, object]:
    """An action by its jobs, the newest first: some take several."""
    job = jobs[-1]
    return {
        "action": _NAMES.get(Action(job.action), job.action),
        "instance_uuid": job.instance_id,
        "message": "Error" if any(map(_failed, jobs)) else None,
        "project_id": job.project_id,
        "request_id": job.request_id,
        "start_time": times.bare(job.created_at),
        "user_id": job.user_id,
    }


def _event(job: Job) -> dict[str, object]:
    """A job as a step; Ganeti's own words name nodes and are for operators."""
    return {
        "event": f"ganeti_{job.opcode.lower()}",
        "start_time": times.bare(job.submitted_at or job.created_at),
        "finish_time": times.bare(job.finished_at),
        "result": _result(job),
        "traceback": None,
    }


def _result(job: Job) -> str | None:
    if job.finished_at is None:
        return None
    return "Error" if _failed(job) else "Success"


def _failed(job: Job) -> bool:
    return job.status in (JobStatus.ERROR, JobStatus.CANCELED)
