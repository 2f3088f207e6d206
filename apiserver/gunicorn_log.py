"""gunicorn's own messages, in our log's form; its access log is not used, since the app logs each request."""

from __future__ import annotations

from gunicorn import glogging
from gunicorn.config import Config


class Quiet(glogging.Logger):  # type: ignore[misc]  # gunicorn has no types
    """Hands everything to the root logger's handler."""

    def setup(self, cfg: Config) -> None:
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True
