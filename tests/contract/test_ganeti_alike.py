"""The simulator beside the real Ganeti: the same story gives the same job files, the same reads the same shapes."""

from collections.abc import Callable

import pytest

from rapi import specs
from tests.contract import job_files, masters

Handle = masters.Handle
Read = Callable[[Handle], object]


@pytest.fixture(scope="module")
def real_files(real: Handle) -> dict[str, object]:
    return job_files.play(real)


@pytest.fixture(scope="module")
def simulated_files(simulated: Handle) -> dict[str, object]:
    return job_files.play(simulated)


@pytest.mark.parametrize("title", job_files.TITLES)
def test_job_files_are_the_same(title: str, real_files: dict[str, object], simulated_files: dict[str, object]) -> None:
    assert simulated_files[title] == real_files[title]


READS: dict[str, Read] = {
    "/version": lambda c: c.api.get_version(),
    "/2/features": lambda c: sorted(c.api.get_features()),
    "/2/info": lambda c: shape(c.api.get_info()),
    "/2/nodes": lambda c: shape(c.api.get_nodes()[0]),
    "/2/nodes without bulk": lambda c: shape(c.api.get_nodes(bulk=False)[0]),
    "/2/nodes/N": lambda c: shape(c.api.get_node(c.node)),
    "/2/nodes/N/role": lambda c: c.api.get_node_role(c.node),
    "/2/groups": lambda c: shape(c.api.get_groups()[0]),
    "/2/groups/N": lambda c: shape(c.api.get_group(masters.GROUP)),
    "/2/tags": lambda c: c.api.get_cluster_tags(),
    "/2/jobs without bulk": lambda c: shape(c.api.get_jobs(bulk=False)[-1]),
}


@pytest.mark.parametrize("title", READS)
def test_reads_have_the_same_shape(title: str, real: Handle, simulated: Handle) -> None:
    assert READS[title](simulated) == READS[title](real)


def test_instances_networks_and_their_jobs_have_the_same_shape(real: Handle, simulated: Handle) -> None:
    assert shapes_of_a_busy_cluster(simulated) == shapes_of_a_busy_cluster(real)


def shapes_of_a_busy_cluster(cluster: Handle) -> dict[str, object]:
    api = cluster.api
    with cluster.network("10.80.0.0/28") as network:
        nic = specs.NicSpec(network=network, ip="pool", name="port-1")
        disk = specs.DiskSpec(8, name="root")
        with cluster.instance(disk_template="file", disks=(disk,), nics=(nic,)) as name:
            jobs = api.get_jobs()
            whole = api.get_job(jobs[-1]["id"])
            return {
                "instance": shape(api.get_instance(name)),
                "instances": shape([row for row in api.get_instances() if row["name"] == name]),
                "names of instances": shape(api.get_instances(bulk=False)[0]),
                "network": shape(api.get_network(network)),
                "networks": shape([row for row in api.get_networks() if row["name"] == network]),
                "names of networks": shape(api.get_networks(bulk=False)[0]),
                "row of jobs": shape(jobs[-1]),
                "job": shape(whole),
                "queried instance": shape(api.query("instance", ["name", "status", "oper_state", "pnode"])[0]),
                "queried job": shape(api.query_jobs([jobs[-1]["id"]])),
            }


def shape(value: object, key: str = "") -> object:
    """The keys of objects and the types of everything else; what depends on the machine is left out."""
    if isinstance(value, dict):
        if key in OPEN_ENDED:
            return "an object"
        return {name: shape(item, name) for name, item in sorted(value.items())}
    if isinstance(value, list):
        return [shape(item, key) for item in value[:1]]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "a number"  # a whole number of seconds is written without its fraction
    return type(value).__name__


# Keyed by hypervisor, disk template or the operator's choice, so that their keys are no part of the contract.
OPEN_ENDED = frozenset(
    {
        "hvparams", "ipolicy", "diskparams", "os_hvp", "osparams", "ndparams", "enabled_user_shutdown",
        "tcpudp_port_pool", "nicparams", "custom_hvparams", "disk_state", "hv_state", "hv_state_static",
        "disk_state_static",
        "default_iallocator_params",
    }
)  # fmt: skip
