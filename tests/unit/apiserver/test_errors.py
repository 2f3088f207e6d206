import pytest

from apiserver import errors
from common import errors as domain


@pytest.mark.parametrize(
    ("error", "status", "name"),
    [
        (domain.Invalid("x"), 400, "badRequest"),
        (domain.Unauthorized("x"), 401, "unauthorized"),
        (domain.Forbidden("x"), 403, "forbidden"),
        (domain.QuotaExceeded("x"), 403, "forbidden"),
        (domain.NotFound("x"), 404, "itemNotFound"),
        (domain.Conflict("x"), 409, "conflictingRequest"),
        (domain.Busy("x"), 409, "conflictingRequest"),
        (domain.Unavailable("x"), 503, "serviceUnavailable"),
        (domain.CloudError("x"), 500, "computeFault"),
    ],
)
def test_each_domain_error_has_its_status_and_compute_fault(error: domain.CloudError, status: int, name: str) -> None:
    fault = errors.fault_of(error, "/compute/v2.1/servers")
    assert fault.status == status
    assert errors.render(fault, "/compute/v2.1/servers").json[name]["code"] == status


def test_every_domain_error_is_in_the_table() -> None:
    known = {cls for cls in vars(domain).values() if isinstance(cls, type) and issubclass(cls, domain.CloudError)}
    assert {errors.fault_of(cls("x"), "/").status for cls in known - {domain.CloudError}} <= set(range(400, 504)) - {
        500
    }


def test_quota_is_over_limit_in_version_1_1() -> None:
    fault = errors.fault_of(domain.QuotaExceeded("too many"), "/compute/v1.1/servers")
    assert fault.status == 413
    assert fault.headers["Retry-After"]


def test_what_nobody_foresaw_tells_no_details() -> None:
    fault = errors.fault_of(ValueError("password=hunter2"), "/compute/v2.1/servers")
    assert fault.status == 500
    assert "hunter2" not in fault.message


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/", "identity"),
        ("/v3/auth/tokens", "identity"),
        ("/v2.0/tokens", "identity"),
        ("/identity", "identity"),
        ("/image/v2/images", "image"),
        ("/network/v2.0/ports", "network"),
        ("/compute/v2.1/servers", "compute"),
        ("/nowhere", "compute"),
    ],
)
def test_a_path_belongs_to_a_service(path: str, service: str) -> None:
    assert errors.service_of(path) == service


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/identity/v3/users", {"error": {"code": 404, "message": "no", "title": "Not Found"}}),
        ("/compute/v2/servers/x", {"itemNotFound": {"code": 404, "message": "no"}}),
        ("/image/v2/images/x", {"code": 404, "title": "Not Found", "message": "no"}),
        ("/network/v2.0/x", {"NeutronError": {"type": "NotFound", "message": "no", "detail": ""}}),
    ],
)
def test_each_service_has_its_own_form(path: str, form: object) -> None:
    assert errors.render(errors.Fault(404, "no"), path).json == form
