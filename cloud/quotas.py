"""Quotas: reserved in the transaction that creates, released once in the transaction that ends it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from cloud.context import Cloud
from cloud.settings import CloudSettings
from common.errors import Invalid, NotFound, QuotaExceeded
from db import floating_ips, instances, networks, ports, projects, quotas, security_groups
from db.quotas import Resource, Usage


@dataclass(frozen=True)
class Standing:
    """One resource of one project; -1 means no limit."""

    limit: int
    used: int


@dataclass(frozen=True)
class Drift:
    """A usage that is not what the project's things add up to."""

    project_id: str
    resource: Resource
    recorded: int
    actual: int


def standing(cloud: Cloud, project_id: str) -> Mapping[Resource, Standing]:
    """Tell a project's limits and usages."""
    with cloud.sessions.read() as db:
        limits = _limits(db, cloud.settings, project_id)
        used = quotas.usages(db, project_id)
    return {resource: Standing(limit=limits[resource], used=used.get(resource, 0)) for resource in Resource}


def set_limits(cloud: Cloud, project_id: str, wanted: Mapping[Resource, int]) -> None:
    """Change some of a project's limits; raises NotFound, Invalid."""
    for resource, value in wanted.items():
        if value < -1:
            raise Invalid(f"{resource}: {value} is neither a limit nor -1")
    with cloud.sessions.begin() as db:
        if projects.get(db, project_id) is None:
            raise NotFound(f"there is no project {project_id}")
        for resource, value in wanted.items():
            quotas.set_limit(db, project_id=project_id, resource=resource, value=value)


def clear_limits(cloud: Cloud, project_id: str, resources: Collection[Resource] = tuple(Resource)) -> None:
    """Give a project the default limits of these resources again; raises NotFound."""
    with cloud.sessions.begin() as db:
        if projects.get(db, project_id) is None:
            raise NotFound(f"there is no project {project_id}")
        quotas.clear_limits(db, project_id, resources)


def reserve_several(
    db: Session, settings: CloudSettings, *, project_id: str, each: Mapping[Resource, int], least: int, most: int
) -> int:
    """Count new use, `each` as many times as the limits allow, and tell how often; raises QuotaExceeded below `least`.

    Holds the project's usage rows until the transaction ends.
    """
    usages = quotas.lock_usages(db, project_id)
    limits = _limits(db, settings, project_id)  # after the lock: a project that was deleted meanwhile has none left
    counts = [
        (limits[resource] - usages[resource].used) // amount
        for resource, amount in each.items()
        if limits[resource] >= 0 and amount > 0
    ]
    count = max(least, min([most, *counts]))
    _add(usages, limits, {resource: amount * count for resource, amount in each.items()})
    return count


def reserve(db: Session, settings: CloudSettings, *, project_id: str, amounts: Mapping[Resource, int]) -> None:
    """Count new use, if the limits allow all of it; raises QuotaExceeded and changes nothing otherwise.

    Holds the project's usage rows until the transaction ends.
    """
    usages = quotas.lock_usages(db, project_id)
    limits = _limits(db, settings, project_id)  # after the lock: a project that was deleted meanwhile has none left
    _add(usages, limits, amounts)


def _add(usages: Mapping[Resource, Usage], limits: Mapping[Resource, int], amounts: Mapping[Resource, int]) -> None:
    for resource, amount in amounts.items():
        limit, used = limits[resource], usages[resource].used
        if amount > 0 and 0 <= limit < used + amount:
            raise QuotaExceeded(f"quota exceeded for {resource}: requested {amount}, used {used} of {limit}")
    for resource, amount in amounts.items():
        usages[resource].used += amount


def hold(db: Session, project_id: str) -> None:
    """Hold the project's usage rows until the transaction ends: others that count, or make what is counted, wait."""
    quotas.lock_usages(db, project_id)


def count_up(db: Session, *, project_id: str, resource: Resource, amount: int = 1) -> None:
    """Count what is made for a project whatever its limit."""
    quotas.lock_usages(db, project_id)[resource].used += amount


def count_down(db: Session, *, project_id: str, resource: Resource, amount: int = 1) -> None:
    """Give back what was reserved for things that are no instances, in the transaction that ends them."""
    quotas.lower(db, project_id=project_id, resource=resource, amount=amount)


def release(db: Session, instance: instances.Instance) -> None:
    """Give back what an instance was counted for; a second time does nothing. The instance's row is held."""
    if not instance.charged:
        return
    amounts = _charged(instance)
    instance.charged = False
    instance.charged_vcpus = instance.charged_ram = 0
    usages = quotas.lock_usages(db, instance.project_id)
    for resource, amount in amounts.items():
        usages[resource].used = max(0, usages[resource].used - amount)


def charge(db: Session, instance: instances.Instance) -> None:
    """Count an instance whether or not the limits allow it: it exists. A second time does nothing."""
    if instance.charged:
        return
    instance.charged = True
    instance.charged_vcpus, instance.charged_ram = _size(instance)
    usages = quotas.lock_usages(db, instance.project_id)
    for resource, amount in _charged(instance).items():
        usages[resource].used += amount


def recharge(db: Session, instance: instances.Instance, *, within: CloudSettings | None = None) -> None:
    """Count an instance for the size it has now, or for the larger of two during a resize.

    With `within`, more has to be within the limits: raises QuotaExceeded and changes nothing otherwise.
    The instance's row is held.
    """
    if not instance.charged:
        return
    vcpus, ram = _size(instance)
    more = {Resource.CORES: vcpus - instance.charged_vcpus, Resource.RAM: ram - instance.charged_ram}
    usages = quotas.lock_usages(db, instance.project_id)
    limits = _limits(db, within, instance.project_id) if within is not None else {}
    for resource, amount in more.items():
        limit, used = limits.get(resource, -1), usages[resource].used
        if amount > 0 and 0 <= limit < used + amount:
            raise QuotaExceeded(f"quota exceeded for {resource}: requested {amount} more, used {used} of {limit}")
    for resource, amount in more.items():
        usages[resource].used = max(0, usages[resource].used + amount)
    instance.charged_vcpus, instance.charged_ram = vcpus, ram


def _size(instance: instances.Instance) -> tuple[int, int]:
    sizes = [size for size in (instance.resizing_to, instance.resized_from) if size is not None]
    return (
        max(instance.vcpus, *(int(size["vcpus"]) for size in sizes), 0),
        max(instance.ram, *(int(size["ram"]) for size in sizes), 0),
    )


def _charged(instance: instances.Instance) -> Mapping[Resource, int]:
    return {
        Resource.INSTANCES: 1,
        Resource.CORES: instance.charged_vcpus,
        Resource.RAM: instance.charged_ram,
    }


def audit(cloud: Cloud, *, repair: bool = False) -> list[Drift]:
    """Compare every usage with what is charged for; repair recounts within one transaction."""
    with cloud.sessions.begin() if repair else cloud.sessions.read() as db:
        charged, owned = instances.charges(db), networks.counts(db)
        having, filtering, floating = ports.counts(db), security_groups.counts(db), floating_ips.counts(db)
        recorded = {(row.project_id, row.resource): row for row in quotas.all_usages(db)}
        drifts = []
        for (project_id, resource), row in recorded.items():
            count, cores, ram = charged.get(project_id, (0, 0, 0))
            groups, rules = filtering.get(project_id, (0, 0))
            actual = {
                Resource.INSTANCES: count,
                Resource.CORES: cores,
                Resource.RAM: ram,
                Resource.NETWORKS: owned.get(project_id, 0),
                Resource.FLOATING_IPS: floating.get(project_id, 0),
                Resource.PORTS: having.get(project_id, 0),
                Resource.SECURITY_GROUPS: groups,
                Resource.SECURITY_GROUP_RULES: rules,
            }[resource]
            if row.used != actual:
                drifts.append(Drift(project_id, resource, recorded=row.used, actual=actual))
                if repair:
                    row.used = actual
    return drifts


def defaults(settings: CloudSettings) -> Mapping[Resource, int]:
    """Give the limits of a project that nobody gave its own."""
    return {
        Resource.INSTANCES: settings.quota_instances,
        Resource.CORES: settings.quota_cores,
        Resource.RAM: settings.quota_ram,
        Resource.NETWORKS: settings.quota_networks,
        Resource.FLOATING_IPS: settings.quota_floating_ips,
        Resource.PORTS: settings.quota_ports,
        Resource.SECURITY_GROUPS: settings.quota_security_groups,
        Resource.SECURITY_GROUP_RULES: settings.quota_security_group_rules,
    }


def _limits(db: Session, settings: CloudSettings, project_id: str) -> Mapping[Resource, int]:
    return {**defaults(settings), **quotas.limits(db, project_id)}
