"""What a program does with apache-libcloud, by either of its OpenStack drivers: 2.0, or the older 1.1."""

from __future__ import annotations

import sys
from collections.abc import Callable
from urllib.parse import urlsplit

from libcloud.common.exceptions import BaseHTTPError
from libcloud.compute.base import Node, NodeDriver, NodeImage, NodeSize
from libcloud.compute.providers import get_driver
from libcloud.compute.types import KeyPairDoesNotExistError, Provider
from openstack.config import OpenStackConfig

from tests.e2e.clients.expectations import eventually, refused

_USER_DATA = "#!/bin/sh\necho hello\n"


class Life:
    """One driver's; its servers have its version in their names."""

    def __init__(self, cloud: str, other_cloud: str, version: str) -> None:
        self._version = version
        self._driver, self._stranger = _driver(cloud, version), _driver(other_cloud, version)
        self._name = f"libcloud-{version}"

    def live(self) -> None:
        """Live through it all; whatever is not as it should be ends in an exception."""
        driver = self._driver
        self._keep_keys()
        node = driver.create_node(
            name=self._name,
            size=self._size("m1.tiny"),
            image=self._image(),
            ex_keyname=self._name,
            ex_userdata=_USER_DATA,
            ex_metadata={"role": "web"},
        )
        self._wait(node, "active")
        assert (node.name, node.extra["key_name"], node.extra["metadata"]) == (self._name, self._name, {"role": "web"})
        assert node.id in [found.id for found in driver.list_nodes()]

        self._turn_off_and_on(node)
        self._resize(node)
        driver.ex_rebuild(node, self._image(), ex_metadata={"role": "web"})
        self._wait(node, "active")
        self._note(node)
        if self._version == "2.0":
            self._see_what_2_adds()
        else:
            self._keep_an_address(node)
        self._be_refused()

        assert driver.destroy_node(node)
        self._wait_until_gone(driver, node)
        driver.delete_key_pair(driver.get_key_pair(self._name))

    def _keep_keys(self) -> None:
        driver = self._driver
        made = driver.create_key_pair(f"{self._name}-made")
        assert made.private_key
        imported = driver.import_key_pair_from_string(self._name, made.public_key)
        assert imported.fingerprint == made.fingerprint
        assert {made.name, imported.name} <= {key.name for key in driver.list_key_pairs()}
        driver.delete_key_pair(made)
        refused(KeyPairDoesNotExistError, lambda: driver.get_key_pair(made.name))

    def _turn_off_and_on(self, node: Node) -> None:
        driver = self._driver
        assert driver.stop_node(node)
        self._wait(node, "stopped")
        assert refused(BaseHTTPError, lambda: driver.ex_confirm_resize(node)).code == 409
        assert driver.start_node(node)
        self._wait(node, "active")
        assert driver.ex_soft_reboot_node(node)
        self._wait(node, "active")
        assert driver.reboot_node(node)
        self._wait(node, "active")

    def _resize(self, node: Node) -> None:
        driver, small = self._driver, self._size("m1.small")
        assert driver.ex_resize(node, small)
        self._wait(node, "resized")
        assert driver.ex_revert_resize(node)
        self._wait(node, "active")
        assert driver.ex_get_node_details(node.id).extra["flavorId"] != small.id
        assert driver.ex_resize(node, small)
        self._wait(node, "resized")
        assert driver.ex_confirm_resize(node)
        self._wait(node, "active")
        assert driver.ex_get_node_details(node.id).extra["flavorId"] == small.id

    def _note(self, node: Node) -> None:
        driver = self._driver
        assert driver.ex_set_metadata(node, {"tier": "front"}) == driver.ex_get_metadata(node) == {"tier": "front"}
        assert driver.ex_set_server_name(node, f"{self._name}-renamed").name == f"{self._name}-renamed"

    def _keep_an_address(self, node: Node) -> None:
        driver = self._driver
        (pool, *_) = driver.ex_list_floating_ip_pools()
        made = pool.create_floating_ip()
        assert driver.ex_attach_floating_ip_to_node(node, made)
        self._wait(node, "active")
        having = driver.ex_get_node_details(node.id)
        assert made.ip_address in [*having.public_ips, *having.private_ips]
        assert driver.ex_get_floating_ip(made.ip_address).node_id == node.id
        assert driver.ex_detach_floating_ip_from_node(node, made)
        self._wait(node, "active")
        assert driver.ex_get_floating_ip(made.ip_address).node_id is None
        assert driver.ex_delete_floating_ip(made)
        assert made.ip_address not in [each.ip_address for each in driver.ex_list_floating_ips()]

    def _see_what_2_adds(self) -> None:
        driver = self._driver
        group = driver.ex_add_server_group(self._name, "anti-affinity")
        size, hints = self._size("m1.tiny"), {"group": group.id}
        node = driver.create_node(name="apart", size=size, image=self._image(), ex_os_scheduler_hints=hints)
        assert driver.ex_get_server_group(group.id).members == [node.id]
        driver.destroy_node(node)
        self._wait_until_gone(driver, node)
        assert driver.ex_del_server_group(group)
        quota = driver.ex_get_quota_set(node.extra["tenantId"])
        assert quota.instances.limit >= quota.instances.in_use > 0

    def _be_refused(self) -> None:
        driver, image, tiny = self._driver, self._image(), self._size("m1.tiny")
        none = NodeSize("m9.none", "m9.none", 1, 1, 1, 1, driver)
        assert _code(lambda: driver.create_node(name=self._name, size=none, image=image)) == 400
        nothing = NodeImage("none", "none", driver)
        assert _code(lambda: driver.create_node(name=self._name, size=tiny, image=nothing)) == 400
        too_much = {f"key{number}": "value" for number in range(129)}
        assert _code(lambda: driver.create_node(name=self._name, size=tiny, image=image, ex_metadata=too_much)) == 403
        assert _code(lambda: driver.list_nodes(ex_all_tenants=True)) == 403

        theirs = self._stranger.create_node(name=self._name, size=tiny, image=image)
        assert driver.ex_get_node_details(theirs.id) is None
        assert _code(lambda: driver.destroy_node(theirs)) == 404
        self._stranger.destroy_node(theirs)
        self._wait_until_gone(self._stranger, theirs)

    def _size(self, name: str) -> NodeSize:
        return next(size for size in self._driver.list_sizes() if size.name == name)

    def _image(self) -> NodeImage:
        found = next(image for image in self._driver.list_images() if image.name == "debian-12")
        return self._driver.get_image(found.id)

    def _wait(self, node: Node, status: str) -> None:
        def reached() -> bool:
            found = self._driver.ex_get_node_details(node.id).extra
            assert found["vm_state"] != "error", found["fault"]
            return found["vm_state"] == status and found["task_state"] is None

        eventually(reached, f"{node.name} is {status}")

    def _wait_until_gone(self, driver: NodeDriver, node: Node) -> None:
        eventually(lambda: driver.ex_get_node_details(node.id) is None, f"{node.name} is gone")


def _driver(cloud: str, version: str) -> NodeDriver:
    login = OpenStackConfig().get_one(cloud).auth
    identity = urlsplit(login["auth_url"])
    return get_driver(Provider.OPENSTACK)(
        login["username"],
        login["password"],
        api_version=version,
        # it asks for /v3/auth/tokens there, and takes no other base
        ex_force_auth_url=f"{identity.scheme}://{identity.netloc}",
        ex_force_auth_version="3.x_password",
        ex_tenant_name=login["project_name"],
    )


def _code(call: Callable[[], object]) -> int:
    return refused(BaseHTTPError, call).code


if __name__ == "__main__":
    Life(*sys.argv[1:]).live()
