"""Quotas: reserved in the transaction that creates, released once in the transaction that ends it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from cloud.context import Cloud
from cloud.settings import CloudSettings
from common.errors import Invalid, NotFound, QuotaExceeded
from db import floating_ips, instances, networks, projects, quotas
from db.quotas import Resource


@dataclass(frozen=True)
class Standing:
    """One resource of one project; -1 means no limit."""

    limit: int
    used: int


@dataclass(frozen=True)
class Drift:
    """A usage that is not what the project's instances and networks add up to."""

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


def fitting(db: Session, settings: CloudSettings, *, project_id: str, each: Mapping[Resource, int], most: int) -> int:
    """Tell how many times `each` the limits allow, up to `most`. Holds the project's usage rows."""
    usages = quotas.lock_usages(db, project_id)
    limits = _limits(db, settings, project_id)  # after the lock: a project that was deleted meanwhile has none left
    counts = [
        (limits[resource] - usages[resource].used) // amount
        for resource, amount in each.items()
        if limits[resource] >= 0
    ]
    return max(0, min([most, *counts]))


def reserve(db: Session, settings: CloudSettings, *, project_id: str, amounts: Mapping[Resource, int]) -> None:
    """Count new use, if the limits allow all of it; raises QuotaExceeded and changes nothing otherwise.

    Holds the project's usage rows until the transaction ends.
    """
    usages = quotas.lock_usages(db, project_id)
    limits = _limits(db, settings, project_id)  # after the lock: a project that was deleted meanwhile has none left
    for resource, amount in amounts.items():
        limit, used = limits[resource], usages[resource].used
        if limit >= 0 and used + amount > limit:
            raise QuotaExceeded(f"quota exceeded for {resource}: requested {amount}, used {used} of {limit}")
    for resource, amount in amounts.items():
        usages[resource].used += amount


def hold(db: Session, project_id: str) -> None:
    """Hold a project's usage rows until the transaction ends, for a `count_down` that may follow."""
    quotas.lock_usages(db, project_id)


def count_up(db: Session, *, project_id: str, resource: Resource, amount: int = 1) -> None:
    """Count what an operator makes for a project, whatever its limit."""
    quotas.lock_usages(db, project_id)[resource].used += amount


def count_down(db: Session, *, project_id: str, resource: Resource, amount: int = 1) -> None:
    """Give back what was reserved for things that are no instances, in the transaction that ends them."""
    usage = quotas.lock_usages(db, project_id)[resource]
    usage.used = max(0, usage.used - amount)


def release(db: Session, instance: instances.Instance) -> None:
    """Give back what an instance was counted for; a second time does nothing. The instance's row is held."""
    if not instance.charged:
        return
    instance.charged = False
    usages = quotas.lock_usages(db, instance.project_id)
    for resource, amount in _charged(instance).items():
        usages[resource].used = max(0, usages[resource].used - amount)
    instance.charged_vcpus = instance.charged_ram = 0


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
        charged, owned, floating = instances.charges(db), networks.counts(db), floating_ips.counts(db)
        recorded = {(row.project_id, row.resource): row for row in quotas.all_usages(db)}
        drifts = []
        for (project_id, resource), row in recorded.items():
            count, cores, ram = charged.get(project_id, (0, 0, 0))
            actual = {
                Resource.INSTANCES: count,
                Resource.CORES: cores,
                Resource.RAM: ram,
                Resource.NETWORKS: owned.get(project_id, 0),
                Resource.FLOATING_IPS: floating.get(project_id, 0),
            }[resource]
            if row.used != actual:
                drifts.append(Drift(project_id, resource, recorded=row.used, actual=actual))
                if repair:
                    row.used = actual
    return drifts


def _limits(db: Session, settings: CloudSettings, project_id: str) -> Mapping[Resource, int]:
    defaults = {
        Resource.INSTANCES: settings.quota_instances,
        Resource.CORES: settings.quota_cores,
        Resource.RAM: settings.quota_ram,
        Resource.NETWORKS: settings.quota_networks,
        Resource.FLOATING_IPS: settings.quota_floating_ips,
    }
    return {**defaults, **quotas.limits(db, project_id)}
