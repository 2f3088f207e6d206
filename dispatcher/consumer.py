"""One event from the bus: decoded, applied, judged. Nothing is lost: what can't be applied becomes a dead letter."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

import prometheus_client

from cloud import events
from cloud.context import Cloud
from common import bus, messages
from common import log as logs
from db import sessions

log = logging.getLogger(__name__)

_TRIES = 3


class Meters:
    """What an operator watches of the event path."""

    def __init__(self, registry: prometheus_client.CollectorRegistry) -> None:
        self.events = prometheus_client.Counter(
            "syros_events_total", "Events by what became of them", ["outcome"], registry=registry
        )
        self.delay = prometheus_client.Histogram(
            "syros_event_delay_seconds",
            "From eventd's reading of the job file to the database row",
            registry=registry,
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 600),
        )


class Consumer:
    """Applies events; safe to call by several threads."""

    def __init__(self, cloud: Cloud, meters: Meters) -> None:
        self._cloud = cloud
        self._meters = meters

    def handle(self, body: bytes) -> bus.Judgement:
        """Give the verdict on one message; raises nothing."""
        try:
            event = messages.decode(body)
        except messages.Undecodable as err:
            log.warning("event.undecodable", extra={"reason": str(err), "size": len(body)})
            self._meters.events.labels("undecodable").inc()
            return bus.Judgement(bus.Verdict.DEAD, f"undecodable: {err}")
        request_id = event.job.request_id if isinstance(event, messages.JobEvent) else None
        with logs.bind(request_id):
            return self._judge(event)

    def _judge(self, event: messages.Event) -> bus.Judgement:
        failure = ""
        for _ in range(_TRIES):
            try:
                outcome = events.apply(self._cloud, event)
            except Exception as err:
                # at the top of a daemon's loop: whatever it was, the message must get a verdict
                if sessions.is_outage(err):
                    log.warning("event.postponed", extra={"reason": type(err).__name__})
                    self._meters.events.labels("postponed").inc()
                    return bus.Judgement(bus.Verdict.LATER, type(err).__name__)
                log.exception("event.failed", extra=_facts(event))
                failure = f"{type(err).__name__}: {err}"
            else:
                self._note(event, outcome)
                return bus.Judgement(bus.Verdict.DONE)
        self._meters.events.labels("dead").inc()
        return bus.Judgement(bus.Verdict.DEAD, failure)

    def _note(self, event: messages.Event, outcome: events.Applied) -> None:
        self._meters.events.labels(outcome.value).inc()
        level = logging.INFO if outcome is events.Applied.APPLIED else logging.DEBUG
        log.log(level, "event.handled", extra={"outcome": outcome.value, **_facts(event)})
        if isinstance(event, messages.JobEvent):
            self._meters.delay.observe(_seconds_since(event.seen_at, self._cloud.clock))


def _seconds_since(then: datetime, clock: Callable[[], datetime]) -> float:
    return max(0.0, (clock() - then).total_seconds())


def _facts(event: messages.Event) -> dict[str, object]:
    if isinstance(event, messages.JobEvent):
        return {
            "cluster": event.cluster,
            "job": event.job.id,
            "status": event.job.status.value,
            "opcode": event.job.ops[0].opcode,
            "instance": event.job.ops[0].instance,
        }
    if isinstance(event, messages.InstanceEvent):
        return {"cluster": event.cluster, "instance": event.instance, "opcode": event.opcode}
    return {"cluster": event.cluster, "network": event.network, "opcode": event.opcode}
