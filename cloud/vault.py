"""Sealing of secrets that the database has to keep: the backends' RAPI passwords. Authenticated, with key rotation."""

from __future__ import annotations

from cryptography import fernet

from common import config

_LOST = (
    "if it is lost, so is what it sealed, and each backend's password has to be set again: "
    "`syros-manage backend set NAME --rapi-password-file FILE`"
)
_MISSING = (
    "[secrets] key is not set: key_file names the file with this installation's key, /etc/syros/secrets/key where "
    "`syros-manage setup` made it. A new one (`syros-manage key new`) opens nothing that is sealed already; have the "
    f"old one back; {_LOST}"
)
_WRONG = (
    "[secrets] key does not open what the database has sealed: that was done with another key. Have that one back, in "
    f"the file that key_file names (/etc/syros/secrets/key after `syros-manage setup`); {_LOST}"
)


class Vault:
    """Seals with the newest key, opens with any."""

    def __init__(self, settings: config.Secrets) -> None:
        keys = [key.strip() for key in settings.key.split(",") if key.strip()]
        if not keys:
            raise config.ConfigError(_MISSING)
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
            raise config.ConfigError(_WRONG) from err


def new_key() -> str:
    """Make a key."""
    return fernet.Fernet.generate_key().decode()
