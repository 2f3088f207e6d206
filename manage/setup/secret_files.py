"""The secrets of an installation: files that root alone can read, named as in the packages' syros.toml."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cloud import vault
from common import private_file
from manage.setup.step import Found, Step

FOLDER = Path("/etc/syros/secrets")

#: what each is made by
_MAKERS: dict[str, Callable[[], str]] = {
    "key": vault.new_key,
    "console-token": lambda: secrets.token_urlsafe(32),
    "metadata-secret": lambda: secrets.token_urlsafe(32),
    "vncauthproxy-token": lambda: secrets.token_urlsafe(32),
}


@dataclass(frozen=True)
class SecretFiles:
    """The folder of them."""

    folder: Path = FOLDER

    def read(self, name: str) -> str | None:
        """Give one, or None where it is not there."""
        path = self.folder / name
        return path.read_text(encoding="utf-8").strip() if path.exists() else None

    def write(self, name: str, text: str) -> None:
        """Write one, at once and whole."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        private_file.write(self.folder / name, text + "\n")

    def look_at_url(self, name: str, url: str | None, shown: Callable[[str], str]) -> Found:
        """Tell whether a URL is there, and is the one that is told, if one is; `shown` hides what is secret of it."""
        known = self.read(name)
        if known is None:
            return Found(well=False, detail=f"{self.folder / name} is not there")
        if url is not None and url != known:
            return Found(well=False, detail=f"{self.folder / name} is another URL")
        return Found(well=True, detail=shown(known))

    def step(self) -> Step:
        """Make what is made up: keys and tokens. One that is there is never changed."""
        return Step("secrets", self._look, self._make)

    def _missing(self) -> list[str]:
        return [name for name in _MAKERS if self.read(name) is None]

    def _look(self) -> Found:
        missing = self._missing()
        loose = [each.name for each in sorted(self.folder.glob("*")) if each.stat().st_mode & 0o077]
        if loose:
            return Found(well=False, detail=f"others than root can read {', '.join(loose)} in {self.folder}")
        where = f"{self.folder} is without {', '.join(missing)}" if missing else str(self.folder)
        return Found(well=not missing, detail=where)

    def _make(self) -> str:
        made = self._missing()
        for name in made:
            self.write(name, _MAKERS[name]())
        for each in self.folder.glob("*"):
            each.chmod(0o600)
        return f"made {', '.join(made)} in {self.folder}" if made else f"closed {self.folder}"
