"""Shapes of the Network API's bodies, and its faults, for its documentation."""

from __future__ import annotations

from collections.abc import Mapping

from flask_restx import Model, fields

from db.networks import Kind

LOOK_FAULTS = {401: "No valid token", 403: "Not allowed", 404: "There is none"}
LIST_FAULTS = {400: "A parameter can't be meant", 401: "No valid token"}
CHANGE_FAULTS = {
    400: "The body can't be meant",
    401: "No valid token",
    403: "Not allowed",
    404: "There is none",
    409: "It is in use, or taken, or none is left",
}

_QUERY = {
    "limit": "How many, at most",
    "marker": "The id of the last item of the page before",
    "id": "An id; may be given several times",
    "name": "A name; may be given several times",
    "project_id": "A project's id",
    "fields": "A member of the answer's items; may be given several times",
    "sort_key": "A key to sort by; may be given several times",
    "sort_dir": "asc or desc",
}


def query(*more: str) -> Mapping[str, str]:
    """Describe the parameters of a list, with filters of its own."""
    return _QUERY | dict.fromkeys(more, "Only those with this")


_TIMES = {"created_at": fields.DateTime, "updated_at": fields.DateTime}
_NETWORK = Model(
    "NetworkBody",
    {
        "id": fields.String,
        "name": fields.String,
        "description": fields.String,
        "project_id": fields.String,
        "admin_state_up": fields.Boolean,
        "status": fields.String(enum=["ACTIVE", "DOWN"]),
        "shared": fields.Boolean,
        "router:external": fields.Boolean,
        "is_default": fields.Boolean(description="Servers that name no network get this one"),
        "mtu": fields.Integer,
        "port_security_enabled": fields.Boolean(description="Whether its new ports have security groups"),
        "subnets": fields.List(fields.String),
        "provider:network_type": fields.String(
            description="For operators: what keeps it apart from others on the nodes"
        ),
        "provider:physical_network": fields.String(
            description="For operators: the bridge, or routing table, on the nodes"
        ),
        **_TIMES,
    },
)
NETWORK = Model("Network", {"network": fields.Nested(_NETWORK)})
NETWORKS = Model("Networks", {"networks": fields.List(fields.Nested(_NETWORK))})
_NEW_NETWORK = Model(
    "NewNetworkBody",
    {
        "name": fields.String,
        "description": fields.String,
        "admin_state_up": fields.Boolean,
        "shared": fields.Boolean,
        "router:external": fields.Boolean,
        "is_default": fields.Boolean,
        "mtu": fields.Integer,
        "port_security_enabled": fields.Boolean,
        "provider:network_type": fields.String(enum=[kind.value for kind in Kind]),
        "provider:physical_network": fields.String(example="br0"),
    },
)
NEW_NETWORK = Model("NewNetwork", {"network": fields.Nested(_NEW_NETWORK, required=True)})

_POOL = Model("AllocationPool", {"start": fields.String, "end": fields.String})
_ROUTE = Model("HostRoute", {"destination": fields.String, "nexthop": fields.String})
_SUBNET_WORDS = {
    "name": fields.String,
    "description": fields.String,
    "network_id": fields.String,
    "cidr": fields.String(example="192.0.2.0/24"),
    "ip_version": fields.Integer(enum=[4, 6]),
    "gateway_ip": fields.String,
    "enable_dhcp": fields.Boolean,
    "ipv6_address_mode": fields.String(enum=["slaac", "dhcpv6-stateful", "dhcpv6-stateless"]),
    "allocation_pools": fields.List(fields.Nested(_POOL)),
    "dns_nameservers": fields.List(fields.String),
    "host_routes": fields.List(fields.Nested(_ROUTE)),
}
_SUBNET = Model("SubnetBody", {"id": fields.String, **_SUBNET_WORDS, **_TIMES})
SUBNET = Model("Subnet", {"subnet": fields.Nested(_SUBNET)})
SUBNETS = Model("Subnets", {"subnets": fields.List(fields.Nested(_SUBNET))})
_NEW_SUBNET = Model("NewSubnetBody", _SUBNET_WORDS)
NEW_SUBNET = Model("NewSubnet", {"subnet": fields.Nested(_NEW_SUBNET, required=True)})

_FIXED_IP = Model("FixedIp", {"subnet_id": fields.String, "ip_address": fields.String})
_PAIR = Model("AllowedAddressPair", {"ip_address": fields.String, "mac_address": fields.String})
_PORT_WORDS = {
    "name": fields.String,
    "description": fields.String,
    "network_id": fields.String,
    "mac_address": fields.String,
    "admin_state_up": fields.Boolean,
    "fixed_ips": fields.List(fields.Nested(_FIXED_IP)),
    "security_groups": fields.List(fields.String, description="Ids; without a word, the project's default one"),
    "port_security_enabled": fields.Boolean(description="Whether it has security groups; the network's owner says"),
    "allowed_address_pairs": fields.List(
        fields.Nested(_PAIR), description="What it may send from besides its own; the network's owner says"
    ),
}
_PORT = Model(
    "PortBody",
    {
        "id": fields.String,
        **_PORT_WORDS,
        "project_id": fields.String,
        "status": fields.String(enum=["ACTIVE", "DOWN"]),
        "device_id": fields.String(description="The server that has it"),
        "device_owner": fields.String,
        **_TIMES,
    },
)
PORT = Model("Port", {"port": fields.Nested(_PORT)})
PORTS = Model("Ports", {"ports": fields.List(fields.Nested(_PORT))})
_NEW_PORT = Model("NewPortBody", _PORT_WORDS)
NEW_PORT = Model("NewPort", {"port": fields.Nested(_NEW_PORT, required=True)})

_FLOATING_IP_WORDS = {
    "port_id": fields.String(description="A port of the server that has it, or is to have it"),
    "fixed_ip_address": fields.String(description="An address of that port"),
    "description": fields.String,
}
_NEW_FLOATING_IP_WORDS = {
    "floating_network_id": fields.String(description="An external network"),
    "subnet_id": fields.String(description="One of its subnets"),
    "floating_ip_address": fields.String,
    **_FLOATING_IP_WORDS,
}
_FLOATING_IP = Model(
    "FloatingIpBody",
    {
        "id": fields.String,
        "project_id": fields.String,
        "floating_network_id": fields.String,
        "floating_ip_address": fields.String,
        **_FLOATING_IP_WORDS,
        "port_details": fields.Raw,
        "router_id": fields.String(description="null: there are no routers"),
        "status": fields.String(enum=["ACTIVE", "DOWN"]),
        **_TIMES,
    },
)
FLOATING_IP = Model("FloatingIp", {"floatingip": fields.Nested(_FLOATING_IP)})
FLOATING_IPS = Model("FloatingIps", {"floatingips": fields.List(fields.Nested(_FLOATING_IP))})
_NEW_FLOATING_IP = Model("NewFloatingIpBody", _NEW_FLOATING_IP_WORDS)
NEW_FLOATING_IP = Model("NewFloatingIp", {"floatingip": fields.Nested(_NEW_FLOATING_IP, required=True)})
_FLOATING_IP_CHANGE = Model("FloatingIpChangeBody", _FLOATING_IP_WORDS)
FLOATING_IP_CHANGE = Model("FloatingIpChange", {"floatingip": fields.Nested(_FLOATING_IP_CHANGE, required=True)})
_RULE_WORDS = {
    "security_group_id": fields.String,
    "direction": fields.String(enum=["ingress", "egress"]),
    "ethertype": fields.String(enum=["IPv4", "IPv6"]),
    "protocol": fields.String(description="A name such as tcp or icmp, or a number; null: any"),
    "port_range_min": fields.Integer(description="The first port, or ICMP's type"),
    "port_range_max": fields.Integer(description="The last port, or ICMP's code"),
    "remote_ip_prefix": fields.String(example="192.0.2.0/24"),
    "remote_group_id": fields.String(description="The other end is a port in this group of the same project"),
    "description": fields.String,
}
_RULE = Model(
    "SecurityGroupRuleBody",
    {"id": fields.String, **_RULE_WORDS, "project_id": fields.String, "normalized_cidr": fields.String, **_TIMES},
)
SECURITY_GROUP_RULE = Model("SecurityGroupRule", {"security_group_rule": fields.Nested(_RULE)})
SECURITY_GROUP_RULES = Model("SecurityGroupRules", {"security_group_rules": fields.List(fields.Nested(_RULE))})
_NEW_RULE = Model("NewSecurityGroupRuleBody", _RULE_WORDS)
NEW_SECURITY_GROUP_RULE = Model(
    "NewSecurityGroupRule", {"security_group_rule": fields.Nested(_NEW_RULE, required=True)}
)
_GROUP_WORDS = {"name": fields.String, "description": fields.String, "stateful": fields.Boolean(enum=[True])}
_GROUP = Model(
    "SecurityGroupBody",
    {
        "id": fields.String,
        **_GROUP_WORDS,
        "project_id": fields.String(description="Empty for the ready-made ones"),
        "shared": fields.Boolean(description="Everybody's, and nobody's to change"),
        "security_group_rules": fields.List(fields.Nested(_RULE)),
        "revision_number": fields.Integer,
        **_TIMES,
    },
)
SECURITY_GROUP = Model("SecurityGroup", {"security_group": fields.Nested(_GROUP)})
SECURITY_GROUPS = Model("SecurityGroups", {"security_groups": fields.List(fields.Nested(_GROUP))})
_NEW_GROUP = Model("NewSecurityGroupBody", _GROUP_WORDS)
NEW_SECURITY_GROUP = Model("NewSecurityGroup", {"security_group": fields.Nested(_NEW_GROUP, required=True)})

_QUOTA = Model(
    "NetworkQuotaBody",
    {
        "network": fields.Integer(description="Networks of the project's own; -1: any"),
        "port": fields.Integer(description="Ports, those of its servers among them; -1: any"),
        "security_group": fields.Integer(description="Security groups; -1: any"),
        "security_group_rule": fields.Integer(description="Rules of all its security groups; -1: any"),
        "floatingip": fields.Integer(description="Floating IPs; -1: any"),
    },
)
QUOTA = Model("NetworkQuota", {"quota": fields.Nested(_QUOTA, required=True)})

ALL = (
    _QUOTA,
    QUOTA,
    _RULE,
    SECURITY_GROUP_RULE,
    SECURITY_GROUP_RULES,
    _NEW_RULE,
    NEW_SECURITY_GROUP_RULE,
    _GROUP,
    SECURITY_GROUP,
    SECURITY_GROUPS,
    _NEW_GROUP,
    NEW_SECURITY_GROUP,
    _NETWORK,
    NETWORK,
    NETWORKS,
    _NEW_NETWORK,
    NEW_NETWORK,
    _POOL,
    _ROUTE,
    _SUBNET,
    SUBNET,
    SUBNETS,
    _NEW_SUBNET,
    NEW_SUBNET,
    _FIXED_IP,
    _PAIR,
    _PORT,
    PORT,
    PORTS,
    _NEW_PORT,
    NEW_PORT,
    _FLOATING_IP,
    FLOATING_IP,
    FLOATING_IPS,
    _NEW_FLOATING_IP,
    NEW_FLOATING_IP,
    _FLOATING_IP_CHANGE,
    FLOATING_IP_CHANGE,
)
