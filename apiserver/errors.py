"""What went wrong, as clients read it: one table from domain errors to HTTP, and one form per service."""

from __future__ import annotations

import http
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import flask
from werkzeug import exceptions

from apiserver import answers
from common import errors
from db import sessions

RETRY_AFTER = 5

#: the HTTP status of each domain error; a subclass has its nearest parent's
_STATUS: dict[type[errors.CloudError], int] = {
    errors.Invalid: 400,
    errors.Unauthorized: 401,
    errors.Forbidden: 403,
    errors.QuotaExceeded: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Gone: 410,
    errors.Unsupported: 501,
    errors.Unavailable: 503,
    errors.CloudError: 500,
}

#: fault names of the Compute API; anything else is a computeFault
_COMPUTE_FAULTS: dict[int, str] = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    409: "conflictingRequest",
    413: "overLimit",
    415: "badMediaType",
    429: "overLimit",
    501: "notImplemented",
    503: "serviceUnavailable",
}

#: error types of the Network API
_NETWORK_TYPES: dict[int, str] = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    503: "ServiceUnavailable",
}

#: texts for what the HTTP layer itself refuses
_HTTP_TEXTS: dict[int, str] = {
    404: "there is nothing at this path",
    405: "this path does not take that method",
    413: "the body is too large",
}


class SchemaBehind(Exception):
    """The database waits for its upgrade to what this program needs; nothing is read or written meanwhile."""


class Service(StrEnum):
    """Whose conventions a path follows."""

    COMPUTE = "compute"
    IDENTITY = "identity"
    IMAGE = "image"
    NETWORK = "network"


@dataclass(frozen=True)
class Fault:
    """A refusal, before it takes a service's form."""

    status: int
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)
    #: the database was away, or of no use yet: writing about this request to it is no use
    outage: bool = False


def fault_of(error: Exception, path: str) -> Fault:
    """Decide how an error is answered; what nobody foresaw tells no details."""
    if isinstance(error, errors.CloudError):
        return _domain_fault(error, path)
    if isinstance(error, exceptions.HTTPException):
        return _http_fault(error)
    if isinstance(error, SchemaBehind):
        return Fault(503, "the cloud is being upgraded; try again soon", {"Retry-After": str(RETRY_AFTER)}, outage=True)
    if sessions.is_outage(error):
        message = "the database does not answer now; try again soon"
        return Fault(503, message, {"Retry-After": str(RETRY_AFTER)}, outage=True)
    return Fault(500, "something went wrong inside; the operator finds the reason by the request id")


def render(fault: Fault, path: str) -> flask.Response:
    """Give the fault the form of the service that owns the path."""
    document = _RENDERERS[service_of(path)](fault)
    return answers.json(document, fault.status, fault.headers)


def service_of(path: str) -> Service:
    """Tell which service a path belongs to; identity is also served at the root."""
    first = path.split("/", 2)[1] if path.startswith("/") else ""
    if first in ("v3", "v2.0", ""):
        return Service.IDENTITY
    return Service(first) if first in list(Service) else Service.COMPUTE


def unauthenticated_headers(identity_url: str) -> dict[str, str]:
    """Tell a client that shows no valid token where to get one."""
    return {"WWW-Authenticate": f'Keystone uri="{identity_url}"'}


def _domain_fault(error: errors.CloudError, path: str) -> Fault:
    status = next(_STATUS[cls] for cls in type(error).__mro__ if cls in _STATUS)
    headers: dict[str, str] = {}
    if isinstance(error, errors.QuotaExceeded) and path.startswith(("/compute/v1.1", "/image")):
        status = 413  # the Compute API 1.1 has overLimit for this; later versions have forbidden
    if isinstance(error, errors.QuotaExceeded) and service_of(path) is Service.NETWORK:
        status = 409
    if status in (413, 503):
        headers["Retry-After"] = str(RETRY_AFTER)
    return Fault(status, str(error), headers)


def _http_fault(error: exceptions.HTTPException) -> Fault:
    status = error.code or 500
    own_text = error.description if error.description != type(error).description else None
    message = own_text or _HTTP_TEXTS.get(status) or error.description or _phrase(status)
    kept = {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After", "WWW-Authenticate")}
    return Fault(status, message, kept)


def _compute(fault: Fault) -> object:
    name = _COMPUTE_FAULTS.get(fault.status, "computeFault")
    body: dict[str, object] = {"code": fault.status, "message": fault.message}
    if "Retry-After" in fault.headers:
        body["retryAfter"] = fault.headers["Retry-After"]
    return {name: body}


def _identity(fault: Fault) -> object:
    return {"error": {"code": fault.status, "message": fault.message, "title": _phrase(fault.status)}}


def _image(fault: Fault) -> object:
    return {"code": fault.status, "title": _phrase(fault.status), "message": fault.message}


def _network(fault: Fault) -> object:
    kind = _NETWORK_TYPES.get(fault.status, "NeutronError")
    return {"NeutronError": {"type": kind, "message": fault.message, "detail": ""}}


def _phrase(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Error"


_RENDERERS: dict[Service, Callable[[Fault], object]] = {
    Service.COMPUTE: _compute,
    Service.IDENTITY: _identity,
    Service.IMAGE: _image,
    Service.NETWORK: _network,
}
