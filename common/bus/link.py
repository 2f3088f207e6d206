"""One AMQP connection with one channel, driven from its owner's thread, with a deadline on every wait.

pika's BlockingConnection confirms one message at a time and waits for a confirm without end; this drives pika's
event loop just for as long as a wait takes, so that confirms come in bulk and a silent broker is noticed.
Any trouble ends the link for good: its owner opens another. For one thread at a time.
"""

from __future__ import annotations

import collections
import contextlib
import copy
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import pika
import pika.exceptions
from pika.adapters import select_connection

from common import bus

_ANSWER_TIMEOUT = 10.0
_CLOSE_TIMEOUT = 0.4
#: what we wait beyond pika's own timeout for opening, which reports better
_GRACE = 0.1
#: how long a wait goes on before it looks at the stop event again
_SLICE = 0.25


@dataclass(frozen=True)
class Message:
    """A message on its way out."""

    exchange: str
    routing_key: str
    body: bytes
    properties: pika.BasicProperties


@dataclass(frozen=True)
class Delivery:
    """A message that the broker gave us and will give again unless it is acknowledged."""

    tag: int
    body: bytes
    properties: pika.BasicProperties


class _Connection(pika.SelectConnection):  # type: ignore[misc]  # pika is untyped
    def tangible(self) -> bool:
        """Tell whether there is a stream to cut, or nothing more to be done."""
        return self._transport is not None or bool(self.is_closed)

    def cut(self) -> None:
        """Drop the stream of a peer that does not answer; pika's own way to give up opening fails its assertions."""
        if self._transport is not None:
            self._terminate_stream(pika.exceptions.AMQPConnectionError("given up"))


class Link:
    """An open connection; a context manager that closes it."""

    def __init__(
        self, parameters: pika.ConnectionParameters, *, timeout: float, stop: threading.Event | None = None
    ) -> None:
        """Connect and open a channel with confirms, within about the timeout; raise BusUnreachable otherwise.

        When `stop` is set, every wait under way ends with BusUnreachable.
        """
        self.inbox: collections.deque[Delivery] = collections.deque()
        self._stop = stop
        self._failure: str | None = None
        self._closing = False
        self._until: Callable[[], bool] | None = None
        self._sent = 0
        self._unconfirmed: set[int] = set()
        # Any: pika is untyped.
        self._connection: Any = None
        self._channel: Any = None
        self._loop = select_connection.IOLoop()
        try:
            self._open(parameters, timeout)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Link:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def alive(self) -> bool:
        """Tell whether the peer is still there, as far as it has told us."""
        with contextlib.suppress(bus.BusUnreachable):
            self.flush()
        return self._failure is None

    # Any: the arguments are those of the channel's method.
    def call(self, method: str, *, timeout: float = _ANSWER_TIMEOUT, **arguments: Any) -> None:
        """Call a method of the channel and wait for the broker's answer."""
        answers: list[object] = []

        def on_answer(answer: object) -> None:
            answers.append(answer)
            self._progress()

        with self._translated():
            getattr(self._channel, method)(callback=on_answer, **arguments)
        self._wait(lambda: bool(answers), timeout, what=method)

    def publish(self, messages: Sequence[Message]) -> None:
        """Send them all, then wait until the broker has confirmed each."""
        with self._translated():
            for message in messages:
                self._sent += 1
                self._unconfirmed.add(self._sent)
                self._channel.basic_publish(
                    message.exchange, message.routing_key, message.body, message.properties, mandatory=True
                )
        self._wait(lambda: not self._unconfirmed, _ANSWER_TIMEOUT, what="publisher confirms")

    def subscribe(self, queue: str, *, prefetch: int) -> None:
        """Have the broker fill `inbox`, with no more than `prefetch` messages that are not acknowledged."""
        self.call("basic_qos", prefetch_count=prefetch)
        self._channel.add_on_cancel_callback(lambda _frame: self._fail("the broker has ended the subscription"))
        self.call("basic_consume", queue=queue, on_message_callback=self._on_delivery)

    def get(self, queue: str) -> Delivery | None:
        """Take the next message, or None; unless acknowledged it goes back when the link is closed."""
        got: list[Delivery | None] = []

        def on_message(_channel: object, method: Any, properties: pika.BasicProperties, body: bytes) -> None:
            got.append(Delivery(method.delivery_tag, body, properties))
            self._progress()

        def on_empty(_frame: object) -> None:
            got.append(None)
            self._progress()

        with self._translated():
            self._channel.add_callback(on_empty, [pika.spec.Basic.GetEmpty], one_shot=True)
            self._channel.basic_get(queue, on_message)
        self._wait(lambda: bool(got), _ANSWER_TIMEOUT, what="basic_get")
        return got[0]

    def ack(self, delivery: Delivery) -> None:
        """Have the broker forget the message; sent with the next wait or flush."""
        with self._translated():
            self._channel.basic_ack(delivery.tag)

    def flush(self) -> None:
        """Send what is to be sent and take in what has come, without waiting."""
        self._pump(lambda: False, 0.0)

    def idle(self, seconds: float, *, until: Callable[[], bool] = lambda: False) -> None:
        """Wait, while heartbeats and deliveries go on; ends early when the condition holds or on stop."""
        deadline = time.monotonic() + seconds
        while not until() and not self._stopped() and (left := deadline - time.monotonic()) > 0:
            self._pump(until, min(left, _SLICE))

    def close(self) -> None:
        """Close it in good order, or cut it if the peer is silent; never raises."""
        self._closing = True
        self._failure = None
        connection = self._connection
        if connection is not None:
            if connection.is_open:
                connection.close()
                self._await(lambda: bool(connection.is_closed))
            self._await(connection.tangible)
            connection.cut()
            self._await(lambda: bool(connection.is_closed))
        self._connection = self._channel = None
        self._loop.close()

    def _await(self, done: Callable[[], bool]) -> None:
        with contextlib.suppress(bus.BusUnreachable):
            if not done():
                self._pump(done, _CLOSE_TIMEOUT)

    def _open(self, parameters: pika.ConnectionParameters, timeout: float) -> None:
        parameters = copy.copy(parameters)
        parameters.connection_attempts = 1
        parameters.socket_timeout = parameters.stack_timeout = timeout
        deadline = time.monotonic() + timeout + _GRACE
        self._connection = _Connection(
            parameters,
            on_open_callback=lambda _connection: self._progress(),
            on_open_error_callback=lambda _connection, reason: self._fail(_describe(reason)),
            on_close_callback=lambda _connection, reason: self._fail(_describe(reason)),
            custom_ioloop=self._loop,
        )
        self._wait(lambda: bool(self._connection.is_open), deadline - time.monotonic(), what="connection")
        opened: list[object] = []

        def on_open(channel: object) -> None:
            opened.append(channel)
            self._progress()

        with self._translated():
            self._channel = self._connection.channel(on_open_callback=on_open)
            self._channel.add_on_close_callback(lambda _channel, reason: self._fail(_describe(reason)))
        self._wait(lambda: bool(opened), deadline - time.monotonic(), what="channel")
        self._channel.add_on_return_callback(self._on_return)
        self.call("confirm_delivery", timeout=deadline - time.monotonic(), ack_nack_callback=self._on_confirm)

    def _wait(self, done: Callable[[], bool], timeout: float, *, what: str) -> None:
        deadline = time.monotonic() + timeout
        while not done():
            left = deadline - time.monotonic()
            if left <= 0:
                raise bus.BusUnreachable(f"no answer within {timeout:.1f} s: {what}")
            if self._stopped():
                raise bus.BusUnreachable(f"told to stop while waiting: {what}")
            self._pump(done, min(left, _SLICE))

    def _pump(self, done: Callable[[], bool], seconds: float) -> None:
        if self._failure is None:
            self._until = done
            timer = self._loop.call_later(max(seconds, 0.0), self._loop.stop)
            try:
                with self._translated():
                    self._loop.start()
            finally:
                self._until = None
                self._loop.remove_timeout(timer)
        if self._failure is not None:
            raise bus.BusUnreachable(self._failure)

    def _progress(self) -> None:
        if self._failure is not None or (self._until is not None and self._until()):
            self._loop.stop()

    def _stopped(self) -> bool:
        return self._stop is not None and self._stop.is_set()

    def _fail(self, why: str) -> None:
        if not self._closing and self._failure is None:
            self._failure = why
        self._progress()

    def _on_delivery(self, _channel: object, method: Any, properties: pika.BasicProperties, body: bytes) -> None:
        self.inbox.append(Delivery(method.delivery_tag, body, properties))
        self._progress()

    def _on_return(self, _channel: object, method: Any, _properties: object, _body: object) -> None:
        self._fail(f"no queue takes {method.routing_key!r}: {method.reply_text}")

    def _on_confirm(self, frame: Any) -> None:
        method = frame.method
        if isinstance(method, pika.spec.Basic.Nack):
            self._fail("the broker could not take a message")
        elif method.multiple:
            self._unconfirmed = {tag for tag in self._unconfirmed if tag > method.delivery_tag}
        else:
            self._unconfirmed.discard(method.delivery_tag)
        self._progress()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (pika.exceptions.AMQPError, OSError) as err:
            self._fail(_describe(err))
            raise bus.BusUnreachable(self._failure or _describe(err)) from err


def _describe(error: BaseException) -> str:
    """Say what happened, down to the last attempt's own error; pika never puts credentials there."""
    causes = [*error.args, getattr(error, "exception", None), *getattr(error, "exceptions", ())]
    for cause in reversed(causes):
        if isinstance(cause, BaseException):
            return _describe(cause)
    return f"{type(error).__name__}: {error}"
