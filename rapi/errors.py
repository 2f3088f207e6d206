"""What can go wrong in a call to Ganeti: it said no, or we do not know what it said."""


class RapiError(Exception):
    """A call to Ganeti's remote API did not succeed."""


class RapiRefused(RapiError):
    """Ganeti answered no (or we never asked, for a reason of our own): nothing was done.

    `status` is the HTTP status, 0 where nothing was sent. `error_class` is a name made for comparing, such as
    "HttpNotFound" or "JobQueueDrainError". `retryable` says that the same call may succeed later, unchanged.
    """

    def __init__(self, *, status: int, error_class: str, reason: str, retryable: bool = False) -> None:
        super().__init__(f"{error_class} ({status}): {reason}")
        self.status = status
        self.error_class = error_class
        self.reason = reason
        self.retryable = retryable


class RapiUnreachable(RapiError):
    """No usable answer came. With `sent`, the outcome is unknown; without, certainly nothing reached Ganeti."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(f"{reason} ({'outcome unknown' if sent else 'nothing was sent'})")
        self.reason = reason
        self.sent = sent
