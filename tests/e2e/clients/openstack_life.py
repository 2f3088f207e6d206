"""What a user types at the shell: `openstack` from the first key pair to the last delete.

Each command is the client's whole program in a process of its own, less the seconds that a new Python needs to load it.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from openstackclient import shell

from tests.e2e.clients.expectations import eventually


class Shell:
    """Commands on one cloud of clouds.yaml."""

    def __init__(self, cloud: str) -> None:
        self._cloud = cloud

    def run(self, *words: str) -> str:
        """Run a command that works; give what it prints."""
        status, out, err = self._run(words)
        assert status == 0, f"openstack {' '.join(words)}: {out}{err}"
        return out.strip()

    def fail(self, *words: str) -> str:
        """Run a command that is refused; give what it says."""
        status, out, err = self._run(words)
        assert status == 1, f"openstack {' '.join(words)} was not refused: {out}"
        return err.strip()

    # Any: each command has documents of its own
    def read(self, *words: str) -> Any:
        return json.loads(self.run(*words, "-f", "json"))

    def _run(self, words: tuple[str, ...]) -> tuple[int, str, str]:
        # a process for each: the client keeps its connections in its classes
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            child = os.fork()
            if child == 0:
                os.dup2(out.fileno(), 1)
                os.dup2(err.fileno(), 2)
                status = shell.main(["--os-cloud", self._cloud, *words])
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            out.seek(0)
            err.seek(0)
            return status, out.read(), err.read()


def main(cloud: str, other_cloud: str) -> None:
    """Live through it all; whatever is not as it should be ends in an exception."""
    # loads what each command's process would have to load again
    assert shell.main(["--os-cloud", cloud, "token", "issue", "-c", "expires"]) == 0
    user, stranger = Shell(cloud), Shell(other_cloud)
    with tempfile.TemporaryDirectory() as folder:
        _see_what_there_is(user)
        _keep_keys(user, Path(folder))
        _live(user, Path(folder))
        _keep_images(user, Path(folder))
    _be_refused(user, stranger)


def _see_what_there_is(user: Shell) -> None:
    assert {"m1.tiny", "m1.small"} <= {flavor["Name"] for flavor in user.read("flavor", "list")}
    assert user.read("flavor", "show", "m1.tiny")["vcpus"] == 1
    assert "debian-12" in {image["Name"] for image in user.read("image", "list", "--status", "active")}
    assert user.read("image", "show", "debian-12")["status"] == "active"
    limits = {limit["Name"]: limit["Value"] for limit in user.read("limits", "show", "--absolute")}
    quota = {item["Resource"]: item["Limit"] for item in user.read("quota", "show", "--compute")}
    assert limits["max_total_instances"] == quota["instances"] > 0
    assert user.read("availability", "zone", "list", "--compute")


def _keep_keys(user: Shell, folder: Path) -> None:
    private = folder / "key"
    user.run("keypair", "create", "--private-key", str(private), "osc-made")
    assert "PRIVATE KEY" in private.read_text()
    public = folder / "key.pub"
    public.write_text(user.run("keypair", "show", "--public-key", "osc-made"))
    user.run("keypair", "create", "--public-key", str(public), "osc")
    listed = {key["Name"]: key["Fingerprint"] for key in user.read("keypair", "list")}
    assert listed["osc"] == listed["osc-made"]
    user.run("keypair", "delete", "osc-made")
    assert "osc-made" not in {key["Name"] for key in user.read("keypair", "list")}


def _live(user: Shell, folder: Path) -> None:
    script = folder / "user-data"
    script.write_text("#!/bin/sh\necho hello\n")
    group = user.read("server", "group", "create", "--policy", "anti-affinity", "osc-apart")["id"]
    create = ["server", "create", "--flavor", "m1.tiny", "--image", "debian-12"]
    told = ["--key-name", "osc", "--user-data", str(script), "--property", "role=web", "--hint", f"group={group}"]
    user.run(*create, *told, "--wait", "osc-1")
    server = user.read("server", "show", "osc-1")
    assert (server["status"], server["key_name"], server["properties"]) == ("ACTIVE", "osc", {"role": "web"})
    assert user.read("server", "group", "show", group)["members"] == [server["id"]]

    _list(user, create)
    _turn_off_and_on(user)
    _resize(user)
    user.run("server", "rebuild", "--image", "debian-12", "--wait", "osc-1")
    _change_networks(user)
    _keep_an_address(user)
    _arrange_networks(user)
    _let_in(user, create)
    _note(user)
    _lock(user)

    events = {event["Action"] for event in user.read("server", "event", "list", "osc-1")}
    assert events >= {"create", "stop", "start", "reboot", "resize", "revertResize", "confirmResize", "rebuild"}, events
    assert events >= {"attach_interface", "detach_interface"}, events
    user.run("server", "delete", "--wait", "osc-1")
    assert "No Server found" in user.fail("server", "show", "osc-1")
    user.run("server", "group", "delete", group)
    user.run("keypair", "delete", "osc")


def _list(user: Shell, create: list[str]) -> None:
    user.run(*create, "--wait", "osc-2")
    both = ["--name", "^osc-", "--sort-column", "Name"]
    assert _names(user, *both) == ["osc-1", "osc-2"]
    assert _names(user, "--name", "^osc-", "--limit", "1") == ["osc-2"]
    newest = user.read("server", "show", "osc-2")["id"]
    assert _names(user, "--name", "^osc-", "--limit", "1", "--marker", newest) == ["osc-1"]
    alike = ["--status", "ACTIVE", "--flavor", "m1.tiny", "--image", "debian-12"]
    assert _names(user, *both, *alike) == ["osc-1", "osc-2"]
    assert _names(user, *both, "--flavor", "m1.small") == _names(user, *both, "--status", "SHUTOFF") == []
    user.run("server", "delete", "--wait", "osc-2")


def _turn_off_and_on(user: Shell) -> None:
    user.run("server", "stop", "osc-1")
    _wait(user, "SHUTOFF")
    assert _names(user, "--name", "^osc-", "--status", "SHUTOFF") == ["osc-1"]
    user.run("server", "start", "osc-1")
    _wait(user, "ACTIVE")
    user.run("server", "reboot", "--soft", "--wait", "osc-1")
    user.run("server", "reboot", "--hard", "--wait", "osc-1")
    assert "there is nothing to confirm-resize" in user.fail("server", "resize", "confirm", "osc-1")


def _resize(user: Shell) -> None:
    user.run("server", "resize", "--flavor", "m1.small", "--wait", "osc-1")
    _wait(user, "VERIFY_RESIZE")
    user.run("server", "resize", "revert", "osc-1")
    _wait(user, "ACTIVE")
    assert "m1.tiny" in _show(user, "flavor")
    user.run("server", "resize", "--flavor", "m1.small", "--wait", "osc-1")
    user.run("server", "resize", "confirm", "osc-1")
    _wait(user, "ACTIVE")
    assert "m1.small" in _show(user, "flavor")


def _change_networks(user: Shell) -> None:
    network = user.read("network", "create", "osc-back")["id"]
    user.run("subnet", "create", "--network", "osc-back", "--subnet-range", "10.9.0.0/24", "osc-back")
    user.run("server", "add", "network", "osc-1", "osc-back")
    _rest(user)
    (made,) = user.read("port", "list", "--server", "osc-1", "--network", "osc-back")
    assert _addresses(user, "osc-back") == [each["ip_address"] for each in made["Fixed IP Addresses"]]
    user.run("server", "remove", "port", "osc-1", made["ID"])
    eventually(lambda: _addresses(user, "osc-back") == [], "the port is detached")
    assert "No Port found" in user.fail("port", "show", made["ID"])

    _rest(user)
    own = user.read("port", "create", "--network", "osc-back", "osc-port")["id"]
    user.run("server", "add", "port", "osc-1", "osc-port")
    _rest(user)
    assert [port["ID"] for port in user.read("port", "list", "--server", "osc-1", "--network", network)] == [own]
    user.run("port", "delete", "osc-port")
    eventually(lambda: _addresses(user, "osc-back") == [], "the deleted port is detached")

    _rest(user)
    user.run("server", "add", "fixed", "ip", "--fixed-ip-address", "10.9.0.9", "osc-1", "osc-back")
    _rest(user)
    assert _addresses(user, "osc-back") == ["10.9.0.9"]
    user.run("server", "remove", "fixed", "ip", "osc-1", "10.9.0.9")
    eventually(lambda: _addresses(user, "osc-back") == [], "the address is gone")
    _rest(user)
    user.run("network", "delete", "osc-back")


def _keep_an_address(user: Shell) -> None:
    (pool, *_) = (network["Name"] for network in user.read("network", "list", "--external"))
    made = user.read("floating", "ip", "create", "--description", "osc", pool)
    ip = made["floating_ip_address"]
    assert ip in {each["Floating IP Address"] for each in user.read("floating", "ip", "list")}
    user.run("server", "add", "floating", "ip", "osc-1", ip)
    _rest(user)
    named = user.read("floating", "ip", "show", ip)["port_id"]
    assert named in {port["ID"] for port in user.read("port", "list", "--server", "osc-1")}
    assert ip in _addresses(user, pool)
    user.run("server", "remove", "floating", "ip", "osc-1", ip)
    eventually(lambda: user.read("floating", "ip", "show", ip)["port_id"] is None, "the address is the project's again")

    _rest(user)
    user.run("floating", "ip", "set", "--port", named, ip)
    _rest(user)
    assert user.read("floating", "ip", "show", ip)["status"] == "ACTIVE"
    user.run("floating", "ip", "unset", "--port", ip)
    eventually(lambda: user.read("floating", "ip", "show", ip)["status"] == "DOWN", "the address is detached")
    _rest(user)
    assert ip not in _addresses(user, pool)
    user.run("floating", "ip", "delete", ip)
    assert made["id"] not in {each["ID"] for each in user.read("floating", "ip", "list")}
    assert "floating IP" in user.fail("router", "create", "osc-router")


def _arrange_networks(user: Shell) -> None:
    made = user.read("network", "create", "--disable-port-security", "--mtu", "1400", "osc-open")
    assert (made["port_security_enabled"], made["mtu"]) == (False, 1400)
    create = ["subnet", "create", "--network", "osc-open", "--dns-nameserver", "192.0.2.53", "--gateway", "none"]
    user.run(*create, "--subnet-range", "10.8.0.0/24", "osc-open")
    user.run("subnet", "set", "--no-dns-nameservers", "--dns-nameserver", "192.0.2.54", "osc-open")
    pool = ["--no-allocation-pool", "--allocation-pool", "start=10.8.0.50,end=10.8.0.60"]
    user.run("subnet", "set", *pool, "osc-open")
    user.run("subnet", "set", "--gateway", "10.8.0.1", "osc-open")
    shown = user.read("subnet", "show", "osc-open")
    assert (shown["dns_nameservers"], shown["gateway_ip"]) == (["192.0.2.54"], "10.8.0.1")
    assert shown["allocation_pools"] == [{"start": "10.8.0.50", "end": "10.8.0.60"}]

    port = user.read("port", "create", "--network", "osc-open", "--no-fixed-ip", "osc-open")
    assert (port["fixed_ips"], port["port_security_enabled"], port["security_group_ids"]) == ([], False, [])
    user.run("port", "set", "--fixed-ip", "subnet=osc-open", "--enable-port-security", "osc-open")
    user.run("port", "set", "--allowed-address", "ip-address=10.8.0.200", "osc-open")
    shown = user.read("port", "show", "osc-open")
    pair = {"ip_address": "10.8.0.200", "mac_address": port["mac_address"]}
    assert (shown["allowed_address_pairs"], shown["port_security_enabled"]) == ([pair], True)
    assert [each["ip_address"] for each in shown["fixed_ips"]] == ["10.8.0.50"]
    user.run("port", "set", "--no-allowed-address", "osc-open")
    assert user.read("port", "show", "osc-open")["allowed_address_pairs"] == []
    user.run("port", "delete", "osc-open")

    assert "tags" in user.fail("network", "set", "--tag", "red", "osc-open")
    assert "403" in user.fail("network", "set", "--share", "osc-open")
    for none in (["subnet", "pool"], ["network", "trunk"], ["network", "qos", "policy"], ["router"]):
        assert user.read(*none, "list") == []
    assert "cidr" in user.fail("subnet", "pool", "create", "--pool-prefix", "10.0.0.0/8", "osc-pool")
    user.run("network", "delete", "osc-open")


def _move_an_address(user: Shell, source: str, target: str) -> None:
    """Have an address go from one server straight to another."""
    (pool, *_) = (network["Name"] for network in user.read("network", "list", "--external"))
    ports = [user.read("port", "list", "--server", server)[0]["ID"] for server in (source, target)]
    ip = user.read("floating", "ip", "create", "--port", ports[0], pool)["floating_ip_address"]
    _rest(user, source)
    assert ip in _addresses(user, pool, source)
    user.run("floating", "ip", "set", "--port", ports[1], ip)
    assert user.read("floating", "ip", "show", ip)["port_id"] == ports[1]
    eventually(lambda: user.read("floating", "ip", "show", ip)["status"] == "ACTIVE", "the address has moved")
    _rest(user, target)
    assert (ip in _addresses(user, pool, source), ip in _addresses(user, pool, target)) == (False, True)
    user.run("floating", "ip", "delete", ip)
    _rest(user, target)


def _let_in(user: Shell, create: list[str]) -> None:
    group = user.read("security", "group", "create", "--description", "Of the front", "osc-web")["id"]
    rule = ["security", "group", "rule", "create", "osc-web"]
    made = user.read(*rule, "--protocol", "tcp", "--dst-port", "80:81", "--remote-ip", "198.51.100.0/24")
    assert (made["port_range_min"], made["port_range_max"], made["remote_ip_prefix"]) == (80, 81, "198.51.100.0/24")
    user.run(*rule, "--protocol", "udp", "--remote-group", "osc-web")
    user.run(*rule, "--ethertype", "IPv6", "--protocol", "ipv6-icmp", "--icmp-type", "128", "--icmp-code", "0")
    again = user.fail(*rule, "--protocol", "6", "--dst-port", "80:81", "--remote-ip", "198.51.100.0/24")
    assert "ConflictException: 409" in again
    protocols = [each["IP Protocol"] for each in user.read("security", "group", "rule", "list", "osc-web", "--ingress")]
    assert sorted(protocols) == ["ipv6-icmp", "tcp", "udp"]
    user.run("security", "group", "rule", "delete", made["id"])
    assert "No SecurityGroupRule found" in user.fail("security", "group", "rule", "show", made["id"])
    user.run("security", "group", "set", "--name", "osc-front", "osc-web")
    known = {each["Name"] for each in user.read("security", "group", "list")}
    assert known >= {"default", "osc-front", "firewall-disabled", "firewall-enabled", "firewall-protected"}

    user.run(*create, "--security-group", "osc-front", "--wait", "osc-3")
    (port,) = user.read("port", "list", "--server", "osc-3")
    assert user.read("port", "show", port["ID"])["security_group_ids"] == [group]
    assert _groups(user, "osc-3") == ["osc-front"]
    _move_an_address(user, "osc-1", "osc-3")
    user.run("server", "add", "security", "group", "osc-3", "firewall-protected")
    assert _groups(user, "osc-3") == ["firewall-protected", "osc-front"]
    user.run("server", "remove", "security", "group", "osc-3", "osc-front")
    assert _groups(user, "osc-3") == ["firewall-protected"]
    user.run("port", "set", "--no-security-group", "--security-group", "osc-front", port["ID"])
    assert _groups(user, "osc-3") == ["osc-front"]
    assert "409" in user.fail("security", "group", "delete", "osc-front")
    user.run("port", "unset", "--security-group", "osc-front", port["ID"])
    assert _groups(user, "osc-3") == []
    assert "403" in user.fail("port", "set", "--disable-port-security", port["ID"])
    user.run("server", "delete", "--wait", "osc-3")
    user.run("security", "group", "delete", "osc-front")
    assert "No SecurityGroup found" in user.fail("security", "group", "show", "osc-front")
    assert "409" in user.fail("security", "group", "delete", "default")


def _note(user: Shell) -> None:
    user.run("server", "set", "--property", "tier=front", "osc-1")
    user.run("server", "unset", "--property", "role", "osc-1")
    assert user.read("server", "show", "osc-1")["properties"] == {"tier": "front"}
    user.run("server", "set", "--name", "osc-renamed", "osc-1")
    user.run("server", "set", "--name", "osc-1", "osc-renamed")


def _lock(user: Shell) -> None:
    user.run("server", "lock", "osc-1")
    assert "ConflictException: 409" in user.fail("server", "stop", "osc-1")
    assert "ConflictException: 409" in user.fail("server", "delete", "osc-1")
    user.run("server", "unlock", "osc-1")


def _keep_images(user: Shell, folder: Path) -> None:
    content = folder / "small.img"
    content.write_bytes(b"small" * 1000)
    made = ["image", "create", "--disk-format", "raw", "--container-format", "bare", "--property", "os_distro=none"]
    image = user.read(*made, "--file", str(content), "osc-image")["id"]
    eventually(lambda: user.read("image", "show", image)["status"] == "active", "the image is active")
    user.run("image", "set", "--property", "stage=test", image)
    assert user.read("image", "show", image)["properties"]["stage"] == "test"
    saved = folder / "saved.img"
    user.run("image", "save", "--file", str(saved), image)
    assert saved.read_bytes().rstrip(b"\0") == content.read_bytes()
    user.run("image", "delete", image)
    assert "No Image found" in user.fail("image", "show", image)


def _be_refused(user: Shell, stranger: Shell) -> None:
    create = ["server", "create", "--image", "debian-12"]
    assert "No Flavor found for m9.none" in user.fail(*create, "--flavor", "m9.none", "osc-none")
    many = ["--min", "100", "--max", "100"]
    assert "ForbiddenException: 403" in user.fail(*create, "--flavor", "m1.tiny", *many, "osc-many")
    key = ["--key-name", "osc-none"]
    assert "BadRequestException: 400" in user.fail(*create, "--flavor", "m1.tiny", *key, "osc-none")

    theirs = stranger.read(*create, "--flavor", "m1.tiny", "osc-theirs")["id"]
    assert "No Server found" in user.fail("server", "show", theirs)
    assert "1 of 1 servers failed to delete" in user.fail("server", "delete", theirs)
    stranger.run("server", "delete", "--wait", theirs)
    assert "403" in user.fail("flavor", "create", "--ram", "1", "--disk", "1", "--vcpus", "1", "osc-flavor")


def _names(user: Shell, *filters: str) -> list[str]:
    return [server["Name"] for server in user.read("server", "list", *filters)]


def _show(user: Shell, column: str) -> str:
    return user.run("server", "show", "osc-1", "-f", "value", "-c", column)


def _groups(user: Shell, server: str) -> list[str]:
    return sorted(each["name"] for each in user.read("server", "show", server).get("security_groups") or [])


def _addresses(user: Shell, network: str, server: str = "osc-1") -> list[str]:
    return list(user.read("server", "show", server)["addresses"].get(network, []))


def _rest(user: Shell, server: str = "osc-1") -> None:
    shown = "OS-EXT-STS:task_state"
    eventually(lambda: user.read("server", "show", server)[shown] is None, f"nothing is under way on {server}")


def _wait(user: Shell, status: str) -> None:
    eventually(lambda: _show(user, "status") == status, f"osc-1 is {status}")


if __name__ == "__main__":
    main(*sys.argv[1:])
