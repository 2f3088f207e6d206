"""The header Idempotency-Key: a request that carries it is done once, however often it is sent."""

from __future__ import annotations

from collections.abc import Callable

import flask

from apiserver import errors
from cloud import idempotency
from cloud.context import Caller, Cloud
from cloud.idempotency import Answer

HEADER = "Idempotency-Key"
#: marks an answer that was given before
REPLAYED = "Idempotency-Replayed"

#: what of a request's headers decides its answer
_DECIDING = ("Content-Type", "OpenStack-API-Version", "X-OpenStack-Nova-API-Version")
_OWN_TO_EACH = ("Content-Length",)


def answer(cloud: Cloud, caller: Caller, key: str, run: Callable[[Cloud], flask.Response]) -> flask.Response:
    """Answer with what `run` gives, or with what it gave when the key came first; refusals are kept alike.

    Raises Invalid for a key that can't be one or that came with another request.
    """

    def do(inside: Cloud) -> Answer:
        try:
            response = run(inside)
        except Exception as error:
            if errors.fault_of(error, flask.request.path).status >= 500:
                raise
            response = flask.make_response(flask.current_app.handle_user_exception(error))
        headers = {name: value for name, value in response.headers.items() if name not in _OWN_TO_EACH}
        return Answer(response.status_code, headers, response.get_data())

    found, replayed = idempotency.once(cloud, caller, key, request=_request(), do=do)
    response = flask.Response(found.body, status=found.status)
    del response.headers["Content-Type"]
    response.headers.update(found.headers)
    if replayed:
        response.headers[REPLAYED] = "true"
    return response


def _request() -> bytes:
    """Everything of the request that decides what it does."""
    request = flask.request
    parts = [request.method, request.full_path, *(request.headers.get(name, "") for name in _DECIDING)]
    return "\x00".join(parts).encode(errors="replace") + b"\x00" + request.get_data()
