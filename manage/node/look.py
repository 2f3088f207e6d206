"""All of a node's checks, in the order in which an operator mends what they find."""

from __future__ import annotations

from collections.abc import Collection

from common import config
from manage.finding import Finding
from manage.node import ganeti, installed, keeping, kernel, networks, programs, settings
from manage.node.host import Host


def whole(host: Host, conf: config.Config, *, bridges: Collection[str], routed: bool) -> list[Finding]:
    """Look at everything; `bridges` and `routed` are what the operator knows of the cloud's networks."""
    here = programs.installed(host)
    known, found = settings.read(conf, here)
    member = ganeti.membership(host, known)
    found += ganeti.check(host, member)
    found += installed.check(host, known, in_cluster=member.role is not ganeti.Role.NONE)
    found += networks.check(host, known, bridges={*bridges, *member.bridges}, routed=routed or member.routed)
    found += kernel.check(host, kvm="kvm" in member.hypervisors, vhost=member.vhost)
    found += keeping.secrets(host, here)
    found += programs.check(host, known, member.role)
    found += keeping.spool(host, known, member.role)
    return [*found, keeping.clock(host)]
