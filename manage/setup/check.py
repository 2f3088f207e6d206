"""What `setup --check` says: each step as it is, and what no step can make. Nothing is changed.

It ends even if nobody answers: what needs the database is left out once that is silent, each call has a timeout, and
all backends are asked at once.
"""

from __future__ import annotations

from collections.abc import Sequence

from common import clock, config
from manage import failures, finding
from manage.context import Context
from manage.finding import Finding
from manage.setup import backends, database, expiry, units
from manage.setup.secret_files import SecretFiles
from manage.setup.step import Step

#: sections of the programs that are not a node's or a console host's
_SECTIONS = (
    "database", "bus", "log", "secrets", "cloud", "console", "images", "api", "keystone", "dispatcher",
)  # fmt: skip


def whole(context: Context, files: SecretFiles, steps: Sequence[Step]) -> list[Finding]:
    """Look at everything."""
    found = _configuration(context.config)
    meant = not found
    answers = meant and database.is_read(context, files) and database.why_silent(context) is None
    there = False
    for step in steps:
        if step.name == "admin" and not there:
            found.append(finding.doubtful(step.name, "not looked at: that needs the database", "mend that first"))
            continue
        if step.name == "policies" and found[-1].state is finding.State.TROUBLE:
            found.append(finding.doubtful(step.name, "not looked at: the broker is in trouble", "mend that first"))
            continue
        found.append(step.tried(step.look))
        if step.name == "schema":
            # one that a later program has moved on still has all that this one knows
            there = answers and found[-1].remedy != database.UPGRADE
    found += units.others(context.wiring.host)
    found += expiry.check(context.config, now=context.now())
    if answers:
        found += _clock(context)
    if there:
        found += _backends(context)
    return found


def _configuration(conf: config.Config) -> list[Finding]:
    found = []
    for name in _SECTIONS:
        try:
            conf.registered(name)
        except config.ConfigError as err:
            found.append(finding.wrong("configuration", str(err), "`syros-manage setup` makes what secrets it names"))
    return found


def _clock(context: Context) -> list[Finding]:
    """Compare the database's clock with ours; the broker tells nobody the time."""
    began = context.now()
    told = context.sessions.now()
    if told is None:
        return []
    return [backends.skew("database clock", clock.skew(told, began, context.now()))]


def _backends(context: Context) -> list[Finding]:
    try:
        return backends.check(context)
    except failures.KNOWN as err:
        return [finding.wrong("backends", failures.explain(err, None)[0], "")]
