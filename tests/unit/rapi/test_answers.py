import json

import pytest

from rapi import answers, errors


def body(message: str, code: int = 500) -> bytes:
    return json.dumps({"code": code, "message": message, "explain": "x"}).encode()


def test_a_good_answer_is_its_json() -> None:
    assert answers.value(200, b"23\n") == 23


@pytest.mark.parametrize(
    ("status", "message", "error_class", "retryable"),
    [
        (400, "Invalid body parameters", "HttpBadRequest", False),
        (401, "Unauthorized", "HttpUnauthorized", False),
        (403, "Forbidden", "HttpForbidden", False),
        (404, "Not Found", "HttpNotFound", False),
        (415, "Unsupported Media Type", "HttpUnsupportedMediaType", False),
        (500, "Queue drained", "JobQueueDrainError", True),
        (500, "Failed to write job-6", "HttpInternalServerError", False),
        (501, "Method PUT is unsupported", "HttpNotImplemented", False),
        (502, "Failed to parse request: bad filter", "HttpBadGateway", False),
        (503, "Instance console unavailable", "HttpServiceUnavailable", True),
        (503, "Job queue is full, needs archiving", "JobQueueFull", True),
        (503, "Job queue is drained, cannot submit", "JobQueueDrainError", True),
        (599, "odd", "Http599", False),
    ],
)
def test_an_answered_no_is_a_refusal(status: int, message: str, error_class: str, retryable: bool) -> None:
    with pytest.raises(errors.RapiRefused) as refusal:
        answers.value(status, body(message, status))
    assert refusal.value.status == status
    assert refusal.value.error_class == error_class
    assert refusal.value.retryable is retryable
    assert refusal.value.reason == message


@pytest.mark.parametrize(
    ("status", "content", "sent"),
    [
        (504, body("Gateway Timeout"), True),
        (502, body("Master seems to be unreachable: x"), True),
        (502, body("Can't connect to master daemon: x"), False),
        (502, b"<html>nginx</html>", True),
        (503, b"<html>haproxy</html>", True),
        (500, b"", True),
        (200, b"<html>what?</html>", True),
        (200, b"", True),
    ],
)
def test_an_answer_that_settles_nothing_is_an_unknown_outcome(status: int, content: bytes, sent: bool) -> None:
    with pytest.raises(errors.RapiUnreachable) as unknown:
        answers.value(status, content)
    assert unknown.value.sent is sent


def test_a_redirect_is_not_followed_but_refused() -> None:
    with pytest.raises(errors.RapiRefused, match="HttpFound"):
        answers.value(302, b"")


def test_html_escapes_are_undone() -> None:
    with pytest.raises(errors.RapiRefused, match="doesn't support the parameter 'bogus'"):
        answers.value(400, body("doesn&#x27;t support the parameter &#x27;bogus&#x27;"))


def test_a_message_that_quotes_a_secret_loses_it() -> None:
    with pytest.raises(errors.RapiRefused) as refusal:
        answers.value(400, body("bad value &#x27;tok&#x27;"), secrets=frozenset({"tok"}))
    assert refusal.value.reason == "bad value '<redacted>'"
