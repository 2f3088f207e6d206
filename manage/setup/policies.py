"""RabbitMQ's policies for the queues: while nobody takes events, they must not fill the broker's disk.

A full disk stops every publisher of the broker, others' too. So the queue of events refuses what is beyond its limit:
eventd then keeps it, as it does while the broker is away, since Ganeti's job queue is its journal. Of the dead letters
the oldest go: what they tell is found again by the reconciler. That queues are durable, replicated (quorum) and drop
nothing for being delivered often is said where they are declared.
"""

from __future__ import annotations

import json
import re
import shutil

from common.bus import rabbit
from manage import finding
from manage.finding import Finding
from manage.setup import broker, rabbitmqctl
from manage.setup.secret_files import SecretFiles
from manage.setup.step import Step, Undone

#: by name: the queue, and what holds for it; 1 GiB is about a million events
POLICIES: dict[str, tuple[str, dict[str, object]]] = {
    "syros-events": (rabbit.QUEUE, {"max-length-bytes": 1_073_741_824, "overflow": "reject-publish"}),
    "syros-dead": (rabbit.DEAD_QUEUE, {"max-length": 100_000, "overflow": "drop-head"}),
}
#: seconds that a look may take
_PATIENCE = 20.0


def step(files: SecretFiles) -> Step:
    """Make those that are missing, where the broker is on this machine; one by the name is the operator's to change."""

    def look() -> Finding:
        url = files.read(broker.NAME)
        if url is None or not broker.is_here(url) or shutil.which(rabbitmqctl.PROGRAM) is None:
            return finding.well("policies", "not looked at: the broker is elsewhere (see docs/install.md)")
        missing = _missing(broker.Account(url).vhost)
        if missing:
            text = f"{', '.join(missing)} missing: a queue that nobody reads may fill the broker's disk"
            return finding.wrong("policies", text, "`syros-manage setup` makes them")
        return finding.well("policies", ", ".join(POLICIES))

    def make() -> str:
        url = files.read(broker.NAME)
        if url is None:
            raise Undone(f"{broker.NAME} is not there", rabbitmqctl.REMEDY)
        vhost = broker.Account(url).vhost
        made = _missing(vhost)
        for name in made:
            queue, definition = POLICIES[name]
            pattern = f"^{re.escape(queue)}$"
            words = ["set_policy", "-p", vhost, name, pattern, json.dumps(definition), "--apply-to", "queues"]
            rabbitmqctl.run(*words)
        return f"made {', '.join(made)}"

    return Step("policies", look, make)


def _missing(vhost: str) -> list[str]:
    found = rabbitmqctl.listed("list_policies", "-p", vhost, fields=("name",), timeout=_PATIENCE)
    there = {str(each["name"]) for each in found}
    return [name for name in POLICIES if name not in there]
