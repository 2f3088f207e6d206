"""The API, asked for one guest: over verified TLS, with a timeout, signed as Nova's metadata proxy does it."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ssl

import h11

from common import hosts
from metadatad.exchange import TEXT, Answer
from metadatad.settings import MetadatadSettings

_PREFIX = "/metadata"
_CHUNK = 65_536
#: bytes that the headers of an answer may have
_HEADERS = 16_384
#: what goes on to the guest; anything else is between node and API
_PASSED_ON = (200, 404)


class Failed(Exception):
    """There is no answer of the API's to pass on; the text is a short constant, fit for a counter's label."""


class Api:
    """Makes a connection for each question. Raises OSError where the CA certificate can't be read."""

    def __init__(self, settings: MetadatadSettings) -> None:
        self._host, self._port, tls = settings.api
        self._tls = ssl.create_default_context(cafile=settings.api_ca or None) if tls else None
        self._secret = settings.secret.encode()
        self._seconds = settings.api_seconds
        self._answer_size = settings.answer_size

    async def ask(self, instance_id: str, path: str) -> Answer:
        """Give what the API says of an instance at a path: 200 or 404. Raises Failed."""
        try:
            async with asyncio.timeout(self._seconds):
                answer = await self._exchange(self._question(instance_id, path))
        except TimeoutError as err:
            raise Failed("timeout") from err
        except ssl.SSLError as err:
            raise Failed("tls") from err
        except OSError as err:
            raise Failed("unreachable") from err
        except h11.RemoteProtocolError as err:
            raise Failed("no http") from err
        if answer.status not in _PASSED_ON:
            raise Failed(f"status {answer.status}")
        return answer

    def _question(self, instance_id: str, path: str) -> h11.Request:
        signature = hmac.new(self._secret, instance_id.encode(), hashlib.sha256).hexdigest()
        headers = {
            "Host": f"{hosts.bracketed(self._host)}:{self._port}",
            "Connection": "close",
            "X-Instance-ID": instance_id,
            "X-Instance-ID-Signature": signature,
        }
        return h11.Request(method="GET", target=_PREFIX + path, headers=list(headers.items()))

    async def _exchange(self, question: h11.Request) -> Answer:
        reader, writer = await asyncio.open_connection(self._host, self._port, ssl=self._tls)
        try:
            api = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEADERS)
            writer.write((api.send(question) or b"") + (api.send(h11.EndOfMessage()) or b""))
            await writer.drain()
            return await self._read(api, reader)
        finally:
            # Nothing is waited for: what is left to say is the end. There is no close before it: after the API's own
            # end that is a second one, and Python 3.11.2 (Debian 12's) can't abort TLS any more then.
            writer.transport.abort()

    async def _read(self, api: h11.Connection, reader: asyncio.StreamReader) -> Answer:
        status, media_type, body = 0, TEXT, bytearray()
        while True:
            event = api.next_event()
            if event is h11.NEED_DATA:
                api.receive_data(await reader.read(_CHUNK))
            elif isinstance(event, h11.Response):
                status = event.status_code
                media_type = dict(event.headers).get(b"content-type", media_type.encode()).decode("latin-1")
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > self._answer_size:
                    raise Failed("too long")
            elif isinstance(event, h11.EndOfMessage):
                return Answer(status, bytes(body), media_type)
            elif not isinstance(event, h11.InformationalResponse):
                raise Failed("no http")
