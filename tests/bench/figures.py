"""Figures: order statistics of a sample, sizes, and the tables they are shown in."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Figure:
    """One measured thing, in milliseconds."""

    what: str
    samples: int
    median: float
    p99: float
    note: str = ""


@dataclass(frozen=True)
class Size:
    """Memory of one thing, in KiB."""

    what: str
    kib: int
    note: str = ""


def of(what: str, seconds: Sequence[float], note: str = "") -> Figure:
    """Summarise a sample of durations."""
    ordered = sorted(seconds)
    last = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return Figure(what, len(ordered), statistics.median(ordered) * 1000, last * 1000, note)


def show(title: str, figures: Sequence[Figure]) -> None:
    """Print a table."""
    table = Table("what", "samples", "median ms", "99th ms", "note", title=title)
    for figure in figures:
        table.add_row(figure.what, str(figure.samples), f"{figure.median:.2f}", f"{figure.p99:.2f}", figure.note)
    Console().print(table)


def show_sizes(title: str, sizes: Sequence[Size]) -> None:
    """Print a table."""
    table = Table("what", "MiB", "note", title=title)
    for size in sizes:
        table.add_row(size.what, f"{size.kib / 1024:.1f}", size.note)
    Console().print(table)
