"""Calls about instances. Each change becomes a job, whose id is returned."""

from collections.abc import Mapping, Sequence
from typing import Any  # request bodies are JSON

from rapi import calls, specs

# Ganeti's defaults for these differ between versions, and the slow ones ask a resolver: always say so.
_EXPLICIT = {"name_check": False, "ip_check": False, "conflicts_check": False}


class InstanceCalls(calls.Calls):
    def get_instances(self, *, bulk: bool = True) -> list[calls.Json]:
        """All instances, with live data of their nodes; without `bulk`, their names and URIs alone."""
        instances: list[calls.Json] = self._get("instances", query=calls.bulk(bulk))
        return instances

    def get_instance(self, name: str) -> calls.Json:
        instance: calls.Json = self._get("instances", name)
        return instance

    def create_instance(self, spec: specs.InstanceSpec | Mapping[str, Any], *, reason: str | None) -> int:
        """A refusal of the cluster's own (no room, the name exists) comes as a job that ends in error."""
        wanted = spec.body() if isinstance(spec, specs.InstanceSpec) else dict(spec)
        return self._submit("POST", "instances", reason=reason, body={"__version__": 1} | _EXPLICIT | wanted)

    def delete_instance(
        self,
        name: str,
        *,
        reason: str | None,
        shutdown_timeout: int | None = None,
        ignore_failures: bool | None = None,
        depends: specs.Depends = (),
    ) -> int:
        body = specs.present(
            shutdown_timeout=shutdown_timeout, ignore_failures=ignore_failures, depends=specs.depends_body(depends)
        )
        return self._submit("DELETE", "instances", name, reason=reason, body=body)

    def startup_instance(
        self, name: str, *, reason: str | None, no_remember: bool = False, depends: specs.Depends = ()
    ) -> int:
        query = (("no_remember", 1),) if no_remember else ()
        body = specs.present(depends=specs.depends_body(depends)) or None
        return self._submit("PUT", "instances", name, "startup", reason=reason, query=query, body=body)

    def shutdown_instance(
        self,
        name: str,
        *,
        reason: str | None,
        timeout: int | None = None,
        no_remember: bool = False,
        depends: specs.Depends = (),
    ) -> int:
        """`timeout` is how many seconds the guest gets to end by itself; Ganeti's default is 120."""
        query = (("no_remember", 1),) if no_remember else ()
        body = specs.present(timeout=timeout, depends=specs.depends_body(depends))
        return self._submit("PUT", "instances", name, "shutdown", reason=reason, query=query, body=body)

    def reboot_instance(
        self,
        name: str,
        *,
        reason: str | None,
        reboot_type: str,
        shutdown_timeout: int | None = None,
        depends: specs.Depends = (),
    ) -> int:
        """`reboot_type` is soft, hard or full; on KVM soft kills the process and hard asks the guest first."""
        body = specs.present(shutdown_timeout=shutdown_timeout, depends=specs.depends_body(depends))
        return self._submit(
            "POST", "instances", name, "reboot", reason=reason, query=(("type", reboot_type),), body=body
        )

    def reinstall_instance(
        self,
        name: str,
        *,
        os: str | None = None,
        osparams: Mapping[str, str] | None = None,
        no_startup: bool = False,
    ) -> int:
        """One job of up to three ops. Ganeti takes no reason here, no private parameters and no dependencies."""
        body = {"start": not no_startup} | specs.present(
            os=os, osparams=osparams if osparams is None else dict(osparams)
        )
        return self._submit("POST", "instances", name, "reinstall", reason=None, body=body)

    def modify_instance(
        self, name: str, *, reason: str | None, hotplug: bool, depends: specs.Depends = (), **changes: Any
    ) -> int:
        """`changes` as Ganeti's OP_INSTANCE_SET_PARAMS has them: nics, disks, beparams, hvparams, osparams, offline.

        `hotplug` is required because its default changed in Ganeti 3.1, where `hotplug_if_possible` is gone.
        """
        if "hotplug_if_possible" in changes:
            raise TypeError("Ganeti 3.1 refuses hotplug_if_possible; decide for hotplug or against it")
        explicit = {"conflicts_check": False, "hotplug": hotplug}
        body = explicit | changes | specs.present(depends=specs.depends_body(depends))
        return self._submit("PUT", "instances", name, "modify", reason=reason, body=body)

    def rename_instance(self, name: str, new_name: str, *, reason: str | None) -> int:
        """The instance must be stopped."""
        body = {"new_name": new_name, "ip_check": False, "name_check": False}
        return self._submit("PUT", "instances", name, "rename", reason=reason, body=body)

    def migrate_instance(
        self,
        name: str,
        *,
        reason: str | None,
        mode: str | None = None,
        target_node: str | None = None,
        iallocator: str | None = None,
        cleanup: bool | None = None,
        allow_failover: bool | None = None,
    ) -> int:
        body = specs.present(
            mode=mode, target_node=target_node, iallocator=iallocator, cleanup=cleanup, allow_failover=allow_failover
        )
        return self._submit("PUT", "instances", name, "migrate", reason=reason, body=body)

    def failover_instance(
        self,
        name: str,
        *,
        reason: str | None,
        iallocator: str | None = None,
        target_node: str | None = None,
        ignore_consistency: bool | None = None,
        shutdown_timeout: int | None = None,
    ) -> int:
        body = specs.present(
            iallocator=iallocator,
            target_node=target_node,
            ignore_consistency=ignore_consistency,
            shutdown_timeout=shutdown_timeout,
        )
        return self._submit("PUT", "instances", name, "failover", reason=reason, body=body)

    def grow_instance_disk(
        self, name: str, disk: int, *, amount: int, reason: str | None, wait_for_sync: bool | None = None
    ) -> int:
        """`amount` is by how many MiB."""
        body = specs.present(amount=amount, wait_for_sync=wait_for_sync)
        return self._submit("POST", "instances", name, "disk", disk, "grow", reason=reason, body=body)

    def export_instance(
        self,
        name: str,
        *,
        mode: str,
        destination: str,
        reason: str | None,
        shutdown: bool | None = None,
        remove_instance: bool | None = None,
        compress: str | None = None,
    ) -> int:
        """To the node `destination`, by the mode local; Ganeti holds the locks of all nodes until it has ended."""
        body = {"destination": destination, "mode": mode}
        options = specs.present(shutdown=shutdown, remove_instance=remove_instance, compress=compress)
        return self._submit("PUT", "instances", name, "export", reason=reason, body=body | options)

    def get_instance_console(self, name: str) -> calls.Json:
        """How to reach the console; Ganeti answers 500 for VNC, whose address is in `get_instance` instead."""
        console: calls.Json = self._get("instances", name, "console")
        return console

    def get_instance_tags(self, name: str) -> list[str]:
        tags: list[str] = self._get("instances", name, "tags")
        return tags

    def add_instance_tags(self, name: str, tags: Sequence[str], *, reason: str | None) -> int:
        query = calls.tags_query(tags)
        return self._submit("PUT", "instances", name, "tags", reason=reason, query=query)

    def delete_instance_tags(self, name: str, tags: Sequence[str], *, reason: str | None) -> int:
        query = calls.tags_query(tags)
        return self._submit("DELETE", "instances", name, "tags", reason=reason, query=query)
