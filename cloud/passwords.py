"""Passwords and secrets: hashed by argon2, compared in constant time, also when there is nobody to compare with."""

from __future__ import annotations

import functools
import secrets

import argon2
from argon2 import exceptions


@functools.cache
def _hasher() -> argon2.PasswordHasher:
    # OWASP's second choice: 19 MiB and two passes, so that many logins at once do not exhaust a small API server
    return argon2.PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


@functools.cache
def _decoy() -> str:
    return _hasher().hash(secrets.token_hex(16))


def hash_password(password: str) -> str:
    """Give what may be stored."""
    return _hasher().hash(password)


def matches(stored: str | None, password: str) -> bool:
    """Tell whether the password is the stored one; with nothing stored, spend the same time and say no."""
    try:
        _hasher().verify(stored or _decoy(), password)
    except (exceptions.VerifyMismatchError, exceptions.VerificationError, exceptions.InvalidHashError):
        return False
    return stored is not None
