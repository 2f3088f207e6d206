"""Calls about nodes. Each change becomes a job, whose id is returned."""

from rapi import calls, specs


class NodeCalls(calls.Calls):
    def get_nodes(self, *, bulk: bool = True) -> list[calls.Json]:
        """All nodes, with free memory and disk; without `bulk`, their names and URIs alone."""
        nodes: list[calls.Json] = self._get("nodes", query=calls.bulk(bulk))
        return nodes

    def get_node(self, name: str) -> calls.Json:
        node: calls.Json = self._get("nodes", name)
        return node

    def get_node_role(self, name: str) -> str:
        """master, master-candidate, regular, drained or offline."""
        role: str = self._get("nodes", name, "role")
        return role

    def set_node_role(
        self, name: str, role: str, *, reason: str | None, force: bool = False, auto_promote: bool | None = None
    ) -> int:
        query = ((("force", 1),) if force else ()) + (
            () if auto_promote is None else (("auto-promote", int(auto_promote)),)
        )
        return self._submit("PUT", "nodes", name, "role", reason=reason, query=query, body=role)

    def evacuate_node(
        self,
        name: str,
        *,
        reason: str | None,
        mode: str | None = None,
        iallocator: str | None = None,
        remote_node: str | None = None,
        early_release: bool | None = None,
    ) -> int:
        """`mode` is primary-only, secondary-only or all. The work is done by jobs that this job submits."""
        body = specs.present(mode=mode, iallocator=iallocator, remote_node=remote_node, early_release=early_release)
        return self._submit("POST", "nodes", name, "evacuate", reason=reason, body=body)

    def migrate_node(
        self,
        name: str,
        *,
        reason: str | None,
        mode: str | None = None,
        iallocator: str | None = None,
        target_node: str | None = None,
    ) -> int:
        """The work is done by jobs that this job submits, one for each instance."""
        body = specs.present(mode=mode, iallocator=iallocator, target_node=target_node)
        return self._submit("POST", "nodes", name, "migrate", reason=reason, body=body)
