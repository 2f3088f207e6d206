"""RabbitMQ's own command, for the broker on this machine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any  # the command's JSON has no types that we could name here

from manage.setup import tool
from manage.setup.step import Undone

PROGRAM = "rabbitmqctl"
REMEDY = "install RabbitMQ here and have it run, or give --bus-url-file"


def run(*words: str, timeout: float = tool.TIMEOUT) -> str:
    """Run it; give what it says. Raises Undone."""
    return tool.run([PROGRAM, "--quiet", *words], remedy=REMEDY, timeout=timeout)


def listed(*words: str, fields: Sequence[str], timeout: float = tool.TIMEOUT) -> list[dict[str, Any]]:
    """Have it list things; give those fields of each. Raises Undone."""
    said = run(*words, "--formatter", "json", timeout=timeout)
    try:
        return [{field: each[field] for field in fields} for each in json.loads(said)]
    except (ValueError, TypeError, KeyError) as err:
        raise Undone(f"{PROGRAM} {words[0]} says nothing that can be read", REMEDY) from err
