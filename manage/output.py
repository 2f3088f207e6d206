"""Answers on standard output: tables for people, tab-separated lines for pipes, JSON for programs.

Names of tenants' choosing reach an operator's terminal here: what could steer it is shown as an escape.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import click
import orjson
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

Item = Mapping[str, object]

_NONE = "-"
_STYLES = {
    "ok": "green",
    "active": "green",
    "success": "green",
    "error": "red",
    "trouble": "red",
    "made": "green",
    "warning": "yellow",
    "building": "yellow",
    "unknown": "yellow",
    "running": "yellow",
}


class Format(StrEnum):
    """How answers look."""

    TABLE = "table"
    #: tab-separated, with a line of column names
    PLAIN = "plain"
    JSON = "json"


@dataclass(frozen=True)
class Output:
    """Writes in one format."""

    form: Format

    @classmethod
    def of(cls, form: Format | None) -> Output:
        """Write in the format asked for; by default tables on a terminal, plain lines elsewhere."""
        if form is not None:
            return cls(form)
        return cls(Format.TABLE if sys.stdout.isatty() else Format.PLAIN)

    def rows(self, rows: Sequence[Item], columns: Sequence[str]) -> None:
        """Write a list: JSON has every key, a table the columns named."""
        if self.form is Format.JSON:
            _json(rows)
        elif self.form is Format.TABLE:
            _table(rows, columns)
        else:
            _plain(rows, columns)

    def item(self, item: Item, tables: Mapping[str, Sequence[str]] | None = None) -> None:
        """Write one thing; `tables` names the keys that hold lists of things, with the columns of each."""
        if self.form is Format.JSON:
            _json(item)
            return
        nested = tables or {}
        pairs = [{"key": key, "value": value} for key, value in item.items() if key not in nested]
        if self.form is Format.PLAIN:
            for pair in pairs:
                click.echo(f"{pair['key']}\t{text(pair['value'])}")
        else:
            _pairs(pairs)
        for key, columns in nested.items():
            rows = item[key]
            if isinstance(rows, Sequence) and rows:
                click.echo(f"\n{key}")
                self.rows(rows, columns)

    def say(self, sentence: str, **facts: object) -> None:
        """Tell what was done: a sentence for people, the facts as JSON."""
        if self.form is Format.JSON:
            _json(facts)
        else:
            click.echo(printable(sentence))

    @contextlib.contextmanager
    def progress(self, what: str) -> Iterator[None]:
        """Show on a terminal that something is under way."""
        if not sys.stderr.isatty():
            yield
            return
        with Console(stderr=True).status(Text(printable(what))):
            yield


def note(sentence: str) -> None:
    """Tell something beside the answer, on standard error."""
    click.echo(printable(sentence), err=True)


def text(value: object) -> str:
    """Give a value as a person reads it, on one line."""
    if value is None or value in ((), [], {}, ""):
        return _NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%SZ")
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={text(part)}" for key, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(text(part) for part in value)
    return printable(str(value))


def printable(words: str) -> str:
    """Escape what is not printable: control characters and what else could steer a terminal."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in words)


def _json(document: object) -> None:
    click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z).decode())


def _plain(rows: Sequence[Item], columns: Sequence[str]) -> None:
    click.echo("\t".join(columns))
    for row in rows:
        click.echo("\t".join(text(row.get(column)) for column in columns))


def _table(rows: Sequence[Item], columns: Sequence[str]) -> None:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in columns:
        numbers = _are_numbers([row.get(column) for row in rows])
        table.add_column(column.replace("_", " "), justify="right" if numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    Console(file=sys.stdout).print(table)


def _pairs(pairs: Sequence[Item]) -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for pair in pairs:
        table.add_row(str(pair["key"]).replace("_", " "), _cell(pair["value"]))
    Console(file=sys.stdout).print(table)


def _cell(value: object) -> Text:
    words = text(value)
    return Text(words, style=_STYLES.get(words, ""))


def _are_numbers(values: Sequence[object]) -> bool:
    """Tell whether a column has numbers, and nothing else."""
    found = [value for value in values if value is not None]
    return bool(found) and all(isinstance(value, int | float) and not isinstance(value, bool) for value in found)
