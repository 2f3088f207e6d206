"""What can go wrong in the domain, said without HTTP: each front maps these to its own faults."""

from __future__ import annotations


class CloudError(Exception):
    """The root; its text is safe to show to the caller."""


class Invalid(CloudError):
    """The caller sent something that can't be meant; the text names the field and the reason."""


class Unauthorized(CloudError):
    """Nobody known is asking: wrong password, expired or revoked token."""


class Forbidden(CloudError):
    """The caller is known, and may not do this."""


class NotFound(CloudError):
    """There is no such thing, or none that this caller may know of."""


class Conflict(CloudError):
    """The thing exists, but its state does not allow this now."""


class Busy(Conflict):
    """Another action on the same thing is still under way."""


class QuotaExceeded(CloudError):
    """The project's quota does not cover this."""


class Gone(CloudError):
    """The thing was there, and is used up."""


class Unsupported(CloudError):
    """Nothing is wrong with the request; this installation is not set up for it."""


class Unavailable(CloudError):
    """Nothing is wrong with the request; a part of the cloud can't serve it now."""
