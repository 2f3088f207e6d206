"""The Network API's routes."""

from __future__ import annotations

from apiserver.network import (
    floating_ips,
    models,
    networks,
    ports,
    quotas,
    security_group_rules,
    security_groups,
    subnets,
    surroundings,
    unserved,
    versions,
)
from apiserver.routing import Route, Service

SERVICE = Service(
    name="network",
    description="Networks, their subnets, the ports of servers in them, and what these let through",
    prefixes=("/network",),
    routes=(
        Route("", versions.Versions),
        Route("/", versions.Versions),
        Route("/v2.0", versions.Resources),
        Route("/v2.0/", versions.Resources),
        Route("/v2.0/networks", networks.Networks),
        Route("/v2.0/networks/<network_id>", networks.OneNetwork),
        Route("/v2.0/subnets", subnets.Subnets),
        Route("/v2.0/subnets/<subnet_id>", subnets.OneSubnet),
        Route("/v2.0/ports", ports.Ports),
        Route("/v2.0/ports/<port_id>", ports.OnePort),
        Route("/v2.0/security-groups", security_groups.SecurityGroups),
        Route("/v2.0/security-groups/<group_id>", security_groups.OneSecurityGroup),
        Route("/v2.0/security-group-rules", security_group_rules.SecurityGroupRules),
        Route("/v2.0/security-group-rules/<rule_id>", security_group_rules.OneSecurityGroupRule),
        Route("/v2.0/extensions", surroundings.Extensions),
        Route("/v2.0/extensions/<alias>", surroundings.Extension),
        Route("/v2.0/quotas/<project_id>", quotas.Quota),
        Route("/v2.0/quotas/<project_id>/details", quotas.QuotaDetails),
        Route("/v2.0/quotas/<project_id>/details.json", quotas.QuotaDetails),
        Route("/v2.0/quotas/<project_id>/default", quotas.DefaultQuota),
        Route("/v2.0/floatingips", floating_ips.FloatingIps),
        Route("/v2.0/floatingips/<floating_id>", floating_ips.OneFloatingIp),
        *unserved.routes(),
        *unserved.tags(),
    ),
    models=models.ALL,
)
