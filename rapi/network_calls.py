"""Calls about Ganeti's networks. Each change becomes a job, whose id is returned."""

from collections.abc import Sequence
from typing import Any  # request bodies are JSON

from rapi import calls, specs

_EXPLICIT = {"conflicts_check": False}


class NetworkCalls(calls.Calls):
    def get_networks(self, *, bulk: bool = True) -> list[calls.Json]:
        """All networks; without `bulk`, their names and URIs alone."""
        networks: list[calls.Json] = self._get("networks", query=calls.bulk(bulk))
        return networks

    def get_network(self, name: str) -> calls.Json:
        network: calls.Json = self._get("networks", name)
        return network

    def create_network(
        self,
        name: str,
        *,
        network: str,
        reason: str | None,
        gateway: str | None = None,
        network6: str | None = None,
        gateway6: str | None = None,
        mac_prefix: str | None = None,
        add_reserved_ips: Sequence[str] = (),
        tags: Sequence[str] = (),
    ) -> int:
        """`network` is the IPv4 subnet, as in 10.0.0.0/24."""
        body = {"network_name": name, "network": network} | specs.present(
            gateway=gateway,
            network6=network6,
            gateway6=gateway6,
            mac_prefix=mac_prefix,
            add_reserved_ips=list(add_reserved_ips) or None,
            tags=list(tags) or None,
        )
        return self._submit("POST", "networks", reason=reason, body=body | _EXPLICIT)

    def connect_network(
        self,
        name: str,
        group: str,
        *,
        mode: str,
        link: str,
        reason: str | None,
        vlan: str = "",
        depends: specs.Depends = (),
    ) -> int:
        body = {"group_name": group, "network_mode": mode, "network_link": link, "network_vlan": vlan} | specs.present(
            depends=specs.depends_body(depends)
        )
        return self._submit("PUT", "networks", name, "connect", reason=reason, body=body | _EXPLICIT)

    def disconnect_network(self, name: str, group: str, *, reason: str | None) -> int:
        return self._submit("PUT", "networks", name, "disconnect", reason=reason, body={"group_name": group})

    def modify_network(self, name: str, *, reason: str | None, **changes: Any) -> int:
        """`changes` as OP_NETWORK_SET_PARAMS has them: add_reserved_ips, remove_reserved_ips, gateway, mac_prefix."""
        return self._submit("PUT", "networks", name, "modify", reason=reason, body=changes)

    def delete_network(self, name: str, *, reason: str | None) -> int:
        """The network must be disconnected from every group."""
        return self._submit("DELETE", "networks", name, reason=reason)

    def get_network_tags(self, name: str) -> list[str]:
        tags: list[str] = self._get("networks", name, "tags")
        return tags

    def add_network_tags(self, name: str, tags: Sequence[str], *, reason: str | None) -> int:
        return self._submit("PUT", "networks", name, "tags", reason=reason, query=calls.tags_query(tags))

    def delete_network_tags(self, name: str, tags: Sequence[str], *, reason: str | None) -> int:
        return self._submit("DELETE", "networks", name, "tags", reason=reason, query=calls.tags_query(tags))
