"""A tenant who creates, stops, starts, reboots and deletes servers as the dice fall, whatever answers come."""

from __future__ import annotations

import http.client
import random
import threading

from tests.e2e import client


class Tenant:
    """One such tenant, in a thread; a seed makes the wishes (not their timing) repeatable."""

    def __init__(self, url: str, *, user: str, password: str, seed: int, most: int, pause: float = 0.1) -> None:
        self._client = client.Client(url)
        self._login = (user, password)
        self._random = random.Random(seed)
        self._most = most
        self._pause = pause
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        #: requests that were answered as they should be
        self.answered = 0
        #: answers that no tenant should ever see
        self.surprises: list[str] = []

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._random.uniform(0.2, 1.5) * self._pause):
            try:
                self._client.log_in(*self._login)
                self._act()
                self.answered += 1
            except (OSError, http.client.HTTPException):
                continue  # the API is down: that is what the test is about
            except client.Refused as err:
                if err.status not in (404, 409, 503):
                    self.surprises.append(str(err))

    def _act(self) -> None:
        servers = self._client.servers()
        if len(servers) < self._most and self._random.random() < 0.6:
            self._client.create("web", count=self._random.choice((1, 1, 3)))
        elif servers:
            self._touch(self._random.choice(servers)["id"])

    def _touch(self, server: str) -> None:
        action = self._random.choice(("delete", "delete", "os-stop", "os-start", "reboot"))
        if action == "delete":
            self._client.call("DELETE", f"/servers/{server}")
            return
        body = {"reboot": {"type": "HARD"}} if action == "reboot" else {action: None}
        self._client.call("POST", f"/servers/{server}/action", body)
