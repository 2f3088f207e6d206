"""Events that nobody could deal with: the bus keeps them for an operator."""

from __future__ import annotations

import click
import orjson

from common import messages
from common.bus import DeadLetter
from common.errors import NotFound
from manage import asking, groups, output
from manage.context import Context

pass_context = click.make_pass_decorator(Context)

_COLUMNS = ("id", "died_at", "reason", "summary")
_ALL = 100_000


@click.group(cls=groups.Group)
def event() -> None:
    """Events on the bus."""


@event.group()
def dead() -> None:
    """Events that nobody could deal with."""


@dead.command(name="list")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True)
@pass_context
def list_(context: Context, *, limit: int) -> None:
    """List dead letters, oldest first; they stay where they are."""
    context.output.rows([_item(letter) for letter in context.bus.dead_letters(limit)], _COLUMNS)


@dead.command()
@click.argument("letter_id", metavar="ID")
@pass_context
def show(context: Context, letter_id: str) -> None:
    """Show a dead letter whole."""
    for letter in context.bus.dead_letters(_ALL):
        if letter.id == letter_id:
            context.output.item({**_item(letter), "body": _body(letter.body)})
            return
    raise NotFound(f"there is no dead letter {letter_id}")


@dead.command()
@click.argument("letter_ids", metavar="[ID]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="each that is dead now")
@pass_context
def replay(context: Context, letter_ids: tuple[str, ...], *, everything: bool) -> None:
    """Give dead letters to the dispatcher again: what it can't deal with still comes back dead."""
    wanted = _wanted(context, letter_ids, everything=everything)
    with context.output.progress(f"replaying {len(wanted)}"):
        for letter_id in wanted:
            if not context.bus.replay(letter_id):
                raise NotFound(f"there is no dead letter {letter_id}")
    context.output.say(f"{len(wanted)} replayed", replayed=wanted)


@dead.command()
@click.argument("letter_ids", metavar="[ID]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="each that is dead now")
@asking.yes_option
@pass_context
def drop(context: Context, letter_ids: tuple[str, ...], *, everything: bool, yes: bool) -> None:
    """Remove dead letters for good."""
    wanted = _wanted(context, letter_ids, everything=everything)
    asking.confirmed(f"Drop {len(wanted)} dead letters for good?", yes=yes)
    for letter_id in wanted:
        if not context.bus.drop(letter_id):
            raise NotFound(f"there is no dead letter {letter_id}")
    context.output.say(f"{len(wanted)} dropped", dropped=wanted)


def _wanted(context: Context, letter_ids: tuple[str, ...], *, everything: bool) -> list[str]:
    if everything == bool(letter_ids):
        raise click.UsageError("give either ids or --all")
    return [letter.id for letter in context.bus.dead_letters(_ALL)] if everything else list(letter_ids)


def _item(letter: DeadLetter) -> output.Item:
    return {
        "id": letter.id,
        "died_at": letter.died_at,
        "reason": letter.reason,
        "bytes": len(letter.body),
        "summary": _summary(letter.body),
    }


def _summary(body: bytes) -> str:
    """Say in a line what the event is about."""
    try:
        found = messages.decode(body)
    except messages.Undecodable:
        return body[:60].decode(errors="backslashreplace")
    if isinstance(found, messages.JobEvent):
        instance = next((op.instance for op in found.job.ops if op.instance), None)
        return f"job {found.job.id} {found.job.status} {found.job.ops[0].opcode} {instance or ''}".strip()
    if isinstance(found, messages.InstanceEvent):
        return f"hook {found.opcode} {found.instance}"
    return f"hook {found.opcode} {found.network or ''}".strip()


def _body(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return body.decode(errors="backslashreplace")
