"""What a guest is given at its first boot: kept sealed, and handed to its deployment once, against a token.

The token goes to Ganeti as a public parameter of the job, where an operator could read it: so it is worth one answer,
to the one deployment it was made for, while that lasts. What it is good for afterwards is to tell how far the
deployment has come. Only its digest is kept.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import re
import secrets
import unicodedata
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from cloud import guest_network
from cloud.context import Cloud
from cloud.vault import Vault
from common.errors import Gone, Invalid, QuotaExceeded, Unauthorized, Unavailable
from db import guest_data, instances, jobs, ports
from db.guest_data import GuestData
from db.instances import Instance

log = logging.getLogger(__name__)

#: files that a server may be given
MOST_FILES = 5
#: bytes that each may have
FILE_SIZE = 10_240
#: bytes of user data
USER_DATA_SIZE = 65_536
#: MiB of the disk that carries it all
SEED_DISK = 8

_TOKEN_BYTES = 32
_LABEL = 63


@dataclass(frozen=True)
class File:
    """A file to put into the guest; the path is absolute."""

    path: str
    content: bytes = field(repr=False)


@dataclass(frozen=True)
class GuestSpec:
    """What a guest is to be given beyond its name and keys."""

    password: str | None = field(default=None, repr=False)
    user_data: bytes = field(default=b"", repr=False)
    files: tuple[File, ...] = ()
    #: the caller asked for something that only the guest can be given, so leaving it out is no answer
    insists: bool = False


@dataclass(frozen=True)
class Kept:
    """What a guest may ask for at any time: any process in it may, so no secret is among it but its user data."""

    public_keys: tuple[str, ...] = ()
    user_data: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Ticket:
    """What one deployment shows to be given the data; both empty when there is nothing new for it."""

    url: str
    token: str = field(repr=False)


def check(cloud: Cloud, spec: GuestSpec) -> None:
    """Raise Invalid for what can't be delivered here, QuotaExceeded for more than a server may be given."""
    if len(spec.files) > MOST_FILES:
        raise QuotaExceeded(f"personality: {len(spec.files)} files, at most {MOST_FILES} are allowed")
    for number, file in enumerate(spec.files):
        if len(file.content) > FILE_SIZE:
            raise QuotaExceeded(f"personality[{number}]: {len(file.content)} bytes, at most {FILE_SIZE} are allowed")
    if len(spec.user_data) > USER_DATA_SIZE:
        raise Invalid(f"user_data: {len(spec.user_data)} bytes, at most {USER_DATA_SIZE} are allowed")
    if spec.insists and not cloud.settings.guest_url:
        raise Invalid(
            "keys, passwords, user data and files can't be put into servers here: the operator has set no guest_url"
        )


def keep(
    db: Session, cloud: Cloud, instance: Instance, *, spec: GuestSpec, public_key: str | None, installs: bool
) -> None:
    """Keep what a new instance's guest is to be given; raises Invalid for what is asked for in vain.

    `installs` tells whether there will be a deployment, which is what takes it there.
    """
    if not cloud.settings.guest_url:
        return
    if not installs:
        if spec.insists:
            raise Invalid("this image is not installed by a deployment: nothing can be put into its servers")
        return
    vault = _vault(cloud)
    content = {
        **about(instance),
        "public_keys": [public_key] if public_key else [],
        "password": spec.password,
        "user_data": base64.b64encode(spec.user_data).decode(),
        "files": _files(spec.files),
        "network": _network(db, instance),
    }
    row = GuestData(instance_id=instance.id, sealed=vault.seal(json.dumps(content)), created_at=cloud.clock())
    db.add(row)


def renew(
    db: Session, cloud: Cloud, instance: Instance, *, password: str | None, files: tuple[File, ...] | None
) -> None:
    """Bring what is kept up to the instance's present name and metadata, before it is deployed anew.

    None leaves the password or the files as they are; raises Invalid for files where nothing is kept.
    """
    row = guest_data.lock(db, instance.id)
    if row is None:
        if files:
            raise Invalid("personality: nothing can be put into this server; it was created without a disk for it")
        return
    vault = _vault(cloud)
    content = json.loads(vault.open(row.sealed))
    content |= about(instance)
    content["password"] = password or content["password"]
    content["network"] = _network(db, instance)
    if files is not None:
        content["files"] = _files(files)
    row.sealed = vault.seal(json.dumps(content))


def issue(cloud: Cloud, *, instance_id: str, job_id: int) -> Ticket | None:
    """Make the token of a deployment that is about to be sent; those made for the instance before are void.

    None: nothing is kept for this instance, and its disks have no room for it.
    """
    with cloud.sessions.begin() as db:
        row = guest_data.lock(db, instance_id)
        if row is None:
            return None
        if not cloud.settings.guest_url:
            row.token_digest = None
            return Ticket("", "")
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        row.token_digest = _digest(token)
        row.job_id = job_id
        row.redeemed_at = None
        row.expires_at = cloud.clock() + timedelta(seconds=cloud.settings.guest_token_life)
    return Ticket(cloud.settings.guest_url, token)


def redeem(cloud: Cloud, token: str, *, ganeti_name: str) -> dict[str, Any]:  # Any: JSON
    """Give what the token is for, once.

    Raises Unauthorized for a token that nobody knows, or another instance's; Gone for one that was redeemed, that has
    expired, or whose deployment has ended; Unavailable where the key is not at hand.
    """
    vault = _vault(cloud)
    digest, now = _digest(token), cloud.clock()
    with cloud.sessions.begin() as db:
        row, _ = _found(db, digest, ganeti_name)
        if why := _spent(db, cloud, row):
            log.warning("guest.token_refused", extra={"instance": ganeti_name, "reason": why})
            raise Gone(why)
        if not guest_data.spend(db, digest, at=now):
            log.warning("guest.token_refused", extra={"instance": ganeti_name, "reason": "it was just redeemed"})
            raise Gone("the token has been redeemed")
        content: dict[str, Any] = json.loads(vault.open(row.sealed))
    log.info("guest.data_given", extra={"instance": ganeti_name})
    return content


def report(cloud: Cloud, token: str, *, ganeti_name: str, percent: int) -> None:
    """Take in how far the token's deployment has come; it never goes back.

    Raises Unauthorized as `redeem` does; Gone for a token that was not redeemed, or whose deployment has ended. The
    instance's `updated_at` stays: it is the change of a figure, not of the server, and looks compare it.
    """
    with cloud.sessions.begin() as db:
        row, instance = _found(db, _digest(token), ganeti_name)
        # its job ends under this lock, and with it what this may still change
        instances.lock(db, instance.id)
        why = "the token has not been redeemed" if row.redeemed_at is None else _ended(db, row)
        if why:
            log.warning("guest.report_refused", extra={"instance": ganeti_name, "reason": why})
            raise Gone(why)
        instance.progress = max(percent, instance.progress or 0)


def about(instance: Instance) -> dict[str, Any]:  # Any: JSON
    """Give what a guest is told of itself, whichever way: as its name and metadata are now."""
    return {
        "instance_id": instance.id,
        "hostname": hostname(instance.name, instance.id),
        "metadata": dict(instance.meta),
    }


def kept(db: Session, cloud: Cloud, instance_id: str) -> Kept:
    """Give what is kept for a guest and may be told it again, if anything is: no password and no file is.

    Raises Unavailable where something is kept, and the key is not at hand.
    """
    row = guest_data.get(db, instance_id)
    if row is None:
        return Kept()
    content = json.loads(_vault(cloud).open(row.sealed))
    return Kept(tuple(content["public_keys"]), base64.b64decode(content["user_data"]))


def forget(db: Session, instance_id: str) -> None:
    """Keep nothing any longer for an instance that is gone."""
    guest_data.forget(db, instance_id)


def hostname(name: str, instance_id: str) -> str:
    """Make a host name (RFC 1123) of a server's name: what it can't have becomes a dash."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    labels = [re.sub(r"[^a-z0-9]+", "-", label).strip("-")[:_LABEL].strip("-") for label in plain.split(".")]
    found = ".".join(label for label in labels if label)
    return found if found and len(found) <= 4 * _LABEL else f"server-{instance_id[:8]}"


def _files(files: tuple[File, ...]) -> list[dict[str, str]]:
    return [{"path": file.path, "content": base64.b64encode(file.content).decode()} for file in files]


def _spent(db: Session, cloud: Cloud, row: GuestData) -> str | None:
    """Tell why a token gets nothing, or None."""
    if row.redeemed_at is not None:
        return "the token has been redeemed"
    if row.expires_at is None or row.expires_at <= cloud.clock():
        return "the token has expired"
    return _ended(db, row)


def _ended(db: Session, row: GuestData) -> str | None:
    job = jobs.get(db, row.job_id) if row.job_id is not None else None
    if job is None or job.finished_at is not None:
        return "the token's deployment has ended"
    return None


def _network(db: Session, instance: Instance) -> dict[str, Any] | None:  # Any: JSON
    return guest_network.config(ports.places(db, [instance.id]).get(instance.id, ()))


def _found(db: Session, digest: str, ganeti_name: str) -> tuple[GuestData, Instance]:
    row = guest_data.by_digest(db, digest)
    instance = instances.get(db, row.instance_id) if row is not None else None
    if row is None or instance is None or instance.ganeti_name != ganeti_name:
        log.warning("guest.token_unknown", extra={"instance": ganeti_name})
        raise Unauthorized("there is no such token for this instance")
    return row, instance


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _vault(cloud: Cloud) -> Vault:
    if cloud.vault is None:
        raise Unavailable("this process does not have the key that guest data is sealed with")
    return cloud.vault
