"""What `syros-manage` reads to see into a sandbox that runs: its database, key and console proxy."""

from __future__ import annotations

import json
from pathlib import Path

from common import private_file


def write(path: Path, *, database_url: str, key: str, images: Path, proxy: str, proxy_token: str) -> None:
    """Write the configuration; the key is in it, so only its owner can read it.

    JSON's texts, booleans and lists are TOML's too. It names no broker: the sandbox's bus is within its process.
    """
    sections: dict[str, dict[str, str | bool | list[str]]] = {
        "database": {"url": database_url},
        "secrets": {"key": key},
        "images": {"store": str(images)},
        "console": {"proxies": [proxy], "proxy_token": proxy_token, "plain_proxies": True},
    }
    lines = []
    for name, keys in sections.items():
        lines.append(f"[{name}]")
        lines += [f"{each} = {json.dumps(value)}" for each, value in keys.items()]
    private_file.write(path, "\n".join(lines) + "\n")
