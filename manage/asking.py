"""What a person or a file is asked for: passwords, KEY=VALUE pairs, a yes before something is destroyed."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ParamSpec, TypeVar

import click

P = ParamSpec("P")
R = TypeVar("R")

_GENERATED_BYTES = 18


def confirmed(sentence: str, *, yes: bool) -> None:
    """Go on only if the operator agrees; raises Abort otherwise."""
    if not yes:
        click.confirm(sentence, abort=True, err=True)


def yes_option(command: Callable[P, R]) -> Callable[P, R]:
    """Give a command `--yes`."""
    return click.option("--yes", "-y", is_flag=True, help="do not ask")(command)


def password_options(command: Callable[P, R]) -> Callable[P, R]:
    """Give a command `--password-file` and `--generate-password`; a password itself is never an argument."""
    from_file = click.option(
        "--password-file", type=click.Path(path_type=Path, allow_dash=True), help="file with the password; - for stdin"
    )
    generated = click.option("--generate-password", is_flag=True, help="make a password and show it once")
    return from_file(generated(command))


def password(path: Path | None, *, generate: bool) -> str:
    """Give a new user password: from the file, made, or typed twice."""
    if path is not None and generate:
        raise click.UsageError("--password-file and --generate-password exclude each other")
    if generate:
        return secrets.token_hex(_GENERATED_BYTES)
    return secret(path, prompt="Password", option="--password-file or --generate-password", twice=True)


def secret(path: Path | None, *, prompt: str, option: str, twice: bool = False) -> str:
    """Give a secret from a file, or typed by somebody at the terminal."""
    if path is not None:
        return _first_line_of(path)
    if not sys.stdin.isatty():
        raise click.UsageError(f"there is no terminal to type a password at: give {option}")
    typed: str = click.prompt(prompt, hide_input=True, confirmation_prompt=twice, err=True)
    return typed


def pairs(_ctx: click.Context, param: click.Parameter, values: Sequence[str]) -> dict[str, str]:
    """Read KEY=VALUE options: a click callback."""
    found = {}
    for value in values:
        key, equals, rest = value.partition("=")
        if not key or not equals:
            raise click.BadParameter(f"{value!r} is not KEY=VALUE", param=param)
        found[key] = rest
    return found


def _first_line_of(path: Path) -> str:
    content = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
    word = content.split("\n", maxsplit=1)[0].removesuffix("\r")
    if not word:
        raise click.UsageError(f"{path} has no password in its first line")
    return word
