"""Which tests fail, and why that is so; why tests are skipped, in our words. Whatever else fails is a mistake."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Known:
    """Tests, by a pattern that begins at a part of their dotted names, and the reason.

    The pattern is a regular expression but for two signs: a dot is a dot, and a star is any text.
    """

    tests: str
    reason: str

    def covers(self, path: str) -> bool:
        pattern = self.tests.replace(".", r"\.").replace("*", ".*")
        return re.search(rf"\.({pattern})", path) is not None


_NO_SYSTEM = "there is no system scope: an admin is one in any project"
_ONE_DOMAIN = "there is one domain, Default; no other can be made"
_FIXED_ROLES = "the roles are admin, member and reader; no other can be made"
_FIXED_CATALOG = "services, endpoints and regions follow the configuration; the API shows them and changes none"
_READ_ONLY_AGGREGATES = "an aggregate is a backend: the API shows it and changes none"
_READ_ONLY_HOSTS = "hosts are shown, and kept by Ganeti's operators"
_ONE_DISK = "flavors with an ephemeral disk are refused: servers have one disk"
_NOT_WHILE_IN_USE = "Ganeti copies no disk that is in use: an image is made of a stopped server"
_LONG_NAMES = "tempest makes itself a user whose name has more than 64 characters"

FAILURES = (
    Known("admin.test_aggregates_negative.*test_aggregate_(add|create|remove)_", _READ_ONLY_AGGREGATES),
    Known("admin.test_aggregates_negative.*test_aggregate_(delete|get_details)_as_user", _READ_ONLY_AGGREGATES),
    Known("admin.test_flavors.FlavorsAdminTestJSON.test_create_flavor_verify_entry_in_list_details", _ONE_DISK),
    Known("admin.test_flavors_extra_specs(_negative)?.FlavorsExtraSpecs", _ONE_DISK),
    Known("admin.test_hosts_negative.*test_(update|startup_host|shutdown_host|reboot_host)_", _READ_ONLY_HOSTS),
    Known("admin.test_hypervisor.HypervisorAdminTestJSON.test_get_hypervisor_uptime", "Ganeti does not tell"),
    Known("admin.test_instance_usage_audit_log(_negative)?", "no audit log: os-simple-tenant-usage says who used what"),
    Known("admin.test_live_migration_negative.*test_live_block_migration_suspended", "Ganeti can't suspend a guest"),
    Known("admin.test_migrations.MigrationsAdminTest", "there is no role manager"),
    Known("admin.test_live_migration.LiveMigration", "there is no role manager"),
    Known("admin.test_servers.ServersAdminTestJSON.test_inject_network_info", "nothing of ours runs in the guest"),
    Known("admin.test_quotas.QuotaClassesAdminTestJSON.test_update_default_quotas", "default quotas are configured"),
    Known(
        "admin.test_quotas.QuotasAdminTestJSON.test_update_all_quota_resources_for_tenant",
        "instances, cores and ram are what can be changed for a project",
    ),
    Known("admin.test_quotas_negative.QuotasSecurityGroupAdminNegativeTest", _LONG_NAMES),
    Known(
        "images.test_images.ImagesTestJSON.test_(delete_saving_image|create_server_from_snapshot)", _NOT_WHILE_IN_USE
    ),
    Known("images.test_images_oneserver.ImagesOneServerTestJSON", _NOT_WHILE_IN_USE),
    Known("images.test_images_oneserver_negative.*test_create_second_image_when_", _NOT_WHILE_IN_USE),
    Known("images.test_images_oneserver_negative.*test_delete_image_that_is_not_yet_active", _NOT_WHILE_IN_USE),
    Known("images.test_list_image_filters.ListImageFiltersTestJSON", _NOT_WHILE_IN_USE),
    Known("servers.test_server_actions.ServerActionsTestOtherB.test_create_backup", _NOT_WHILE_IN_USE),
    Known("scenario.test_server_multinode", "no client names a server's node in its availability zone"),
    Known("v3.test_application_credentials.ApplicationCredentialsV3AdminTest", _LONG_NAMES),
    Known("v3.test_credentials.CredentialsTestJSON", "no credentials but passwords and application credentials"),
    Known("v3.test_ec2_credentials.EC2CredentialsTest", "no EC2 credentials"),
    Known("v3.test_oauth_consumers.OAUTHConsumersV3Test", "no OAuth"),
    Known("v3.test_project_tags.IdentityV3ProjectTagsTest", "projects have no tags"),
    Known(
        "v3.test_projects_negative.*test_list_projects_by_unauthorized_user",
        "a user who is no admin is shown the projects that they are in; tempest wants 403",
    ),
    Known("v3.test_default_project_id.TestDefaultProjectId", _ONE_DOMAIN),
    Known("v3.test_domain_configuration.DomainConfigurationTestJSON", _ONE_DOMAIN),
    Known("v3.test_domains_negative.DomainsNegativeTestJSON", _ONE_DOMAIN),
    Known("v3.test_inherits.InheritsV3TestJSON", _ONE_DOMAIN),
    Known("v3.test_tokens.TokensV3TestJSON.test_get_available_domain_scopes", _ONE_DOMAIN),
    Known("v3.test_tokens.TokensV3TestJSON.test_rescope_token", _FIXED_ROLES),
    Known("v3.test_(endpoint_groups.EndPointGroups|endpoints_negative.Endpoints)", _FIXED_CATALOG),
    Known("admin.v3.test_(domains|endpoints|groups|list_projects|list_users|policies).", _NO_SYSTEM),
    Known("admin.v3.test_(projects|regions|roles|services|users).", _NO_SYSTEM),
)

#: a text in tempest's reason for a skip, and ours; the first that is found counts
SKIPS = (
    (r"[Mm]icroversion", "no microversions: the Compute API is 2.1"),
    (r"[Vv]olume|Cinder", "no volumes yet"),
    (r"nova-network", "the networks are the Network API's"),
    (r"[Ff]loating", "a floating IP comes by a job, and tempest uses it at once"),
    (r"[Rr]outer", "no routers yet"),
    (r"swift", "no object storage"),
    (r"Horizon", "no Horizon"),
    (r"rescue", "no volumes yet"),
    (r"[Cc]onsole", "tempest expects the WebSocket at the page's own address"),
    (r"Shelve", "a shelved server would keep its disk and its place in Ganeti: stop it instead"),
    (r"Pause|Suspend", "Ganeti can't pause or suspend a guest"),
    (r"validation tests", "simulated guests have nothing that one could log in to"),
    (r"Change password", "nothing of ours runs in the guest to change its password"),
    (r"Disk config|disk_config|DiskConfig", "AUTO is the only disk configuration"),
    (r"FQDN", "host names keep their dots"),
    (r"access rules", "application credentials have no access rules"),
    (r"Trusts", "no trusts"),
    (r"Security compliance", "no rules about the age and history of passwords"),
    (r"service role", "there is no role service"),
)


def reason_of_failure(path: str) -> str | None:
    """Say why a test fails that we know of; None for one that should not."""
    return next((known.reason for known in FAILURES if known.covers(path)), None)


def reason_of_skip(why: str) -> str:
    """Say in our words why tempest left something out, or in its own."""
    return next((ours for text, ours in SKIPS if re.search(text, why)), why)
