"""Images to look at; the app is the one that the Compute API's tests share."""

from tests.unit.apiserver.compute.conftest import (
    admin,
    app,
    clock,
    demo,
    image,
    private_image,
    sessions,
    standing,
    stranger,
)

__all__ = ["admin", "app", "clock", "demo", "image", "private_image", "sessions", "standing", "stranger"]
