from typing import Any

import pytest

from rapi import endpoint

GOOD: dict[str, Any] = {"urls": ("https://10.0.0.1:5080",), "user": "snf", "password": "hunter2-dummy"}


def test_the_password_is_not_in_the_repr() -> None:
    assert "hunter2" not in repr(endpoint.Endpoint(**GOOD))


@pytest.mark.parametrize(
    "wrong",
    [
        {"urls": ()},
        {"urls": ("ftp://10.0.0.1",)},
        {"urls": ("10.0.0.1:5080",)},
        {"urls": ("https://10.0.0.1:5080/2/info",)},
        {"fingerprint": "abc"},
        {"fingerprint": "x" * 64},
        {"max_connections": 0},
    ],
)
def test_a_wrong_endpoint_is_an_error_at_once(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        endpoint.Endpoint(**(GOOD | wrong))


def test_a_url_with_credentials_is_refused_without_showing_them() -> None:
    with pytest.raises(ValueError) as failure:
        endpoint.Endpoint(**(GOOD | {"urls": ("https://snf:hunter2@10.0.0.1:5080",)}))
    assert "hunter2" not in str(failure.value)
