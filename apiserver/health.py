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
        """Tell whether the database and the message broker answer."""
        found = {"database": self.cloud.sessions.ready(), "bus": self.front.bus_ready()}
        ready = all(found.values())
        checks = {name: "ok" if good else "unreachable" for name, good in found.items()}
        return answers.json({"status": "ready" if ready else "not ready", **checks}, 200 if ready else 503)


class Metrics(Resource):
    """Numbers for Prometheus."""

    public = True

    def get(self) -> flask.Response:
        """Give the counters in Prometheus' text form."""
        return flask.Response(self.front.metrics.render(), content_type=metrics.CONTENT_TYPE)


SERVICE = Service(
    name="health",
    description="For those who watch over the server",
    prefixes=("",),
    routes=(Route("/healthz", Alive), Route("/readyz", Ready), Route("/metrics", Metrics)),
)
