"""Keypairs: SSH public keys that a user's servers may be given. A private key that is made here is not kept."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from cloud import policy
from cloud.context import Caller, Cloud
from cloud.policy import Operation
from common.errors import Conflict, Invalid, NotFound, QuotaExceeded
from db import keypairs
from db.keypairs import Keypair

#: keypairs that a user may have
MOST = 100

_NAME = re.compile(r"[A-Za-z0-9_.@-]([A-Za-z0-9 _.@-]{0,253}[A-Za-z0-9_.@-])?")
_KINDS = (
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)
_RSA_BITS = 2048


def get(cloud: Cloud, caller: Caller, name: str) -> Keypair:
    """Give one of the caller's own keypairs; raises NotFound."""
    policy.require(caller, Operation.KEYPAIR_READ)
    with cloud.sessions.read() as db:
        return _own(db, caller, name)


def of_caller(cloud: Cloud, caller: Caller) -> Sequence[Keypair]:
    """List the caller's own keypairs by name."""
    policy.require(caller, Operation.KEYPAIR_READ)
    with cloud.sessions.read() as db:
        return keypairs.of_user(db, caller.user_id)


def add(cloud: Cloud, caller: Caller, name: str, *, public_key: str) -> Keypair:
    """Keep a public key in OpenSSH's form; raises Invalid, Conflict or QuotaExceeded."""
    policy.require(caller, Operation.KEYPAIR_WRITE)
    name = name.strip(" ")
    if not _NAME.fullmatch(name):
        raise Invalid("name: 1 to 255 ASCII letters, digits, spaces and any of _ - . @ are expected")
    public_key = public_key.strip()
    fingerprint = _fingerprint(public_key)
    keypair = Keypair(
        user_id=caller.user_id, name=name, public_key=public_key, fingerprint=fingerprint, created_at=cloud.clock()
    )
    try:
        with cloud.sessions.begin() as db:
            if len(keypairs.of_user(db, caller.user_id)) >= MOST:
                raise QuotaExceeded(f"a user may have {MOST} keypairs")
            db.add(keypair)
    except IntegrityError as err:
        raise Conflict(f"there is a keypair {name} already") from err
    return keypair


def generate() -> tuple[str, str]:
    """Make a new pair: the public key in OpenSSH's form, and the private one in PEM, as clients expect."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS)
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    return public.decode(), private.decode()


def remove(cloud: Cloud, caller: Caller, name: str) -> None:
    """Forget one of the caller's own keypairs; servers that have it keep it. Raises NotFound."""
    policy.require(caller, Operation.KEYPAIR_WRITE)
    with cloud.sessions.begin() as db:
        db.delete(_own(db, caller, name))


def usable(db: Session, caller: Caller, name: str) -> Keypair:
    """Give the keypair that a request names; raises Invalid, since it is the request that is wrong."""
    try:
        return _own(db, caller, name)
    except NotFound as err:
        raise Invalid(f"key_name: {err}") from err


def _own(db: Session, caller: Caller, name: str) -> Keypair:
    keypair = keypairs.get(db, caller.user_id, name)
    if keypair is None:
        raise NotFound(f"there is no keypair {name}")
    return keypair


def _fingerprint(public_key: str) -> str:
    """Check a public key and give the MD5 fingerprint of its blob, which clients show; raises Invalid."""
    kind, _, rest = public_key.partition(" ")
    if kind not in _KINDS:
        raise Invalid(f"public_key: one of {', '.join(_KINDS)} is expected first")
    try:
        serialization.load_ssh_public_key(public_key.encode())
        blob = base64.b64decode(rest.split(" ", 1)[0], validate=True)
    except (ValueError, UnsupportedAlgorithm, binascii.Error) as err:
        raise Invalid(f"public_key: this is no {kind} key") from err
    digest = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))
