"""What is known of clients: what each of them fails without, and whether it is served."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fact:
    """A need that was found by running the client, or by leaving things out of answers to it."""

    client: str
    need: str
    served: str


FACTS = (
    Fact("all", "version documents without a token, with and without a slash at the end", "yes"),
    Fact(
        "all",
        "the catalog names `/compute/v2.1`; `v2` and `v1.1` are the same API, `v1.1` comes last in the list",
        "yes",
    ),
    Fact("all", "identity below `/identity`, and at the root for those that know its port alone", "yes"),
    Fact(
        "all", "a project's id in the path or not: `/v2.1/servers`, `/v2.1/{project}/servers`", "yes; another's is 403"
    ),
    Fact(
        "openstacksdk, openstack CLI",
        "`expires_at`, `catalog`, each endpoint's `interface` and `url` in a token",
        "yes",
    ),
    Fact("openstacksdk, openstack CLI", "an `Accept` header that is empty means anything", "yes"),
    Fact("openstacksdk, openstack CLI", "a name where an id belongs is 404, never 400", "yes"),
    Fact("openstacksdk, openstack CLI", "`--network`, `--nic`, `network list`, `port create`: a Network API", "yes"),
    Fact("openstacksdk, openstack CLI", "networks of one's own", "yes"),
    Fact("openstacksdk, openstack CLI", "security groups, also by their names when a server is made", "yes"),
    Fact("openstacksdk, openstack CLI", "`floating ip create`, `set`, `unset`; `server add floating ip`", "yes"),
    Fact("openstacksdk, openstack CLI", "routers", "no: networks are flat"),
    Fact("openstacksdk, openstack CLI", "`--boot-from-volume`, `server add volume`: a Volume API", "not yet"),
    Fact("novaclient", "versions 2, 2.0 and 2.1; pages until one is empty", "yes; it takes no 1.1"),
    Fact("libcloud", "the catalog's names `nova` and `glance`, region `RegionOne`", "yes"),
    Fact("libcloud", "tokens of identity v2.0 (`2.0_password`)", "yes"),
    Fact("libcloud", "`swap` in flavors, `updated`, `hostId` and `tenant_id` in servers", "yes"),
    Fact("libcloud", "the names `neutron`, `cinderv2`, `cinderv3` in the catalog", "not yet"),
    Fact(
        "gophercloud, Terraform",
        "ids are texts, metadata's values too; times of `created` and `updated` have a zone",
        "yes",
    ),
    Fact("gophercloud, Terraform", "times of `OS-SRV-USG` and of a credential's `expires_at` have none", "yes"),
    Fact("gophercloud, Terraform", "answers name the microversion they have; one that is not spoken is 406", "yes"),
    Fact("Terraform", "ports, networks and floating IPs read back as they were written", "not yet"),
    Fact("Ansible", "members that are not known, such as `tags`, do no harm in a create", "yes"),
    Fact("Ansible", "`locked` in servers, which needs microversion 2.9: without it `unlock` does nothing", "no"),
    Fact("tempest", "no member beyond those of 2.1 in servers, images, flavors, keypairs, limits, quotas", "yes"),
    Fact("kamaki", "Python 2, and answers that contradict those of OpenStack (202 for 204, `STOPPED`)", "no"),
)
