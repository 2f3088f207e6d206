"""Answers for whoever watches over the server: alive, ready, metrics."""

from __future__ import annotations

import flask

from apiserver import answers, metrics
from apiserver.resource import Resource
from apiserver.routing import Route, Service


class Alive(Resource):
    """The process answers."""

    public = True

    def get(self) -> flask.Response:
        """Tell that the process answers."""
        return answers.json({"status": "alive"})


class Ready(Resource):
    """What the server needs answers too."""

    public = True

    def get(self) -> flask.Response:
        """Tell whether the database and the message broker answer, and whether the schema is new enough."""
        database, bus = self.cloud.sessions.ready(), self.front.bus_ready()
        behind = self.front.schema_behind() if database else None
        ready = database and bus and behind is None
        document = {
            "status": "ready" if ready else "not ready",
            "database": _word(database),
            "bus": _word(bus),
            "schema": behind or ("ok" if database else "unknown"),
        }
        return answers.json(document, 200 if ready else 503)


class Metrics(Resource):
    """Numbers for Prometheus."""

    public = True

    def get(self) -> flask.Response:
        """Give the counters in Prometheus' text form."""
        return flask.Response(self.front.metrics.render(), content_type=metrics.CONTENT_TYPE)


def _word(answers_us: bool) -> str:
    return "ok" if answers_us else "unreachable"


SERVICE = Service(
    name="health",
    description="For those who watch over the server",
    prefixes=("",),
    routes=(Route("/healthz", Alive), Route("/readyz", Ready), Route("/metrics", Metrics)),
)
