"""The sandbox as `make run` starts it: a process of its own, in a folder of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from lab import process

_READY = 60.0


class SandboxProcess:
    """One run; the folder may be used again by the next. `settings` are more variables of its environment."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self._settings = settings
        self.port = process.free_port()
        self.output: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def text(self) -> str:
        return "".join(self.output)

    def start(self) -> None:
        """Return when it says that it is ready."""
        own = {"SYROS_SANDBOX_STATE_DIR": str(self.folder), "SYROS_API_PORT": str(self.port), **self._settings}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "sandbox"],
            env={**os.environ, **own},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        process.wait_until(lambda: "is ready" in self.text, what="the sandbox is ready", timeout=_READY)

    def stop(self) -> int:
        """Send Ctrl-C's signal; give the exit status."""
        self._process.send_signal(signal.SIGINT)
        return self._end()

    def kill(self) -> None:
        self._process.kill()
        self._end()

    def openstack(self, *arguments: str, cloud: str = "syros") -> str:
        """Run the real client with the clouds.yaml that the sandbox wrote; give what it prints."""
        return self._run("openstack", "--os-cloud", cloud, *arguments)

    def manage(self, *arguments: str) -> str:
        """Run syros-manage with the configuration that the sandbox wrote; give what it prints."""
        return self._run("syros-manage", "--config", str(self.folder / "syros.toml"), *arguments)

    def _run(self, program: str, *arguments: str) -> str:
        command = [str(Path(sys.executable).with_name(program)), *arguments]
        environ = {**os.environ, "OS_CLIENT_CONFIG_FILE": str(self.folder / "clouds.yaml"), "NO_PROXY": "127.0.0.1"}
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode != 0:
            raise AssertionError(f"{' '.join(command)} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout.strip()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.output.append(line)

    def _end(self) -> int:
        status = self._process.wait(30)
        self._reader.join(10)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return status
