"""apiserver's command line: gunicorn in this process, each worker with its own database pool and submitter."""

from __future__ import annotations

import contextlib
import logging
import os
import ssl
import tempfile
from pathlib import Path

import click
import flask
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.workers.base import Worker
from prometheus_client import multiprocess, values

from apiserver import service
from apiserver.settings import ApiSettings
from common import command, config, hosts
from common.certificate import Certificate

log = logging.getLogger(__name__)

_METRICS = "PROMETHEUS_MULTIPROC_DIR"


@click.command()
@click.version_option(package_name="syros", prog_name="syros-apiserver")
@command.config_option
def main(path: Path | None) -> None:
    """Serve the REST APIs."""
    conf = command.read(path)
    with command.meant():
        _check(conf)  # what can't be meant is said now, once, and not by each worker
    Gunicorn(path, conf, metrics_folder=_share_metrics()).run()


class Gunicorn(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn, told by our configuration instead of its own: read anew with SIGHUP, for the workers that come then."""

    def __init__(self, path: Path | None, conf: config.Config, *, metrics_folder: Path) -> None:
        self._path = path
        self._conf = conf
        self._metrics_folder = metrics_folder
        self._service: service.Service | None = None
        super().__init__()

    def reload(self) -> None:
        """Read the configuration again; what can't be meant is said, and what there was goes on."""
        try:
            conf = config.Config.read(self._path, os.environ)
            _check(conf)
        except (config.ConfigError, ValueError):
            log.exception("configuration.refused")
            return
        self._conf = conf
        super().reload()

    def load_config(self) -> None:
        """Translate our settings into gunicorn's."""
        settings = self._conf.section("api", ApiSettings)
        certificate = _certificate(settings)
        options: dict[str, object] = {
            "bind": f"{hosts.bracketed(settings.host)}:{settings.port}",
            "worker_class": "gthread",
            "workers": settings.workers,
            "threads": settings.threads,
            "timeout": settings.request_timeout,
            "graceful_timeout": settings.stop_patience,
            "keepalive": 75,
            "control_socket_disable": True,
            "proc_name": "syros-apiserver",
            "logger_class": "apiserver.gunicorn_log.Quiet",
            "post_worker_init": self._start,
            "worker_exit": self._stop,
            "child_exit": _forget_metrics,
            "certfile": settings.cert or None,
            "keyfile": settings.key or None,
            # by itself gunicorn reads the files for each connection: half of a renewal would take the API down
            "ssl_context": lambda _conf, _factory: certificate.context if certificate else None,
            "on_exit": self._clean,
        }
        for name, value in options.items():
            if name in self.cfg.settings:  # older releases lack the control socket
                self.cfg.set(name, value)

    def load(self) -> flask.Flask:
        """Make the app; this runs in the worker, after the fork."""
        self._service = service.build(self._conf)
        return self._service.app

    def _start(self, _worker: Worker) -> None:
        if self._service is not None:
            self._service.start()

    def _stop(self, _arbiter: Arbiter, _worker: Worker) -> None:
        if self._service is not None:
            self._service.stop()

    def _clean(self, _arbiter: Arbiter) -> None:
        _empty(self._metrics_folder)
        with contextlib.suppress(OSError):  # something of somebody else's is in it
            self._metrics_folder.rmdir()


def _check(conf: config.Config) -> None:
    """Raise ConfigError for what can't be meant, a certificate that can't be served included."""
    _certificate(conf.section("api", ApiSettings))
    service.build(conf)


def _certificate(settings: ApiSettings) -> Certificate | None:
    """Read the certificate that is named, if one is; raises ConfigError."""
    if not settings.cert:
        return None
    try:
        return Certificate(settings.cert, settings.key)
    except ssl.SSLError as err:
        raise config.ConfigError(f"[api] cert and key: {err.reason or err}") from err
    except OSError as err:
        raise config.ConfigError(f"[api] cert and key: {err.strerror}; {settings.cert}, {settings.key}") from err


def _share_metrics() -> Path:
    """Have the workers write their counters where each can read them all; give the folder."""
    folder = Path(os.environ.get(_METRICS) or tempfile.mkdtemp(prefix="syros-metrics-"))
    folder.mkdir(parents=True, exist_ok=True)
    _empty(folder)
    os.environ[_METRICS] = str(folder)
    # decided when prometheus_client was imported, before the folder was known
    values.ValueClass = values.get_value_class()  # type: ignore[no-untyped-call]  # it is half typed
    return folder


def _empty(folder: Path) -> None:
    for file in folder.glob("*.db"):
        file.unlink(missing_ok=True)


def _forget_metrics(_arbiter: Arbiter, worker: Worker) -> None:
    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]  # it is half typed


if __name__ == "__main__":
    main()
