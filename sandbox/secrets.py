"""The sandbox's secrets: made at the first start, kept in files that only their owner reads."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from cloud import vault
from common import private_file


@dataclass(frozen=True)
class SandboxSecrets:
    """The installation's key, two logins and the simulated cluster's RAPI password."""

    key: str
    demo_password: str
    admin_password: str
    rapi_password: str


def load(folder: Path) -> SandboxSecrets:
    """Read the secrets, or make them."""
    path = folder / "secrets.json"
    if path.exists():
        return SandboxSecrets(**json.loads(path.read_text(encoding="utf-8")))
    made = SandboxSecrets(
        key=vault.new_key(),
        # typed and pasted by people: nothing that a command line takes for an option
        demo_password=secrets.token_hex(8),
        admin_password=secrets.token_hex(8),
        rapi_password=secrets.token_urlsafe(18),
    )
    private_file.write(path, json.dumps(made.__dict__, indent=2) + "\n")
    return made
