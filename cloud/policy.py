"""Who may do what: one table from operation to the least role that it takes.

Roles imply each other: admin may all that member may, member all that reader may. A role counts in the project that the
token is for. Whose things a caller may know of is a rule of its own, kept where they are looked up: those of the
caller's project, or, for an admin, everybody's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from cloud.context import Caller
from common.errors import Forbidden
from db.users import Role


class Operation(StrEnum):
    """What somebody may want to do."""

    SERVER_READ = "server:read"
    SERVER_WRITE = "server:write"
    SERVER_READ_ALL = "server:read_all"
    SERVER_READ_PLACEMENT = "server:read_placement"
    SERVER_RESET = "server:reset"
    SERVER_IGNORE_LOCK = "server:ignore_lock"
    CONSOLE_OPEN = "console:open"
    CONSOLE_LINK_READ = "console_link:read"
    CONSOLE_LINK_WRITE = "console_link:write"
    KEYPAIR_READ = "keypair:read"
    KEYPAIR_WRITE = "keypair:write"
    SERVER_MIGRATE = "server:migrate"
    MIGRATION_READ = "migration:read"
    FLAVOR_READ = "flavor:read"
    FLAVOR_READ_ALL = "flavor:read_all"
    FLAVOR_WRITE = "flavor:write"
    IMAGE_READ = "image:read"
    IMAGE_WRITE = "image:write"
    IMAGE_WRITE_ALL = "image:write_all"
    IMAGE_PUBLISH = "image:publish"
    IMAGE_DEACTIVATE = "image:deactivate"
    NETWORK_READ = "network:read"
    NETWORK_READ_ALL = "network:read_all"
    NETWORK_WRITE = "network:write"
    NETWORK_WRITE_ALL = "network:write_all"
    PORT_READ = "port:read"
    PORT_WRITE = "port:write"
    PORT_READ_ALL = "port:read_all"
    FLOATING_IP_READ = "floatingip:read"
    FLOATING_IP_READ_ALL = "floatingip:read_all"
    FLOATING_IP_WRITE = "floatingip:write"
    SECURITY_GROUP_READ = "security_group:read"
    SECURITY_GROUP_WRITE = "security_group:write"
    SECURITY_GROUP_READ_ALL = "security_group:read_all"
    QUOTA_READ = "quota:read"
    QUOTA_READ_ALL = "quota:read_all"
    QUOTA_WRITE = "quota:write"
    ZONE_READ_DETAIL = "zone:read_detail"
    NODE_READ = "node:read"
    CREDENTIAL_WRITE = "credential:write"
    TOKEN_READ_ALL = "token:read_all"  # noqa: S105  # an operation, no secret
    USER_READ_ALL = "user:read_all"
    USER_WRITE = "user:write"
    PROJECT_READ_ALL = "project:read_all"
    PROJECT_WRITE = "project:write"
    ROLE_READ_ALL = "role:read_all"
    ROLE_ASSIGN = "role:assign"


@dataclass(frozen=True)
class Rule:
    """The least role for an operation, and what it is, in words."""

    least: Role
    what: str


RULES: Mapping[Operation, Rule] = {
    Operation.SERVER_READ: Rule(Role.READER, "look at the project's servers and at what was done to them"),
    Operation.SERVER_WRITE: Rule(Role.MEMBER, "create, change, act on and delete the project's servers"),
    Operation.SERVER_READ_ALL: Rule(Role.ADMIN, "list the servers of every project"),
    Operation.SERVER_READ_PLACEMENT: Rule(Role.ADMIN, "see and filter by where a server runs and whose it is"),
    Operation.SERVER_RESET: Rule(Role.ADMIN, "set what is recorded of a server's state"),
    Operation.SERVER_IGNORE_LOCK: Rule(Role.ADMIN, "act on a server although it is locked"),
    Operation.CONSOLE_OPEN: Rule(Role.MEMBER, "see and type at the consoles of the project's servers"),
    Operation.CONSOLE_LINK_READ: Rule(Role.READER, "list the links by which the project's screens may be watched"),
    Operation.CONSOLE_LINK_WRITE: Rule(
        Role.MEMBER, "make and revoke links by which the project's screens may be watched"
    ),
    Operation.KEYPAIR_READ: Rule(Role.READER, "look at one's own keypairs"),
    Operation.KEYPAIR_WRITE: Rule(Role.MEMBER, "make, import and delete keypairs of one's own"),
    Operation.SERVER_MIGRATE: Rule(Role.ADMIN, "move a server to another node"),
    Operation.MIGRATION_READ: Rule(Role.ADMIN, "list the moves and resizes of every server"),
    Operation.FLAVOR_READ: Rule(Role.READER, "look at public flavors and those open to the project"),
    Operation.FLAVOR_READ_ALL: Rule(Role.ADMIN, "look at flavors that are not public, and use them"),
    Operation.FLAVOR_WRITE: Rule(Role.ADMIN, "make and remove flavors, their extra specs, and whom they are open to"),
    Operation.IMAGE_READ: Rule(Role.READER, "look at public images, the project's own, and those shared with it"),
    Operation.IMAGE_WRITE: Rule(Role.MEMBER, "make, upload, change, share and delete the project's images"),
    Operation.IMAGE_WRITE_ALL: Rule(Role.ADMIN, "do so with any project's, give them away, and upload without limits"),
    Operation.IMAGE_PUBLISH: Rule(Role.ADMIN, "make an image public"),
    Operation.IMAGE_DEACTIVATE: Rule(Role.ADMIN, "keep an image from being used, and let it be used again"),
    Operation.NETWORK_READ: Rule(Role.READER, "look at the project's networks and subnets, and at shared ones"),
    Operation.NETWORK_READ_ALL: Rule(Role.ADMIN, "look at every project's networks and subnets, and use them"),
    Operation.NETWORK_WRITE: Rule(Role.MEMBER, "make, change and delete the project's networks and subnets"),
    Operation.NETWORK_WRITE_ALL: Rule(
        Role.ADMIN, "change any project's networks, share networks, and say what they are on the nodes"
    ),
    Operation.PORT_READ: Rule(Role.READER, "look at the project's ports"),
    Operation.PORT_WRITE: Rule(Role.MEMBER, "make, change and delete the project's ports"),
    Operation.PORT_READ_ALL: Rule(Role.ADMIN, "look at every project's ports, change and delete them"),
    Operation.FLOATING_IP_READ: Rule(Role.READER, "look at the project's floating IPs"),
    Operation.FLOATING_IP_READ_ALL: Rule(Role.ADMIN, "look at every project's floating IPs, change and delete them"),
    Operation.FLOATING_IP_WRITE: Rule(
        Role.MEMBER, "keep addresses of external networks, give them to the project's servers, and give them back"
    ),
    Operation.SECURITY_GROUP_READ: Rule(
        Role.READER, "look at the project's security groups and their rules, and at the ready-made ones"
    ),
    Operation.SECURITY_GROUP_WRITE: Rule(
        Role.MEMBER, "make, change and delete the project's security groups and their rules"
    ),
    Operation.SECURITY_GROUP_READ_ALL: Rule(
        Role.ADMIN, "look at every project's security groups, change and delete them"
    ),
    Operation.QUOTA_READ: Rule(Role.READER, "see the project's quotas and what is used of them"),
    Operation.QUOTA_READ_ALL: Rule(Role.ADMIN, "see any project's quotas"),
    Operation.QUOTA_WRITE: Rule(Role.ADMIN, "change any project's quotas"),
    Operation.NODE_READ: Rule(Role.ADMIN, "look at hypervisors, services and aggregates"),
    Operation.ZONE_READ_DETAIL: Rule(Role.ADMIN, "see the availability zones in detail"),
    Operation.CREDENTIAL_WRITE: Rule(Role.READER, "make application credentials of one's own, of no higher role"),
    Operation.TOKEN_READ_ALL: Rule(Role.ADMIN, "look at and end another user's token"),
    Operation.USER_READ_ALL: Rule(Role.ADMIN, "list users, and look at any with their application credentials"),
    Operation.USER_WRITE: Rule(Role.ADMIN, "create, change and delete users"),
    Operation.PROJECT_READ_ALL: Rule(Role.ADMIN, "look at every project"),
    Operation.PROJECT_WRITE: Rule(Role.ADMIN, "create, change and delete projects"),
    Operation.ROLE_READ_ALL: Rule(Role.ADMIN, "see who has which role"),
    Operation.ROLE_ASSIGN: Rule(Role.ADMIN, "give roles and take them back"),
}

#: each role with those that it implies, itself among them
_IMPLIED: Mapping[Role, frozenset[Role]] = {
    Role.ADMIN: frozenset({Role.ADMIN, Role.MEMBER, Role.READER}),
    Role.MEMBER: frozenset({Role.MEMBER, Role.READER}),
    Role.READER: frozenset({Role.READER}),
}


def implied(roles: Collection[Role]) -> frozenset[Role]:
    """Give the roles that somebody has who was given these."""
    return frozenset().union(*(_IMPLIED[role] for role in roles))


def allows(roles: Collection[Role], operation: Operation) -> bool:
    """Tell whether one of the roles is enough."""
    return RULES[operation].least in implied(roles)


def roles_for(operation: Operation) -> frozenset[Role]:
    """Give the roles of which any one is enough."""
    return frozenset(role for role in Role if allows((role,), operation))


def require(caller: Caller, operation: Operation) -> None:
    """Raise Forbidden for a caller whose roles are not enough."""
    require_roles(caller.roles, operation)


def require_roles(roles: Collection[Role], operation: Operation) -> None:
    """Raise Forbidden if none of the roles is enough."""
    if not allows(roles, operation):
        rule = RULES[operation]
        raise Forbidden(f"{operation} takes the role {rule.least}: it is to {rule.what}")
