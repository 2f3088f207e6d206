"""Runs an operator's hook scripts for an opcode, as ganeti's own hook runner does on the master node."""

import dataclasses
import os
import pathlib
import re
import subprocess

from gntsim import cluster
from gntsim.opcodes import base

RUN_PARTS_NAME = re.compile(r"^[A-Za-z0-9_-]+$")
TIMEOUT = 60.0
PATH = "/sbin:/bin:/usr/sbin:/usr/bin"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """One script's end; `script` is as Ganeti names it, `path-phase.d/name`."""

    script: str
    ok: bool
    output: str


class HookRunner:
    """Runs `<folder>/<path>-<phase>.d/*`; without a folder there are no hooks."""

    def __init__(self, folder: pathlib.Path | None, state: cluster.Cluster) -> None:
        self._folder = folder
        self._cluster = state

    def run(self, phase: str, hook: base.Hook | None, *, opcode: str, before: base.Hook | None = None) -> list[Outcome]:
        """Run a phase's scripts in order of name; in the post phase `before` is the environment from before."""
        if self._folder is None or hook is None:
            return []
        name = f"{hook.path}-{phase}.d"
        scripts = self._scripts(self._folder / name)
        if not scripts:
            return []
        env = self._env(phase, hook, opcode=opcode, before=before)
        return [self._call(script, env, label=f"{name}/{script.name}") for script in scripts]

    def _scripts(self, folder: pathlib.Path) -> list[pathlib.Path]:
        if not folder.is_dir():
            return []
        return sorted(
            path
            for path in folder.iterdir()
            if RUN_PARTS_NAME.match(path.name) and path.is_file() and os.access(path, os.X_OK)
        )

    def _env(self, phase: str, hook: base.Hook, *, opcode: str, before: base.Hook | None) -> dict[str, str]:
        with self._cluster.lock:
            identity = self._cluster.identity
            facts = {
                "HOOKS_VERSION": "2",
                "HOOKS_PATH": hook.path,
                "HOOKS_PHASE": phase,
                "OP_CODE": opcode,
                "OBJECT_TYPE": hook.object_type,
                "CLUSTER": identity.name,
                "MASTER": identity.master,
                "DATA_DIR": str(self._cluster.settings.data_dir),
            }
        target = {"OP_TARGET": hook.target} if hook.target else {}
        own = dict(hook.env) | target
        facts |= dict(before.env) | target if before is not None else own
        if phase == "post":
            facts |= {f"POST_{name}": value for name, value in own.items()}
        return {"PATH": PATH} | {f"GANETI_{name}": value for name, value in facts.items()}

    def _call(self, script: pathlib.Path, env: dict[str, str], *, label: str) -> Outcome:
        try:
            done = subprocess.run(
                [str(script)],
                env=env,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=TIMEOUT,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as err:
            return Outcome(label, ok=False, output=str(err))
        return Outcome(label, ok=done.returncode == 0, output=done.stdout.decode(errors="replace").strip())
