"""What only a real broker can do to us: go down, come back, fall silent, refuse us, return a message."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from common import bus, clock
from common.bus import link, rabbit
from lab import certificate, process
from lab import rabbitmq as rabbitmq_server
from tests.contract import test_bus
from tests.contract.relay import Relay
from tests.contract.test_bus import Recorder


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port where somebody takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def kill(rabbitmq: rabbitmq_server.RabbitMQ) -> Callable[[], None]:
    """Kill the broker as a power cut would, but not within the three seconds in which it forgets a new queue.

    RabbitMQ keeps its list of quorum queues in a dets file that it writes late; a queue that is missing there comes
    back without a leader and never answers.
    """

    def kill() -> None:
        rabbitmq.control("eval", "[dets:sync(T) || T <- dets:all()].")
        rabbitmq.kill()

    return kill


def tls_of(address: str, folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Make a server's TLS side for an address, and the CA file that vouches for it."""
    folder.mkdir(exist_ok=True)
    key, pem = certificate.make("broker", names=[], addresses=[address], now=clock.now())
    ca_file, both = folder / "ca.pem", folder / "server.pem"
    ca_file.write_text(pem)
    both.write_text(key + pem)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(both)
    return context, ca_file


def publish_stubbornly(broker: bus.Bus, bodies: list[bytes], confirmed: list[bytes]) -> None:
    """Publish one by one, each until it is confirmed, as eventd does with its journal."""
    publisher = broker.publisher()
    for body in bodies:
        while body not in confirmed:
            try:
                publisher.publish([body])
                confirmed.append(body)
            except bus.BusUnreachable:
                threading.Event().wait(0.05)
    publisher.close()


def test_a_killed_broker_loses_nothing_that_was_confirmed(
    rabbitmq: rabbitmq_server.RabbitMQ, amqp_url: str, kill: Callable[[], None]
) -> None:
    broker = rabbit.RabbitBus(amqp_url)
    handler = Recorder()
    bodies = [b"%d" % number for number in range(5000)]
    confirmed: list[bytes] = []
    thread = threading.Thread(target=publish_stubbornly, args=(broker, bodies, confirmed), daemon=True)

    with test_bus.consuming(broker, handler):
        thread.start()
        handler.wait_for(200)
        kill()
        rabbitmq.start()
        thread.join(60)
        assert confirmed == bodies
        process.wait_until(lambda: set(handler.bodies) == set(bodies), what="all that was confirmed", timeout=30)


def test_messages_and_dead_letters_outlive_the_broker(
    rabbitmq: rabbitmq_server.RabbitMQ, amqp_url: str, kill: Callable[[], None]
) -> None:
    broker = rabbit.RabbitBus(amqp_url)
    test_bus.publish(broker, [b"dead"])
    with test_bus.consuming(broker, Recorder(lambda _body: test_bus.DEAD)):
        test_bus.wait_for_letters(broker, 1)
    test_bus.publish(broker, [b"alive"])
    handler = Recorder()

    kill()
    assert not broker.ready()
    rabbitmq.start()

    with test_bus.consuming(broker, handler):
        handler.wait_for(1)
    assert handler.bodies == [b"alive"]
    assert [letter.body for letter in broker.dead_letters(10)] == [b"dead"]


def test_a_publisher_that_lay_idle_over_a_restart_publishes_at_once(
    rabbitmq: rabbitmq_server.RabbitMQ, amqp_url: str
) -> None:
    broker = rabbit.RabbitBus(amqp_url)
    publisher = broker.publisher()
    publisher.publish([b"before"])
    handler = Recorder()

    rabbitmq.restart()
    process.wait_until(broker.ready, what="the broker", timeout=30)
    publisher.publish([b"after"])
    publisher.close()

    with test_bus.consuming(broker, handler):
        handler.wait_for(2)
    assert handler.bodies == [b"before", b"after"]


def test_a_consumer_whose_queue_is_deleted_makes_it_again(rabbitmq: rabbitmq_server.RabbitMQ, amqp_url: str) -> None:
    broker = rabbit.RabbitBus(amqp_url)
    queues = f"/api/queues/{amqp_url.rpartition('/')[2]}"
    handler = Recorder()
    with test_bus.consuming(broker, handler):
        test_bus.publish(broker, [b"before"])
        handler.wait_for(1)
        rabbitmq.manage("DELETE", f"{queues}/{rabbit.QUEUE}")
        process.wait_until(lambda: rabbit.QUEUE in str(rabbitmq.manage("GET", queues)), what="the queue", timeout=30)
        test_bus.publish(broker, [b"after"])
        handler.wait_for(2)

    assert handler.bodies == [b"before", b"after"]


def test_the_queues_are_replicated_and_have_no_small_delivery_limit(
    rabbitmq: rabbitmq_server.RabbitMQ, amqp_url: str
) -> None:
    rabbit.RabbitBus(amqp_url).connect().close()

    vhost = amqp_url.rpartition("/")[2]
    for name in (rabbit.QUEUE, rabbit.DEAD_QUEUE):
        queue = rabbitmq.manage("GET", f"/api/queues/{vhost}/{name}")
        assert isinstance(queue, dict)
        assert queue["durable"]
        assert queue["arguments"] == {"x-queue-type": "quorum", "x-delivery-limit": 1_000_000_000}


def test_a_message_that_no_queue_takes_counts_as_not_sent(amqp_url: str) -> None:
    with rabbit.RabbitBus(amqp_url).connect() as channel:
        channel.call("queue_unbind", queue=rabbit.QUEUE, exchange=rabbit.EXCHANGE, routing_key="#")
        nowhere = link.Message(rabbit.EXCHANGE, "event", b"lost", rabbit.pika.BasicProperties())
        with pytest.raises(bus.BusUnreachable, match="no queue takes 'event'"):
            channel.publish([nowhere])


def test_a_broker_that_refuses_the_password_is_unreachable_and_the_password_is_not_told(amqp_url: str) -> None:
    address = amqp_url.partition("@")[2]
    broker = rabbit.RabbitBus(f"amqp://syros:t0psecret@{address}")

    with pytest.raises(bus.BusUnreachable) as refusal:
        broker.publisher().publish([b"hello"])

    assert not broker.ready()
    assert "ACCESS_REFUSED" in str(refusal.value)
    assert "t0psecret" not in str(refusal.value) + repr(broker)


def test_a_broker_that_says_nothing_is_not_ready(silent_port: int) -> None:
    assert not rabbit.RabbitBus(f"amqp://syros:secret@127.0.0.1:{silent_port}/").ready()


def test_a_broker_that_falls_silent_has_not_confirmed(
    rabbitmq: rabbitmq_server.RabbitMQ, amqp_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "_ANSWER_TIMEOUT", 1.0)
    with Relay(rabbitmq.port) as relay:
        publisher = rabbit.RabbitBus(amqp_url.replace(f":{rabbitmq.port}/", f":{relay.port}/")).publisher()
        publisher.publish([b"heard"])
        relay.fall_silent()

        with pytest.raises(bus.BusUnreachable, match="publisher confirms"):
            publisher.publish([b"unheard"])


def test_a_broker_is_reached_by_tls_if_its_ca_is_the_given_one(
    rabbitmq: rabbitmq_server.RabbitMQ, amqp_url: str, tmp_path: Path
) -> None:
    server, ours = tls_of("127.0.0.1", tmp_path / "ours")
    _other_server, others = tls_of("127.0.0.1", tmp_path / "others")
    with Relay(rabbitmq.port, tls=server) as relay:
        url = amqp_url.replace("amqp://", "amqps://").replace(f":{rabbitmq.port}/", f":{relay.port}/")

        assert rabbit.RabbitBus(url, ca_file=str(ours)).ready()
        assert not rabbit.RabbitBus(url, ca_file=str(others)).ready()
        with pytest.raises(bus.BusUnreachable, match="CERTIFICATE_VERIFY_FAILED"):
            rabbit.RabbitBus(url).publisher().publish([b"hello"])


def test_a_broker_with_a_certificate_for_another_host_is_refused(
    rabbitmq: rabbitmq_server.RabbitMQ, amqp_url: str, tmp_path: Path
) -> None:
    server, ca_file = tls_of("127.0.0.9", tmp_path)
    with Relay(rabbitmq.port, tls=server) as relay:
        url = amqp_url.replace("amqp://", "amqps://").replace(f":{rabbitmq.port}/", f":{relay.port}/")

        assert not rabbit.RabbitBus(url, ca_file=str(ca_file)).ready()


def test_a_consumer_stops_even_while_a_silent_broker_keeps_it_waiting(silent_port: int) -> None:
    with test_bus.consuming(rabbit.RabbitBus(f"amqp://syros:secret@127.0.0.1:{silent_port}/"), Recorder()):
        pass


def test_publishing_to_nobody_says_so() -> None:
    broker = rabbit.RabbitBus(f"amqp://syros:secret@127.0.0.1:{process.free_port()}/")

    with pytest.raises(bus.BusUnreachable, match="refused"):
        broker.publisher().publish([b"hello"])
