"""What projects used: hours of servers, CPUs, memory and disk within a period."""

from __future__ import annotations

from datetime import datetime, timedelta

import flask

from apiserver import answers, docs, times, validation
from apiserver.compute import models, statuses
from apiserver.compute.resource import Resource
from cloud import usage
from cloud.usage import Report
from common.errors import Invalid
from db.instances import Instance

_PERIOD = {
    "start": "An ISO 8601 time; by default four weeks before the end",
    "end": "An ISO 8601 time; by default now",
}
_BY_DEFAULT = timedelta(weeks=4)
_HOUR = 3600

Document = dict[str, object]


class Usages(Resource):
    """Every project's use."""

    @docs.operation(query={**_PERIOD, "detailed": "1: with the servers"}, faults=models.LIST_FAULTS)
    def get(self) -> flask.Response:
        """List what every project used; for admins."""
        start, end = _period(self)
        detailed = self.args.get("detailed") == "1"
        found = usage.everybody(self.cloud, self.caller, start=start, end=end, detailed=detailed)
        return answers.json({"tenant_usages": [_view(report, start, end, detailed=detailed) for report in found]})


class Usage(Resource):
    """A project's use."""

    @docs.operation(query=_PERIOD, faults={**models.LIST_FAULTS, 404: "There is no such project"})
    def get(self, project_id: str) -> flask.Response:
        """Show what a project used, with its servers; nothing at all if there were none."""
        start, end = _period(self)
        report = usage.of_project(self.cloud, self.caller, project_id, start=start, end=end)
        document = {} if report is None else _view(report, start, end, detailed=True)
        return answers.json({"tenant_usage": document})


def _period(resource: Resource) -> tuple[datetime, datetime]:
    args, now = resource.args, resource.cloud.clock()
    end = validation.check_moment(args["end"], "end") if args.get("end") else now
    try:
        start = validation.check_moment(args["start"], "start") if args.get("start") else end - _BY_DEFAULT
    except OverflowError as err:
        raise Invalid("end: too long ago") from err
    if start >= end:
        raise Invalid("start: not before the end")
    # what is to come is not used yet
    return start, max(min(end, now), start)


def _view(report: Report, start: datetime, end: datetime, *, detailed: bool) -> Document:
    total = report.total
    document: Document = {
        "tenant_id": total.project_id,
        "start": times.bare(start),
        "stop": times.bare(end),
        "total_hours": total.seconds / _HOUR,
        "total_vcpus_usage": total.vcpus / _HOUR,
        "total_memory_mb_usage": total.ram / _HOUR,
        "total_local_gb_usage": total.disk / _HOUR,
    }
    if detailed:
        document["server_usages"] = [_server(row, start, end) for row in report.servers]
    return document


def _server(row: Instance, start: datetime, end: datetime) -> Document:
    began = row.launched_at or end
    ended = min(row.deleted_at or end, end)
    return {
        "instance_id": row.id,
        "name": row.name,
        "tenant_id": row.project_id,
        "flavor": row.flavor_name,
        "vcpus": row.vcpus,
        "memory_mb": row.ram,
        "local_gb": row.disk,
        "hours": (ended - max(began, start)).total_seconds() / _HOUR,
        "uptime": int((ended - began).total_seconds()),
        "started_at": times.bare(began),
        "ended_at": times.bare(row.deleted_at),
        "state": statuses.vm_state(row.state, row.task),
    }
