"""What the programs' command lines share: `--config`, and what can't be meant said in one line, with exit code 1."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ParamSpec, TypeVar

import click

from common import config, log

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


def config_option(command: Callable[P, R]) -> Callable[P, R]:
    """Give a command `--config`, as its argument `path`."""
    return click.option(
        "--config",
        "path",
        type=click.Path(path_type=Path),
        help="Configuration file; /etc/syros/syros.toml if it exists.",
    )(command)


def read(path: Path | None) -> config.Config:
    """Read the configuration, and set up the log as it says; what can't be meant ends the program."""
    with meant():
        found = config.Config.read(path, os.environ)
        wanted = found.section("log", config.Log)
    log.set_up(level=wanted.level, form=wanted.format)
    return found


def settings(path: Path | None, section: str, cls: type[T]) -> T:
    """Read the configuration for a program that needs one section of it; what can't be meant ends the program."""
    with meant():
        return read(path).section(section, cls)


@contextlib.contextmanager
def meant() -> Iterator[None]:
    """Have what can't be meant of a configuration, a ConfigError or ValueError, end the program."""
    try:
        yield
    except (config.ConfigError, ValueError) as err:
        raise click.ClickException(str(err)) from err
