"""A simulated Ganeti master as one object: start it, talk to its URL, break it, stop it."""

import datetime
import http.server
import logging
import pathlib
import socket
import ssl
import threading
from typing import Any

from gntsim import certs, cluster, faults, journal, knobs, queue, rapi, scheduler, settings, users
from gntsim.resources import base

log = logging.getLogger(__name__)

CLIENT_TIMEOUT = 60.0
MAX_THREADS = 64
STOP_POLL = 0.05


class Simulator:
    """One cluster's master. A second start on the same data folder goes on where the first ended."""

    def __init__(self, config: settings.Settings) -> None:
        self.settings = config
        self._stopping = threading.Event()
        self._http: _Server | None = None

    def start(self) -> None:
        """Open the state, take up the queue and answer requests."""
        config = self.settings
        (config.data_dir / "rapi").mkdir(parents=True, exist_ok=True)
        if not config.users_file.exists():
            users.write(config.users_file, config.users)
        self._journal = journal.Journal(config.data_dir / "state.sqlite")
        self._cluster = cluster.Cluster(config, self._journal)
        self._cluster.open()
        self._queue = queue.JobQueue(config.queue_dir)
        self._queue.open()
        dials = knobs.Knobs(config.seed, config.durations.scale)
        self._scheduler = scheduler.Scheduler(config, self._cluster, self._queue, dials)
        self.knobs = faults.Faults(dials, self._cluster, self._scheduler, self._queue)
        world = base.World(config, self._cluster, self._scheduler, self._queue, self.knobs)
        front = rapi.Rapi(config, world, dials, stopping=self._stopping)
        self._http = _Server((config.host, config.port), front, context=self._tls())
        self._scheduler.start()
        self._thread = threading.Thread(
            target=self._http.serve_forever, args=(STOP_POLL,), name="gntsim-http", daemon=True
        )
        self._thread.start()
        log.info("gntsim started", extra={"url": self.url, "cluster": self.cluster_uuid})

    def stop(self) -> None:
        """Answer no more, let running jobs end, and close the state."""
        if self._http is None:
            return
        self._stopping.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
        self._scheduler.stop()
        self._journal.close()
        self._http = None
        log.info("gntsim stopped")

    @property
    def url(self) -> str:
        if self._http is None:
            raise RuntimeError("the simulator is not running")
        scheme = "https" if self.settings.tls else "http"
        return f"{scheme}://{self.settings.host}:{self._http.server_port}"

    @property
    def ca_file(self) -> pathlib.Path:
        return self.settings.ca_file

    @property
    def data_dir(self) -> pathlib.Path:
        return self.settings.data_dir

    @property
    def cluster_uuid(self) -> str:
        return self._cluster.identity.uuid

    @property
    def cluster(self) -> cluster.Cluster:
        """The truth of the simulated world; hold its lock while reading."""
        return self._cluster

    def _tls(self) -> ssl.SSLContext | None:
        config = self.settings
        if not config.tls:
            return None
        certs.ensure(config.cert_file, config.ca_file, host=config.host, now=datetime.datetime.now(datetime.UTC))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(config.cert_file)
        return context


class _Server(http.server.ThreadingHTTPServer):
    """Accepts in one thread; the TLS handshake and the request happen in a thread of their own."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], front: rapi.Rapi, *, context: ssl.SSLContext | None) -> None:
        self.front = front
        self._context = context
        self._connections = threading.BoundedSemaphore(MAX_THREADS)
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.acquire()
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            request.settimeout(CLIENT_TIMEOUT)
            if self._context is not None:
                try:
                    request = self._context.wrap_socket(request, server_side=True)
                except OSError as err:
                    log.debug("tls handshake failed", extra={"error": str(err)})
                    self.shutdown_request(request)
                    return
            super().process_request_thread(request, client_address)
        finally:
            self._connections.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is not an error of ours."""
        log.debug("connection ended early", exc_info=True)


class _Handler(http.server.BaseHTTPRequestHandler):
    """HTTP/1.1 with a connection per request, as Ganeti serves it."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def version_string(self) -> str:
        return "Ganeti 3.0.2"

    def do_GET(self) -> None:
        self.close_connection = True
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            status, body = self.server.front.answer(self.command, self.path, self.headers.get, raw)
        except rapi.ConnectionCut:
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if status == 401:
            self.send_header("WWW-Authenticate", f'Basic realm="{users.REALM}"')
        self.send_header("Connection", "close")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 -- the standard library's names

    def log_message(self, format: str, *args: Any) -> None:
        log.debug("request", extra={"line": format % args})
