"""The page of every configuration key, made from the settings themselves: `python -m common.config_reference`."""

from __future__ import annotations

import dataclasses
import importlib
import sys
import types
import typing
from pathlib import Path

from common import config

_HEAD = f"""\
# Configuration

All programs read one TOML file, with a section for each: `{config.DEFAULT_PATH}`, or the one that `{config.ENV_PATH}`
names. Every key has a default. The environment wins over the file: `SYROS_<SECTION>_<KEY>`, as in
`SYROS_API_PORT=8775`; a list is then separated by commas. An unknown section or key is an error that names the nearest
known one. A key marked *secret* may also be given as `<key>_file` (`SYROS_<SECTION>_<KEY>_FILE`), the path of a file
that holds the value.

Backends and their credentials are data, not configuration: see `syros-manage backend add`.

This page is made from the settings by `python -m common.config_reference > docs/configuration.md`.
"""

_WORDS: dict[object, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Path: "path",
}


def render() -> str:
    """Give the page, in Markdown; every section's module is imported."""
    return "\n".join([_HEAD, *(_section(name, where) for name, where in config.SECTIONS.items())])


def _section(name: str, where: str) -> str:
    module, _, cls_name = where.partition(":")
    cls = getattr(importlib.import_module(module), cls_name)
    hints = typing.get_type_hints(cls)
    rows = [_row(field, hints[field.name]) for field in dataclasses.fields(cls)]
    sentence = (cls.__doc__ or "").strip().splitlines()[0]
    return "\n".join(
        [f"## [{name}]", "", sentence, "", "| key | kind | default | meaning |", "|---|---|---|---|", *rows, ""]
    )


# Any: a field's type is that of the section it belongs to.
def _row(field: dataclasses.Field[typing.Any], hint: object) -> str:
    kind = _kind(hint) + (", *secret*" if field.metadata["secret"] else "")
    meaning = str(field.metadata["doc"]).replace("|", "\\|")
    return f"| `{field.name}` | {kind} | {_default(field.default)} | {meaning} |"


def _kind(hint: object) -> str:
    origin = typing.get_origin(hint)
    if origin in (types.UnionType, typing.Union):
        return _kind(next(arg for arg in typing.get_args(hint) if arg is not types.NoneType))
    if origin is tuple:
        return "list of texts"
    return _WORDS[hint]


def _default(value: object) -> str:
    if value is None or value in ("", ()):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return ", ".join(f"`{item}`" for item in value)
    return f"`{value}`".replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(render())
