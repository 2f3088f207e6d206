"""What can be said of RabbitMQ's address without a broker."""

from __future__ import annotations

import pytest

from common import config
from common.bus import rabbit


@pytest.mark.parametrize(
    "url", ["", "hunter2", "http://u:hunter2@h/", "amqp://u:hunt/er2@h/", "amqp://u:hunter2@h:70000/"]
)
def test_a_url_that_cannot_be_meant_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(config.ConfigError, match="bus URL") as refusal:
        rabbit.RabbitBus(url)

    assert "hunt" not in str(refusal.value)


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("amqp://u:hunter2@mq.example:5673/cloud", "amqp://mq.example:5673/cloud"),
        ("amqps://u:hunter2@mq.example/%2F", "amqps://mq.example:5671//"),
    ],
)
def test_a_bus_shows_where_it_is_but_no_password(url: str, where: str) -> None:
    assert repr(rabbit.RabbitBus(url)) == f"<RabbitBus {where}>"


def test_a_ca_file_that_is_missing_is_refused_by_name() -> None:
    with pytest.raises(config.ConfigError, match=r"CA file /nowhere/ca\.pem of the bus"):
        rabbit.RabbitBus("amqps://u:p@mq.example/", ca_file="/nowhere/ca.pem")
