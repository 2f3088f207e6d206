"""The secrets of an installation: files that root alone can read, named as in the packages' syros.toml."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cloud import vault
from common import private_file
from manage import finding
from manage.finding import Finding
from manage.setup.step import Step

FOLDER = Path("/etc/syros/secrets")
_AGAIN = "`syros-manage setup` makes it so"

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

    def fault_of_url(self, name: str, url: str | None) -> str | None:
        """Say in words if a URL is not there, or not the one that is told, if one is."""
        known = self.read(name)
        if known is None:
            return f"{self.folder / name} is not there"
        if url is not None and url != known:
            return f"{self.folder / name} is another URL"
        return None

    def step(self) -> Step:
        """Make what is made up: keys and tokens. One that is there is never changed."""
        return Step("secrets", self._look, self._make)

    def _missing(self) -> list[str]:
        return [name for name in _MAKERS if self.read(name) is None]

    def _loose(self) -> list[Path]:
        known = [self.folder, *sorted(self.folder.glob("*"))] if self.folder.exists() else []
        return [each for each in known if each.stat().st_mode & 0o077]

    def _look(self) -> Finding:
        loose = self._loose()
        if loose:
            return finding.wrong("secrets", f"others than root can read {finding.some(list(map(str, loose)))}", _AGAIN)
        missing = self._missing()
        if missing:
            return finding.wrong("secrets", f"{self.folder} is without {', '.join(missing)}", _AGAIN)
        return finding.well("secrets", str(self.folder))

    def _make(self) -> str:
        made = self._missing()
        for name in made:
            self.write(name, _MAKERS[name]())
        for each in self._loose():
            each.chmod(0o700 if each.is_dir() else 0o600)
        return f"made {', '.join(made)} in {self.folder}" if made else f"closed {self.folder}"
