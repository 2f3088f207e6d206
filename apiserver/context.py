"""What happens around each request: its id, its token, its log line, its row in the request log."""

from __future__ import annotations

import contextlib
import logging
import time
from dataclasses import dataclass, field

import flask
from werkzeug import exceptions

from apiserver import errors, validation
from apiserver.front import Front
from cloud import auth, requests
from common import log as logs
from common import names
from common.errors import Invalid, NotFound, Unauthorized
from db.tokens import Bearer

log = logging.getLogger(__name__)

_CHANGING = ("POST", "PUT", "PATCH", "DELETE")
_METHODS = (*_CHANGING, "GET", "HEAD", "OPTIONS")
_XML = ("application/xml", "text/xml", "application/atom+xml")
_PROBES = ("/healthz", "/readyz", "/metrics")
#: what is asked by POST, again and again, and changes nothing
_LOOKS = ("/console/v1/status",)


@dataclass
class RequestState:
    """What is known of the request under way."""

    request_id: str
    started: float
    binding: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    bearer: Bearer | None = None
    fault: errors.Fault | None = None


def install(app: flask.Flask, front: Front) -> None:
    """Have every request of the app pass through here."""

    def begin() -> None:
        _begin(front)

    def finish(response: flask.Response) -> flask.Response:
        return _finish(front, response)

    def release(_error: BaseException | None) -> None:
        state().binding.close()

    def refuse(error: Exception) -> flask.Response:
        return _refuse(front, error)

    app.before_request(begin)
    app.after_request(finish)
    app.teardown_request(release)
    app.register_error_handler(Exception, refuse)


def state() -> RequestState:
    """Give the state of the request under way."""
    if "state" not in flask.g:
        flask.g.state = RequestState(request_id=names.new_request_id(), started=time.monotonic())
    found: RequestState = flask.g.state
    return found


def authenticate(front: Front) -> Bearer:
    """Find out who asks, by the token in X-Auth-Token; raises Unauthorized. One statement, once per request."""
    current = state()
    if current.bearer is None:
        text = flask.request.headers.get("X-Auth-Token")
        if not text:
            raise Unauthorized("a token is needed in X-Auth-Token")
        foreign = front.foreign_identity
        current.bearer = foreign.validate(text) if foreign else auth.validate(front.cloud, text)
    return current.bearer


def read_body() -> validation.Body:
    """Read the request's JSON body; raises Invalid, or UnsupportedMediaType for another content type."""
    request = flask.request
    if request.mimetype not in ("", "application/json"):
        raise exceptions.UnsupportedMediaType(
            f"Content-Type: application/json is expected, not {validation.printable(request.mimetype)}"
        )
    return validation.parse(request.get_data())


def _begin(front: Front) -> None:
    current = state()
    current.binding.enter_context(logs.bind(current.request_id))
    request = flask.request
    if request.path not in _PROBES and front.schema_behind() is not None:
        raise errors.SchemaBehind
    if "\x00" in request.path:
        raise NotFound("there is nothing at this path")
    for key, values in request.args.lists():
        if "\x00" in key or any("\x00" in value for value in values):
            raise Invalid("the query must not contain NUL")
    accepted = [kind for kind, _ in request.accept_mimetypes]
    if accepted and all(kind in _XML for kind in accepted):
        raise exceptions.NotAcceptable("only application/json is spoken here")


def _refuse(front: Front, error: Exception) -> flask.Response:
    path = flask.request.path
    if isinstance(error, exceptions.HTTPException) and (error.code is None or error.code < 400):
        return flask.make_response(error.get_response())
    fault = errors.fault_of(error, path)
    if fault.status == 401:
        foreign = front.foreign_identity
        headers = errors.unauthenticated_headers(foreign.url if foreign else front.urls.absolute("/identity"))
        fault = errors.Fault(fault.status, fault.message, {**fault.headers, **headers})
    if fault.status == 500:
        log.error("request.failed", exc_info=error)
    elif fault.outage:
        log.error("database.unavailable", extra={"reason": type(error).__name__})
    state().fault = fault
    return errors.render(fault, path)


def _finish(front: Front, response: flask.Response) -> flask.Response:
    current, request = state(), flask.request
    response.headers["X-Openstack-Request-Id"] = current.request_id
    response.headers["X-Compute-Request-Id"] = current.request_id
    seconds = time.monotonic() - current.started
    method = request.method if request.method in _METHODS else "other"
    route = request.url_rule.rule if request.url_rule else "none"
    front.metrics.answered(method=method, route=route, status=response.status_code, seconds=seconds)
    bearer = current.bearer
    facts = {
        "method": method,
        "path": validation.printable(request.path, 500),
        "status": response.status_code,
        "ms": round(seconds * 1000),
        "user": bearer.user.id if bearer else None,
        "project": bearer.token.project_id if bearer else None,
    }
    log.log(logging.DEBUG if request.path in _PROBES else logging.INFO, "request.answered", extra=facts)
    if _worth_keeping(current, response):
        _keep(front, current, response, int(seconds * 1000))
    return response


def _worth_keeping(current: RequestState, response: flask.Response) -> bool:
    if flask.request.method not in _CHANGING or (current.fault is not None and current.fault.outage):
        return False
    path = flask.request.path.rstrip("/")
    routine = path.endswith(("/auth/tokens", "/v2.0/tokens")) or path in _LOOKS
    return not routine or response.status_code >= 400


def _keep(front: Front, current: RequestState, response: flask.Response, milliseconds: int) -> None:
    request, bearer = flask.request, current.bearer
    try:
        requests.record(
            front.cloud,
            requests.Answered(
                request_id=current.request_id,
                method=request.method,
                path=validation.printable(request.path, 500),
                status=response.status_code,
                milliseconds=milliseconds,
                user_id=bearer.user.id if bearer else None,
                project_id=bearer.token.project_id if bearer else None,
                message=current.fault.message[:1000] if current.fault else None,
                remote=(request.remote_addr or "")[:64] or None,
            ),
        )
    except Exception:  # the answer stands: what the log of requests lacks must not turn it into a failure
        log.exception("request.not_kept")
