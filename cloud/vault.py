"""Sealing of secrets that the database has to keep: the backends' RAPI passwords. Authenticated, with key rotation."""

from __future__ import annotations

from cryptography import fernet

from common import config


class Vault:
    """Seals with the newest key, opens with any."""

    def __init__(self, settings: config.Secrets) -> None:
        keys = [key.strip() for key in settings.key.split(",") if key.strip()]
        if not keys:
            raise config.ConfigError("[secrets] key (or key_file) is not set; `syros-manage key new` makes one")
        try:
            self._fernet = fernet.MultiFernet([fernet.Fernet(key) for key in keys])
        except ValueError as err:
            raise config.ConfigError("[secrets] key is not a Fernet key: 32 bytes in URL-safe base64") from err

    def seal(self, secret: str) -> str:
        return self._fernet.encrypt(secret.encode()).decode()

    def open(self, sealed: str) -> str:
        """Give the secret back; raises ConfigError when no key fits."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except fernet.InvalidToken as err:
            raise config.ConfigError("[secrets] key does not open what the database has sealed") from err


def new_key() -> str:
    """Make a key."""
    return fernet.Fernet.generate_key().decode()
