"""Configuration: one TOML file, a section per program, overridden by SYROS_<SECTION>_<KEY>.

A section is a frozen dataclass whose fields are made with `setting`. Unknown keys are errors that name the nearest
key. A secret may be given as `<key>_file`, a path to a file that holds it; a credential of systemd's by the file's name
(LoadCredential=, systemd.exec(5)) is read in its place, so that one configuration serves root and who may not read the
file. Nothing is read at import.
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import tomllib
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

DEFAULT_PATH = Path("/etc/syros/syros.toml")
ENV_PATH = "SYROS_CONFIG"

#: every section that the one file may have, with the module whose dataclass describes it
SECTIONS: dict[str, str] = {
    "database": "common.config:Database",
    "bus": "common.config:Bus",
    "log": "common.config:Log",
    "secrets": "common.config:Secrets",
    "cloud": "cloud.settings:CloudSettings",
    "console": "cloud.console_settings:ConsoleSettings",
    "images": "cloud.image_settings:ImageSettings",
    "api": "apiserver.settings:ApiSettings",
    "keystone": "apiserver.keystone_settings:KeystoneSettings",
    "dispatcher": "dispatcher.settings:DispatcherSettings",
    "eventd": "eventd.settings:EventdSettings",
    "seriald": "seriald.settings:SerialdSettings",
    "nfdhcpd": "nfdhcpd.settings:NfdhcpdSettings",
    "metadatad": "metadatad.settings:MetadatadSettings",
    "vncauthproxy": "vncauthproxy.settings:VncauthproxySettings",
    "sandbox": "sandbox.settings:SandboxSettings",
}


T = TypeVar("T")


class ConfigError(Exception):
    """The configuration can't be meant; the text names the file or variable, the key and the reason."""


# Any: a default may be of any setting's type, and dataclasses.field is typed so itself.
def setting(default: Any, doc: str, *, secret: bool = False) -> Any:
    """Declare a key of a section: its default, what it means, and whether it may come from a file of its own."""
    return dataclasses.field(default=default, metadata={"doc": doc, "secret": secret}, repr=not secret)


@dataclass(frozen=True)
class Database:
    """The state of record."""

    url: str = setting(
        "sqlite:///var/syros.db",
        "SQLAlchemy URL: postgresql+psycopg2://user@host/name, or sqlite:///path",
        secret=True,
    )
    pool_size: int = setting(10, "connections that each process keeps to PostgreSQL")
    statement_timeout: float = setting(15.0, "seconds after which PostgreSQL gives up a statement")


@dataclass(frozen=True)
class Bus:
    """The message broker."""

    url: str = setting("amqp://guest:guest@127.0.0.1:5672/%2F", "AMQP URL of RabbitMQ; amqps:// for TLS", secret=True)
    ca_file: str = setting("", "CA certificate to verify an amqps:// broker against; empty for the system's")


@dataclass(frozen=True)
class Log:
    """Logging, of every program."""

    level: str = setting("INFO", "DEBUG, INFO, WARNING or ERROR")
    format: str = setting("text", "text for people, json for machines")


@dataclass(frozen=True)
class Secrets:
    """Keys of the installation."""

    key: str = setting(
        "", "Fernet keys that seal the backends' RAPI passwords, newest first, separated by commas", secret=True
    )


class Config:
    """The file and the environment, read once; sections are taken from it by type."""

    def __init__(self, document: Mapping[str, object], environ: Mapping[str, str], *, origin: str) -> None:
        self._document = document
        self._environ = environ
        self._origin = origin
        for name in document:
            if name not in SECTIONS:
                raise ConfigError(f"{origin}: unknown section [{name}]{_nearest(name, SECTIONS)}")
        prefixes = tuple(f"SYROS_{name.upper()}_" for name in SECTIONS)
        for variable in environ:
            if variable.startswith("SYROS_") and variable != ENV_PATH and not variable.startswith(prefixes):
                section = variable.removeprefix("SYROS_").partition("_")[0].lower()
                raise ConfigError(f"{variable}: unknown section [{section}]{_nearest(section, SECTIONS)}")

    @classmethod
    def read(cls, path: Path | None, environ: Mapping[str, str]) -> Config:
        """Read the file; without one (and without SYROS_CONFIG or the default file) only variables and defaults count.

        Raises ConfigError.
        """
        chosen = path or (Path(environ[ENV_PATH]) if environ.get(ENV_PATH) else None)
        if chosen is None and DEFAULT_PATH.exists():
            chosen = DEFAULT_PATH
        if chosen is None:
            return cls({}, environ, origin="defaults")
        try:
            document = tomllib.loads(chosen.read_text(encoding="utf-8"))
        except OSError as err:
            raise ConfigError(f"{chosen}: {err.strerror or err}") from err
        except ValueError as err:
            raise ConfigError(f"{chosen}: {err}") from err
        return cls(document, environ, origin=str(chosen))

    def section(self, name: str, cls: type[T]) -> T:
        """Read one section into its dataclass; raises ConfigError for what can't be meant."""
        raw = self._document.get(name, {})
        if not isinstance(raw, Mapping):
            raise ConfigError(f"{self._origin}: {name} is not a section")
        fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]  # T is a dataclass
        hints = typing.get_type_hints(cls)
        values: dict[str, object] = {}
        for key, value in raw.items():
            field, from_file = self._field(fields, key, f"{self._origin}: [{name}] {key}")
            values[field] = self._secret(value) if from_file else value
        prefix = f"SYROS_{name.upper()}_"
        for variable, text in self._environ.items():
            if variable.startswith(prefix):
                field, from_file = self._field(fields, variable.removeprefix(prefix).lower(), variable)
                values[field] = self._secret(text) if from_file else text
        return cls(**{key: _convert(value, hints[key], f"[{name}] {key}") for key, value in values.items()})

    # Any: which class it is, the section's name decides.
    def registered(self, name: str) -> Any:
        """Read one section as the program that it is of reads it, without being that program; raises ConfigError."""
        module, _, cls_name = SECTIONS[name].partition(":")
        return self.section(name, getattr(importlib.import_module(module), cls_name))

    @property
    def told(self) -> frozenset[str]:
        """The sections that the file has."""
        return frozenset(self._document)

    def _field(self, fields: Mapping[str, dataclasses.Field[Any]], key: str, where: str) -> tuple[str, bool]:
        if key in fields:
            return key, False
        base = key.removesuffix("_file")
        if base != key and base in fields and fields[base].metadata["secret"]:
            return base, True
        raise ConfigError(f"{where}: unknown key{_nearest(key, fields)}")

    def _secret(self, path: object) -> str:
        file = Path(str(path))
        credential = Path(self._environ.get("CREDENTIALS_DIRECTORY") or "/nonexistent") / file.name
        try:
            return (credential if credential.exists() else file).read_text(encoding="utf-8").strip()
        except OSError as err:
            raise ConfigError(f"secret file {path}: {err.strerror}") from err


def _nearest(name: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; known are {', '.join(sorted(known))}"


def _convert(value: object, hint: object, where: str) -> object:
    origin = typing.get_origin(hint)
    if origin in (types.UnionType, typing.Union):
        if value in ("", None):
            return None
        hint = next(arg for arg in typing.get_args(hint) if arg is not types.NoneType)
        origin = typing.get_origin(hint)
    if origin is tuple:
        items = [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            raise ConfigError(f"{where}: a list of texts is expected")
        return tuple(items)
    converter = _CONVERTERS.get(hint)
    if converter is None:
        raise ConfigError(f"{where}: no way to read a {hint}")
    try:
        return converter(value)
    except (TypeError, ValueError) as err:
        raise ConfigError(f"{where}: {value!r} is not {getattr(hint, '__name__', hint)}") from err


def _bool(value: object) -> bool:
    if isinstance(value, bool):
        return value
    return _BOOLS[str(value).lower()]


def _str(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _number(value: object) -> float:
    return float(str(value))


def _whole(value: object) -> int:
    return int(str(value))


class _Bools(dict[str, bool]):
    def __missing__(self, key: str) -> bool:
        raise ValueError(key)


_BOOLS = _Bools(
    {"true": True, "yes": True, "1": True, "on": True, "false": False, "no": False, "0": False, "off": False}
)

_CONVERTERS: dict[object, Callable[[object], object]] = {
    str: _str,
    int: _whole,
    float: _number,
    bool: _bool,
    Path: lambda value: Path(_str(value)),
}
