"""Shapes of the Compute API's bodies, and its faults, for its documentation."""

from __future__ import annotations

from flask_restx import Model, fields

from apiserver.compute.statuses import Status
from db.server_groups import Policy

LOOK_FAULTS = {401: "No valid token", 403: "The path is of another project", 404: "There is none"}
LIST_FAULTS = {400: "A parameter can't be meant", 401: "No valid token", 403: "For admins only"}
CHANGE_FAULTS = {400: "The body can't be meant", 401: "No valid token", 403: "Not allowed", 404: "There is none"}
_OVER_QUOTA = "The quota does not cover it (version 1.1; later ones: 403)"
COUNTED_FAULTS = {**CHANGE_FAULTS, 413: _OVER_QUOTA}
ACTION_FAULTS = {
    **COUNTED_FAULTS,
    409: "The server's state does not allow it now",
    501: "The action is not served here",
    503: "What it has to ask does not answer",
}
FLOATING_IP_FAULTS = {**CHANGE_FAULTS, 409: "None is left, or the server's state does not allow it now"}
KEEP_FAULTS = {**CHANGE_FAULTS, 403: "For admins only", 409: "There is one already"}
CREATE_FAULTS = {
    400: "The body can't be meant, or names what there is not",
    401: "No valid token",
    403: "Not allowed, or the quota does not cover it",
    409: "There is one by that name",
    413: _OVER_QUOTA,
    503: "No backend has the room now",
}

LINK = Model("Link", {"rel": fields.String(enum=["self", "bookmark", "next"]), "href": fields.String})
_LINKS = fields.List(fields.Nested(LINK))
_TEXTS = fields.Wildcard(fields.String)
_OF_TEXTS = Model("Texts", {"*": _TEXTS})
_REFERENCE = Model("Reference", {"id": fields.String, "links": _LINKS})
_GROUP = Model("SecurityGroupName", {"name": fields.String})
_ADDRESS = Model(
    "Address",
    {
        "version": fields.Integer(enum=[4, 6]),
        "addr": fields.String,
        "OS-EXT-IPS:type": fields.String,
        "OS-EXT-IPS-MAC:mac_addr": fields.String,
    },
)
_BY_NETWORK = Model("AddressesByNetwork", {"*": fields.Wildcard(fields.List(fields.Nested(_ADDRESS)))})
ADDRESSES = Model("Addresses", {"addresses": fields.Nested(_BY_NETWORK)})
_FAULT = Model("ServerFault", {"code": fields.Integer, "created": fields.DateTime, "message": fields.String})

_BRIEF_SERVER = Model("BriefServer", {"id": fields.String, "name": fields.String, "links": _LINKS})
_SERVER = Model(
    "ServerBody",
    {
        "id": fields.String,
        "name": fields.String,
        "status": fields.String(enum=list(Status)),
        "progress": fields.Integer(description="Percent; with BUILD, REBUILD, ACTIVE and resizes"),
        "fault": fields.Nested(_FAULT, description="With ERROR and DELETED"),
        "tenant_id": fields.String,
        "user_id": fields.String,
        "hostId": fields.String(description="Equal for servers of a project that share a node"),
        "image": fields.Nested(_REFERENCE),
        "flavor": fields.Nested(_REFERENCE),
        "metadata": fields.Nested(_OF_TEXTS),
        "addresses": fields.Nested(_BY_NETWORK),
        "accessIPv4": fields.String,
        "accessIPv6": fields.String,
        "created": fields.DateTime,
        "updated": fields.DateTime,
        "links": _LINKS,
        "key_name": fields.String,
        "config_drive": fields.String,
        "security_groups": fields.List(fields.Nested(_GROUP)),
        "OS-DCF:diskConfig": fields.String,
        "OS-EXT-AZ:availability_zone": fields.String,
        "OS-EXT-STS:vm_state": fields.String,
        "OS-EXT-STS:task_state": fields.String,
        "OS-EXT-STS:power_state": fields.Integer,
        "OS-SRV-USG:launched_at": fields.String,
        "OS-SRV-USG:terminated_at": fields.String,
        "os-extended-volumes:volumes_attached": fields.List(fields.Nested(_REFERENCE)),
        "OS-EXT-SRV-ATTR:host": fields.String(description="For admins"),
        "OS-EXT-SRV-ATTR:hypervisor_hostname": fields.String(description="For admins"),
        "OS-EXT-SRV-ATTR:instance_name": fields.String(description="For admins"),
    },
)
SERVER = Model("Server", {"server": fields.Nested(_SERVER)})
SERVERS = Model("Servers", {"servers": fields.List(fields.Nested(_BRIEF_SERVER)), "servers_links": _LINKS})
SERVERS_IN_DETAIL = Model("ServersInDetail", {"servers": fields.List(fields.Nested(_SERVER)), "servers_links": _LINKS})
_FILE = Model("File", {"path": fields.String(required=True), "contents": fields.String(description="In base64")})
_NEW_SERVER = Model(
    "NewServerBody",
    {
        "name": fields.String(required=True, min_length=1, max_length=255),
        "imageRef": fields.String(required=True),
        "flavorRef": fields.String(required=True),
        "metadata": fields.Nested(_OF_TEXTS),
        "key_name": fields.String,
        "min_count": fields.Integer(min=1),
        "max_count": fields.Integer(min=1),
        "return_reservation_id": fields.Boolean,
        "adminPass": fields.String(description="Given back as it is, or made; the guest's first boot sets it"),
        "user_data": fields.String(description="For cloud-init, in base64"),
        "personality": fields.List(fields.Nested(_FILE)),
        "config_drive": fields.Boolean(description="Taken; every guest is given its data on a disk of its own"),
        "accessIPv4": fields.String,
        "accessIPv6": fields.String,
    },
)
NEW_SERVER = Model("NewServer", {"server": fields.Nested(_NEW_SERVER, required=True)})
_CREATED = Model(
    "CreatedServerBody",
    {
        "id": fields.String,
        "links": _LINKS,
        "adminPass": fields.String,
        "OS-DCF:diskConfig": fields.String,
        "security_groups": fields.List(fields.Nested(_GROUP)),
    },
)
CREATED = Model("CreatedServer", {"server": fields.Nested(_CREATED)})
_CHANGED_SERVER = Model(
    "ChangedServerBody", {"name": fields.String, "accessIPv4": fields.String, "accessIPv6": fields.String}
)
CHANGED_SERVER = Model("ChangedServer", {"server": fields.Nested(_CHANGED_SERVER, required=True)})

_REBOOT = Model("Reboot", {"type": fields.String(enum=["SOFT", "HARD"], required=True)})
_RESIZE = Model("Resize", {"flavorRef": fields.String(required=True)})
_REBUILD = Model("Rebuild", {"imageRef": fields.String(required=True)})
_NOTHING = fields.Raw(description="null")
_PROPERTIES = fields.Nested(_OF_TEXTS, description="Properties of the image")
_CREATE_IMAGE = Model("CreateImage", {"name": fields.String(required=True), "metadata": _PROPERTIES})
_CREATE_BACKUP = Model(
    "CreateBackup",
    {
        "name": fields.String(required=True),
        "backup_type": fields.String(required=True, description="the series that it belongs to"),
        "rotation": fields.Integer(required=True, description="how many of the series are kept", min=0),
        "metadata": _PROPERTIES,
    },
)
_ADD_FIXED_IP = Model("AddFixedIp", {"networkId": fields.String(required=True)})
_REMOVE_FIXED_IP = Model("RemoveFixedIp", {"address": fields.String(required=True)})
_VNC_CONSOLE = Model("VncConsole", {"type": fields.String(required=True, enum=["novnc", "xvpvnc"])})
_SERIAL_CONSOLE = Model("SerialConsole", {"type": fields.String(required=True, enum=["serial"])})
_NATIVE_CONSOLE = Model("NativeConsole", {"type": fields.String(required=True, enum=["vnc"])})
ACTION = Model(
    "Action",
    {
        "os-start": _NOTHING,
        "start": _NOTHING,
        "os-stop": _NOTHING,
        "stop": _NOTHING,
        "shutdown": _NOTHING,
        "reboot": fields.Nested(_REBOOT),
        "resize": fields.Nested(_RESIZE),
        "confirmResize": _NOTHING,
        "revertResize": _NOTHING,
        "rebuild": fields.Nested(_REBUILD),
        "addFixedIp": fields.Nested(_ADD_FIXED_IP),
        "removeFixedIp": fields.Nested(_REMOVE_FIXED_IP),
        "createImage": fields.Nested(_CREATE_IMAGE),
        "createBackup": fields.Nested(_CREATE_BACKUP),
        "lock": _NOTHING,
        "unlock": _NOTHING,
        "os-getVNCConsole": fields.Nested(_VNC_CONSOLE),
        "os-getSerialConsole": fields.Nested(_SERIAL_CONSOLE),
        "console": fields.Nested(_NATIVE_CONSOLE),
    },
)
METADATA = Model("Metadata", {"metadata": fields.Nested(_OF_TEXTS, required=True)})
METADATA_ITEM = Model("MetadataItem", {"meta": fields.Nested(_OF_TEXTS, required=True)})

_MIGRATION = Model(
    "Migration",
    {
        "id": fields.Integer,
        "status": fields.String,
        "instance_uuid": fields.String,
        "source_compute": fields.String,
        "source_node": fields.String,
        "dest_compute": fields.String,
        "dest_node": fields.String,
        "dest_host": fields.String,
        "old_instance_type_id": fields.Integer,
        "new_instance_type_id": fields.Integer,
        "created_at": fields.String,
        "updated_at": fields.String,
    },
)
MIGRATIONS = Model("Migrations", {"migrations": fields.List(fields.Nested(_MIGRATION))})
TAGS = Model("Tags", {"tags": fields.List(fields.String, required=True)})

_EVENT = Model(
    "InstanceActionEvent",
    {
        "event": fields.String,
        "start_time": fields.String,
        "finish_time": fields.String,
        "result": fields.String,
        "traceback": fields.String,
    },
)
_FIXED_IP = Model("InterfaceAddress", {"subnet_id": fields.String, "ip_address": fields.String})
_INTERFACE = Model(
    "InterfaceBody",
    {
        "net_id": fields.String,
        "port_id": fields.String,
        "mac_addr": fields.String,
        "port_state": fields.String(enum=["ACTIVE", "BUILD"]),
        "fixed_ips": fields.List(fields.Nested(_FIXED_IP)),
    },
)
_NEW_INTERFACE = Model("NewInterfaceBody", {key: _INTERFACE[key] for key in ("net_id", "port_id", "fixed_ips")})
NEW_INTERFACE = Model("NewInterface", {"interfaceAttachment": fields.Nested(_NEW_INTERFACE, required=True)})
INTERFACE = Model("Interface", {"interfaceAttachment": fields.Nested(_INTERFACE)})
INTERFACES = Model("Interfaces", {"interfaceAttachments": fields.List(fields.Nested(_INTERFACE))})
_INSTANCE_ACTION = Model(
    "InstanceActionBody",
    {
        "action": fields.String,
        "instance_uuid": fields.String,
        "message": fields.String,
        "project_id": fields.String,
        "request_id": fields.String,
        "start_time": fields.String,
        "user_id": fields.String,
        "events": fields.List(fields.Nested(_EVENT)),
    },
)
INSTANCE_ACTION = Model("InstanceAction", {"instanceAction": fields.Nested(_INSTANCE_ACTION)})
INSTANCE_ACTIONS = Model("InstanceActions", {"instanceActions": fields.List(fields.Nested(_INSTANCE_ACTION))})

_FLAVOR = Model(
    "FlavorBody",
    {
        "id": fields.String,
        "name": fields.String,
        "vcpus": fields.Integer,
        "ram": fields.Integer(description="MiB"),
        "disk": fields.Integer(description="GiB"),
        "swap": fields.String,
        "rxtx_factor": fields.Float,
        "links": _LINKS,
        "OS-FLV-DISABLED:disabled": fields.Boolean,
        "OS-FLV-EXT-DATA:ephemeral": fields.Integer,
        "os-flavor-access:is_public": fields.Boolean,
    },
)
FLAVOR = Model("Flavor", {"flavor": fields.Nested(_FLAVOR)})
FLAVORS = Model("Flavors", {"flavors": fields.List(fields.Nested(_FLAVOR)), "flavors_links": _LINKS})
_NEW_FLAVOR = Model(
    "NewFlavorBody",
    {
        "id": fields.String(description="auto, or none: a UUID is made"),
        "name": fields.String(required=True, min_length=1, max_length=255),
        "vcpus": fields.Integer(required=True, min=1),
        "ram": fields.Integer(required=True, min=1, description="MiB"),
        "disk": fields.Integer(required=True, min=0, description="GiB"),
        "swap": fields.Integer(min=0, description="MiB; shown, and no disk is made of it"),
        "rxtx_factor": fields.Float(description="Shown, and nothing is shaped by it"),
        "OS-FLV-EXT-DATA:ephemeral": fields.Integer(enum=[0]),
        "os-flavor-access:is_public": fields.Boolean,
    },
)
NEW_FLAVOR = Model("NewFlavor", {"flavor": fields.Nested(_NEW_FLAVOR, required=True)})
_TENANT = Model("FlavorTenant", {"tenant": fields.String(required=True)})
FLAVOR_ACTION = Model(
    "FlavorAction", {"addTenantAccess": fields.Nested(_TENANT), "removeTenantAccess": fields.Nested(_TENANT)}
)
_ACCESS = Model("FlavorAccessItem", {"flavor_id": fields.String, "tenant_id": fields.String})
FLAVOR_ACCESS = Model("FlavorAccess", {"flavor_access": fields.List(fields.Nested(_ACCESS))})
EXTRA_SPECS = Model("ExtraSpecs", {"extra_specs": fields.Nested(_OF_TEXTS)})

_IMAGED = Model("ImagedServer", {"id": fields.String, "links": _LINKS})
_IMAGE = Model(
    "ComputeImageBody",
    {
        "id": fields.String,
        "name": fields.String,
        "status": fields.String(enum=["ACTIVE", "SAVING", "DELETED", "ERROR", "UNKNOWN"]),
        "progress": fields.Integer,
        "minDisk": fields.Integer(description="GiB"),
        "minRam": fields.Integer(description="MiB"),
        "created": fields.DateTime,
        "updated": fields.DateTime,
        "metadata": fields.Nested(_OF_TEXTS),
        "server": fields.Nested(_IMAGED, description="That it was made of, if of one"),
        "links": _LINKS,
        "OS-EXT-IMG-SIZE:size": fields.Integer(description="Bytes"),
    },
)
IMAGE = Model("ComputeImage", {"image": fields.Nested(_IMAGE)})
IMAGES = Model("ComputeImages", {"images": fields.List(fields.Nested(_IMAGE)), "images_links": _LINKS})

_KEYPAIR = Model(
    "KeypairBody",
    {
        "name": fields.String(required=True),
        "public_key": fields.String(description="In OpenSSH's form; without one a pair is made"),
        "fingerprint": fields.String(readonly=True),
        "user_id": fields.String(readonly=True),
        "private_key": fields.String(readonly=True, description="Shown once, when a pair is made"),
    },
)
KEYPAIR = Model("Keypair", {"keypair": fields.Nested(_KEYPAIR, required=True)})
KEYPAIRS = Model("Keypairs", {"keypairs": fields.List(fields.Nested(KEYPAIR))})

_EXTENSION = Model(
    "ExtensionBody",
    {
        "alias": fields.String,
        "name": fields.String,
        "description": fields.String,
        "namespace": fields.String,
        "updated": fields.DateTime,
        "links": _LINKS,
    },
)
EXTENSION = Model("Extension", {"extension": fields.Nested(_EXTENSION)})
EXTENSIONS = Model("Extensions", {"extensions": fields.List(fields.Nested(_EXTENSION))})

_SERVER_GROUP = Model(
    "ServerGroupBody",
    {
        "id": fields.String(readonly=True),
        "name": fields.String(required=True, min_length=1, max_length=255),
        "policies": fields.List(fields.String(enum=list(Policy)), required=True, min_items=1, max_items=1),
        "members": fields.List(fields.String, readonly=True),
        "metadata": fields.Nested(_OF_TEXTS, readonly=True),
    },
)
_NEW_SERVER_GROUP = Model("NewServerGroupBody", {key: _SERVER_GROUP[key] for key in ("name", "policies")})
NEW_SERVER_GROUP = Model("NewServerGroup", {"server_group": fields.Nested(_NEW_SERVER_GROUP, required=True)})
SERVER_GROUP = Model("ServerGroup", {"server_group": fields.Nested(_SERVER_GROUP)})
SERVER_GROUPS = Model("ServerGroups", {"server_groups": fields.List(fields.Nested(_SERVER_GROUP))})
_RULE_WORDS = {
    "parent_group_id": fields.String,
    "ip_protocol": fields.String(enum=["tcp", "udp", "icmp"]),
    "from_port": fields.Integer(description="The first port, or ICMP's type; -1: any"),
    "to_port": fields.Integer(description="The last port, or ICMP's code; -1: any"),
}
_COMPUTE_RULE = Model(
    "ComputeSecurityGroupRuleBody",
    {
        "id": fields.String,
        **_RULE_WORDS,
        "ip_range": fields.Raw(example={"cidr": "192.0.2.0/24"}),
        "group": fields.Raw(description="The other end's security group, by its name"),
    },
)
SECURITY_GROUP_RULE = Model("ComputeSecurityGroupRule", {"security_group_rule": fields.Nested(_COMPUTE_RULE)})
_NEW_COMPUTE_RULE = Model(
    "NewComputeSecurityGroupRuleBody",
    {**_RULE_WORDS, "cidr": fields.String(example="192.0.2.0/24"), "group_id": fields.String},
)
NEW_SECURITY_GROUP_RULE = Model(
    "NewComputeSecurityGroupRule", {"security_group_rule": fields.Nested(_NEW_COMPUTE_RULE, required=True)}
)
_GROUP_WORDS = {"name": fields.String(required=True), "description": fields.String}
_COMPUTE_GROUP = Model(
    "ComputeSecurityGroupBody",
    {
        "id": fields.String,
        **_GROUP_WORDS,
        "tenant_id": fields.String,
        "rules": fields.List(fields.Nested(_COMPUTE_RULE)),
    },
)
SECURITY_GROUP = Model("ComputeSecurityGroup", {"security_group": fields.Nested(_COMPUTE_GROUP)})
SECURITY_GROUPS = Model("ComputeSecurityGroups", {"security_groups": fields.List(fields.Nested(_COMPUTE_GROUP))})
_NEW_COMPUTE_GROUP = Model("NewComputeSecurityGroupBody", _GROUP_WORDS)
NEW_SECURITY_GROUP = Model(
    "NewComputeSecurityGroup", {"security_group": fields.Nested(_NEW_COMPUTE_GROUP, required=True)}
)
_HYPERVISOR = Model(
    "HypervisorBody",
    {
        "id": fields.Integer,
        "hypervisor_hostname": fields.String,
        "state": fields.String(enum=["up", "down"]),
        "status": fields.String(enum=["enabled", "disabled"]),
    },
)
HYPERVISORS = Model("Hypervisors", {"hypervisors": fields.List(fields.Nested(_HYPERVISOR))})
_FLOATING_IP = Model(
    "ComputeFloatingIpBody",
    {
        "id": fields.String,
        "ip": fields.String,
        "pool": fields.String,
        "fixed_ip": fields.String,
        "instance_id": fields.String,
    },
)
FLOATING_IP = Model("ComputeFloatingIp", {"floating_ip": fields.Nested(_FLOATING_IP)})
FLOATING_IPS = Model("ComputeFloatingIps", {"floating_ips": fields.List(fields.Nested(_FLOATING_IP))})
NEW_FLOATING_IP = Model("NewComputeFloatingIp", {"pool": fields.String(description="An external network")})
_FLOATING_IP_POOL = Model("FloatingIpPool", {"name": fields.String})
FLOATING_IP_POOLS = Model("FloatingIpPools", {"floating_ip_pools": fields.List(fields.Nested(_FLOATING_IP_POOL))})
_NUMBERS = Model("Numbers", {"*": fields.Wildcard(fields.Integer)})
_LIMITS = Model("LimitsBody", {"rate": fields.List(fields.Raw), "absolute": fields.Nested(_NUMBERS)})
LIMITS = Model("Limits", {"limits": fields.Nested(_LIMITS)})
_QUOTAS = Model(
    "QuotaSetBody",
    {
        "id": fields.String,
        "instances": fields.Integer,
        "cores": fields.Integer,
        "ram": fields.Integer,
        "security_groups": fields.Integer,
        "security_group_rules": fields.Integer,
    },
)
QUOTAS = Model("QuotaSet", {"quota_set": fields.Nested(_QUOTAS, required=True)})

ALL = tuple(found for found in list(globals().values()) if isinstance(found, Model))
