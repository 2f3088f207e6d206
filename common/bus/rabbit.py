"""The bus on RabbitMQ: durable quorum queues, publisher confirms, manual acknowledgements.

Events go to the topic exchange `syros.events` and its queue of the same name; dead letters to the queue `syros.dead`.
"""

from __future__ import annotations

import collections
import copy
import logging
import ssl
import threading
from collections.abc import Sequence
from datetime import datetime

import pika
import pika.exceptions

from common import bus, clock, config, names
from common.bus import link as links

log = logging.getLogger(__name__)

EXCHANGE = "syros.events"
QUEUE = "syros.events"
DEAD_QUEUE = "syros.dead"
ROUTING_KEY = "event"

_PREFETCH = 50
_BATCH = 500
_OPEN_TIMEOUT = 5.0
_READY_TIMEOUT = 1.4
#: seconds; the broker drops a consumer that it has not heard of for two of these
_HEARTBEAT = 30
#: seconds without a message after which a consumer subscribes anew: a broker that made a deleted queue again at once
#: does not tell its old consumers that they are deaf
_RENEW_AFTER = 60.0
_BACKOFF_START = 0.2
_BACKOFF_MAX = 5.0
_REASON_LIMIT = 2000

#: RabbitMQ 4 drops a message that was given out 20 times; browsing and a flapping network may well do that to ours
_QUORUM = {"x-queue-type": "quorum", "x-delivery-limit": 1_000_000_000}
_TCP = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 20_000}


class RabbitBus:
    """A broker by its AMQP URL. Each publisher and each consumer has a connection of its own; nothing is shared."""

    def __init__(self, url: str, *, ca_file: str = "", name: str = "") -> None:
        """Raise ConfigError for a URL that can't be meant, without showing it; connect to nothing yet."""
        self._parameters = _parameters(url, ca_file=ca_file, name=name)

    def __repr__(self) -> str:
        return f"<RabbitBus {self.where}>"

    @property
    def where(self) -> str:
        """The broker's address, without the credentials."""
        scheme = "amqps" if self._parameters.ssl_options else "amqp"
        return f"{scheme}://{self._parameters.host}:{self._parameters.port}/{self._parameters.virtual_host}"

    def publisher(self) -> bus.Publisher:
        return _RabbitPublisher(self)

    def consume(self, handle: bus.Handler, *, stop: threading.Event) -> None:
        backoff = _BACKOFF_START
        well = False
        while not stop.is_set():
            try:
                with self.connect(heartbeat=_HEARTBEAT, stop=stop) as link:
                    link.subscribe(QUEUE, prefetch=_PREFETCH)
                    if not well:
                        log.info("bus.consuming", extra={"broker": self.where})
                    well = True
                    backoff = _BACKOFF_START
                    _settle_all(link, handle, stop)
            except bus.BusUnreachable as err:
                if stop.is_set():
                    return
                well = False
                log.warning("bus.lost", extra={"broker": self.where, "error": str(err), "retry_in": backoff})
                stop.wait(backoff)
                backoff = min(backoff * 2, _BACKOFF_MAX)

    def ready(self) -> bool:
        try:
            links.Link(self._with_heartbeat(0), timeout=_READY_TIMEOUT).close()
        except bus.BusUnreachable:
            return False
        return True

    def trouble(self) -> bus.Trouble | None:
        try:
            self.connect().close()
        except bus.BusUnreachable as err:
            return bus.Trouble(_fault(str(err)), str(err))
        return None

    def dead_letters(self, limit: int) -> list[bus.DeadLetter]:
        letters: list[bus.DeadLetter] = []
        with self.connect() as link:
            while len(letters) < limit and (delivery := link.get(DEAD_QUEUE)) is not None:
                letters.append(_letter(delivery))
        return letters

    def replay(self, letter_id: str) -> bool:
        with self.connect() as link:
            delivery = _find(link, letter_id)
            if delivery is None:
                return False
            link.publish([_event(delivery.body)])
            link.ack(delivery)
        log.info("bus.replayed", extra={"letter": letter_id})
        return True

    def drop(self, letter_id: str) -> bool:
        with self.connect() as link:
            delivery = _find(link, letter_id)
            if delivery is None:
                return False
            link.ack(delivery)
        log.info("bus.dropped", extra={"letter": letter_id})
        return True

    def connect(self, *, heartbeat: int = 0, stop: threading.Event | None = None) -> links.Link:
        """Open a link and see to it that exchange and queues exist.

        Without a heartbeat it may lie idle for any time; TCP's own keep-alive then notices a dead peer.
        """
        link = links.Link(self._with_heartbeat(heartbeat), timeout=_OPEN_TIMEOUT, stop=stop)
        try:
            link.call("exchange_declare", exchange=EXCHANGE, exchange_type="topic", durable=True)
            link.call("queue_declare", queue=QUEUE, durable=True, arguments=_QUORUM)
            link.call("queue_bind", queue=QUEUE, exchange=EXCHANGE, routing_key="#")
            link.call("queue_declare", queue=DEAD_QUEUE, durable=True, arguments=_QUORUM)
        except BaseException:
            link.close()
            raise
        return link

    def _with_heartbeat(self, heartbeat: int) -> pika.ConnectionParameters:
        parameters = copy.copy(self._parameters)
        parameters.heartbeat = heartbeat
        return parameters


class _RabbitPublisher:
    def __init__(self, owner: RabbitBus) -> None:
        self._owner = owner
        self._link: links.Link | None = None

    def publish(self, bodies: Sequence[bytes]) -> None:
        try:
            for start in range(0, len(bodies), _BATCH):
                self._open_link().publish([_event(body) for body in bodies[start : start + _BATCH]])
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None

    def _open_link(self) -> links.Link:
        if self._link is not None and not self._link.alive():
            self.close()
        if self._link is None:
            self._link = self._owner.connect()
        return self._link


def _fault(words: str) -> bus.Fault:
    """Tell by a broker's words; RabbitMQ has one reply code (403) for a wrong password and for a missing permission."""
    if "certificate verify failed" in words.lower() or "SSLCertVerificationError" in words:
        return bus.Fault.UNTRUSTED
    if "Login was refused" in words or "AuthenticationError" in words:
        return bus.Fault.LOGIN
    if "NOT_ALLOWED" in words or "AccessDenied" in words:
        return bus.Fault.VHOST
    if "ACCESS_REFUSED" in words:
        return bus.Fault.PERMISSION
    return bus.Fault.UNREACHABLE


def _settle_all(link: links.Link, handle: bus.Handler, stop: threading.Event) -> None:
    """Hand over deliveries until told to stop, or until none has come for long.

    What is not wanted now stays in our hands, unacknowledged, and takes its turn again behind the others: the broker
    need not give it out anew, so neither a delivery limit nor a redelivery storm is met.
    """
    line: collections.deque[links.Delivery] = link.inbox
    backoff = _BACKOFF_START
    while not stop.is_set():
        if not line:
            link.idle(_RENEW_AFTER, until=lambda: bool(line))
        if not line:
            return
        delivery = line.popleft()
        judgement = handle(delivery.body)
        if judgement.verdict is bus.Verdict.LATER:
            line.append(delivery)
            link.idle(backoff)
            backoff = min(backoff * 2, _BACKOFF_MAX)
            continue
        if judgement.verdict is bus.Verdict.DEAD:
            link.publish([_dead(delivery.body, judgement.reason)])
        backoff = _BACKOFF_START
        link.ack(delivery)
        link.flush()


def _find(link: links.Link, letter_id: str) -> links.Delivery | None:
    while (delivery := link.get(DEAD_QUEUE)) is not None:
        if delivery.properties.message_id == letter_id:
            return delivery
    return None


def _event(body: bytes) -> links.Message:
    return links.Message(EXCHANGE, ROUTING_KEY, body, _properties())


def _dead(body: bytes, reason: str) -> links.Message:
    headers = {"reason": reason[:_REASON_LIMIT], "died_at": clock.now().isoformat()}
    return links.Message("", DEAD_QUEUE, body, _properties(headers))


def _properties(headers: dict[str, str] | None = None) -> pika.BasicProperties:
    return pika.BasicProperties(
        message_id=names.new_id(),
        content_type="application/json",
        delivery_mode=pika.DeliveryMode.Persistent.value,
        headers=headers,
    )


def _letter(delivery: links.Delivery) -> bus.DeadLetter:
    headers = delivery.properties.headers or {}
    try:
        died_at = datetime.fromisoformat(str(headers.get("died_at")))
    except ValueError:
        died_at = None
    return bus.DeadLetter(
        id=str(delivery.properties.message_id or ""),
        body=delivery.body,
        reason=str(headers.get("reason", "")),
        died_at=died_at,
    )


def _parameters(url: str, *, ca_file: str, name: str) -> pika.URLParameters:
    if not url.startswith(("amqp://", "amqps://")):
        raise config.ConfigError("the bus URL starts with neither amqp:// nor amqps://")
    try:
        parameters = pika.URLParameters(url)
    except (ValueError, TypeError, AttributeError):
        # A password with a stray character is read as a part of the address: what was wrong is not shown.
        raise config.ConfigError(
            "the bus URL is not an AMQP URL; special characters in it are percent-encoded"
        ) from None
    parameters.tcp_options = _TCP
    parameters.client_properties = {"connection_name": name} if name else None
    if parameters.ssl_options is not None:
        try:
            context = ssl.create_default_context(cafile=ca_file or None)
        except OSError as err:
            raise config.ConfigError(f"CA file {ca_file} of the bus: {err}") from err
        parameters.ssl_options = pika.SSLOptions(context, parameters.host)
    return parameters
