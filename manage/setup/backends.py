"""The backends as `setup --check` looks at them: every address of every cluster, all at once."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from datetime import datetime, timedelta

from cloud import backends
from common.config import ConfigError
from db.backends import Backend
from manage import at_once, finding, health
from manage.context import Context
from manage.finding import Finding
from manage.setup import expiry
from rapi import probe
from rapi.endpoint import Endpoint
from rapi.probe import Fault, Look

#: seconds for a connection, for an answer, and for all backends together
_CONNECT = 5.0
_ANSWER = 10.0
_ALL = 45.0
#: seconds that a clock may be off: events are put in order by the clock of the cluster's master
SKEW = 5.0
_SILENT = timedelta(seconds=60)

_FIREWALL = "is the host up, and does a firewall let this one to the port?"
_RENEWED = (
    "if the cluster's certificate was renewed (`gnt-cluster renew-crypto`), the backend has to be told of the new one, "
    "which is in /var/lib/ganeti/rapi.pem on its master; if not, somebody else answers there"
)
_REMEDIES = {
    Fault.NAME: "mend DNS or /etc/hosts here, or `syros-manage backend move`",
    Fault.CLOSED: "start ganeti-rapi on the master, with `-b 0.0.0.0` in RAPI_ARGS of /etc/default/ganeti",
    Fault.SILENT: _FIREWALL,
    Fault.NETWORK: _FIREWALL,
    Fault.NOT_TLS: "is it RAPI's port (5080)? where RAPI has --no-ssl, `syros-manage backend move` to http://",
    Fault.AUTHORITY: _RENEWED,
    Fault.PINNED: _RENEWED,
    Fault.HOST: "`syros-manage backend move` to the name in the certificate, or add it with --ca-file or --fingerprint",
    Fault.EXPIRED: "renew it: `gnt-cluster renew-crypto --new-rapi-certificate`, or with --rapi-certificate",
    Fault.NOT_YET: "which of the two clocks is wrong, here or on the master?",
    Fault.LOGIN: "mend the line of the user in /var/lib/ganeti/rapi/users on the master",
    Fault.READ_ONLY: "`USER PASSWORD write` in /var/lib/ganeti/rapi/users on the master",
    Fault.NOT_RAPI: "is it RAPI's port (5080), and of Ganeti's master?",
}


def check(context: Context) -> list[Finding]:
    """Look at all that are not offline; the database and its schema have to be there."""
    rows = backends.all_backends(context.cloud)
    if not rows:
        return [Finding("backends", finding.State.OK, "there is none yet", "`syros-manage backend add`")]
    found: list[Finding] = []
    points: dict[str, Endpoint] = {}
    for row in rows:
        if row.offline:
            found.append(finding.well(f"backend {row.name}", "offline: it is not asked"))
            continue
        try:
            point = context.clients.endpoint(row)
        except ConfigError as err:
            remedy = "have [secrets] key name the key that its password was sealed with, too"
            found.append(finding.wrong(f"backend {row.name}", f"its RAPI password can't be read: {err}", remedy))
            continue
        points[row.name] = dataclasses.replace(point, timeout=_ANSWER, connect_timeout=_CONNECT)
    calls = {
        (name, url): functools.partial(probe.look, point, url) for name, point in points.items() for url in point.urls
    }
    answers = at_once.answers(calls, seconds=_ALL)
    for row in rows:
        if row.name in points:
            looks = [_looked(url, answers.get((row.name, url))) for url in points[row.name].urls]
            found += of_looks(row, looks, now=context.cloud.clock())
    return [*found, *_silent(context)]


def of_looks(row: Backend, looks: Sequence[Look], *, now: datetime) -> list[Finding]:
    """Judge one backend by what was found at its addresses, of which only the master's answers."""
    name = f"backend {row.name}"
    best = next((look for look in looks if look.answers), None)
    found = []
    for look in looks:
        if look.fault is None or (best is not None and look.fault in (Fault.CLOSED, Fault.SILENT, Fault.NETWORK)):
            # where the master is not, nobody listens
            continue
        judge = finding.doubtful if best is not None and look is not best else finding.wrong
        found.append(judge(name, f"{look.url}: {look.fault.value} ({look.words})", _REMEDIES[look.fault]))
    shown = [look for look in looks if look.expires is not None]
    found += [expiry.judged(f"{name} certificate", look.url, look.expires, now) for look in shown if look.expires]
    if best is None:
        return found
    if row.cluster is not None and best.cluster != row.cluster:
        text = f"{best.url}: another cluster answers, {best.cluster}, not {row.cluster}"
        found.append(finding.wrong(name, text, "`syros-manage backend move` to where the cluster is"))
    if not any(each.check == name for each in found):
        found.insert(0, finding.well(name, f"{best.url}, cluster {best.cluster}"))
    found += [_clock(name, best), *_system(row, best)]
    return found


def _looked(url: str, answer: Look | Exception | None) -> Look:
    if isinstance(answer, Look):
        return answer
    if answer is None:
        return Look(url, Fault.SILENT, f"nothing came to an end within {_ALL:g} s")
    return Look(url, Fault.NOT_RAPI, f"{type(answer).__name__}: {answer}")


def _clock(name: str, look: Look) -> Finding:
    if look.skew is None:
        return finding.doubtful(f"{name} clock", "RAPI does not tell the time", "compare the clocks by hand")
    return skew(f"{name} clock", look.skew)


def skew(check: str, seconds: float) -> Finding:
    """Judge how far another clock is from this machine's; `seconds` more than 0: it is ahead."""
    if abs(seconds) <= SKEW:
        return finding.well(check, f"within {SKEW:g} s of this machine's")
    text = f"{abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} this machine's (more than {SKEW:g} s)"
    return finding.wrong(check, text, "have all of them synchronised by NTP (chrony, systemd-timesyncd)")


def _system(row: Backend, look: Look) -> list[Finding]:
    """Tell whether all nodes have the OS definition: of what nodes need, RAPI shows no more."""
    if not row.os or look.systems is None:
        return []
    name = f"backend {row.name} OS definition"
    if row.os in look.systems:
        return [finding.well(name, f"{row.os} on all nodes; `syros-manage node check` there tells of hooks")]
    text = f"{row.os} is not on all of its nodes, or not valid there"
    return [finding.wrong(name, text, "install syros-node on each, and `syros-manage node check` there")]


def _silent(context: Context) -> list[Finding]:
    found = []
    for load in health.loads(context, patience=_SILENT):
        if load.silent:
            text = f"nothing was heard of {load.silent} of its jobs for {_SILENT.total_seconds():g} s"
            remedy = "`syros-manage node check` on its master tells of eventd and hooks"
            found.append(finding.wrong(f"backend {load.backend.name} events", text, remedy))
    return found
