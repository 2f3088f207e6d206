"""Who may see and change what in the identity service: the policy, and what everybody may do with what is one's own."""

from __future__ import annotations

from cloud import auth, policy
from cloud.policy import Operation
from common.errors import Forbidden, NotFound
from db.tokens import Bearer


def allows(bearer: Bearer, operation: Operation) -> bool:
    """Tell whether the token's roles are enough; a token without a project has none."""
    return policy.allows(auth.effective_roles(bearer), operation)


def require(bearer: Bearer, operation: Operation) -> None:
    """Raise Forbidden if the token's roles are not enough."""
    policy.require_roles(auth.effective_roles(bearer), operation)


def require_self_or(bearer: Bearer, operation: Operation, user_id: str) -> None:
    """Raise NotFound for another user's things: whether that user exists is not told."""
    if bearer.user.id != user_id and not allows(bearer, operation):
        raise NotFound(f"there is no user {user_id}")


def require_self(bearer: Bearer, user_id: str) -> None:
    """Raise for anybody but the user; an application credential stands for one only if it is unrestricted."""
    require_self_or(bearer, Operation.USER_READ_ALL, user_id)
    if bearer.user.id != user_id:
        raise Forbidden("only the user may do this")
    require_unrestricted(bearer)


def require_unrestricted(bearer: Bearer) -> None:
    """Raise Forbidden for a token from a restricted application credential, which must not make its own successor."""
    if bearer.credential is not None and not bearer.credential.unrestricted:
        raise Forbidden("a restricted application credential may not do this")
