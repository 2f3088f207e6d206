"""Several machines as an operator sets them up, a tenant's guest on their real Ganeti, and what a purge leaves."""

import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import guest, initrd, machine, network_guest, process, queue_rules, scratch
from lab.machine import Machine
from tests.conftest import missing
from tests.deb.conftest import ROOT, WITHOUT_RULES, commands
from tests.deb.site import Site

_PAGE = "install.md"
_SECTION = "Several machines"
_ROLES = {
    "cloud": ("apiserver", "dispatcher", "vncauthproxy"),
    "node1": ("eventd", "metadatad", "nfdhcpd", "seriald"),
}
_PATIENCE = 300.0
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
#: nothing but an event may tell the database how a job went
_DEAF = "[Service]\nEnvironment=SYROS_DISPATCHER_SWEEP_PATIENCE=86400 SYROS_DISPATCHER_RECONCILE_SECONDS=0\n"
#: QEMU emulates where there is no KVM, and guests boot a kernel that tells what they see
_EMULATED = "kvm_path=/usr/bin/qemu-system-x86_64,kvm_flag=disabled"
_KERNEL = "kernel_path=/srv/guest/vmlinuz,initrd_path=/srv/guest/initrd"
_ORDERS = "reach 203.0.113.1\nask /latest/meta-data/instance-type\n"
#: what no package has made: Ganeti's logs are named by its instances, the rest is the operator's
_OTHERS = ("/packages/", "/proc/", "/var/lib/systemd/", "/var/log/ganeti/")
_OPERATORS = ("/etc/postgresql/15/main/conf.d/syros.conf", "/srv/syros")
_CLOUDS = re.compile(r"^```yaml\n(clouds:.*?)^```$", re.MULTILINE | re.DOTALL)


def drop_in(where: Machine, role: str, text: str) -> None:
    folder = where.root / f"etc/systemd/system/syros-{role}.service.d"
    folder.mkdir(parents=True)
    (folder / "test.conf").write_text(text)
    where.run("systemctl", "daemon-reload")


def load_rules(site: Site) -> None:
    """Have the node's kernel hand DHCP over, as the unit would where it has nftables' `queue`."""
    entrance = ["nsenter", f"--net=/proc/{site.node.leader}/ns/net", "--"]
    command = [*entrance, sys.executable, "-m", queue_rules.__name__]
    process.run(command, env={"PATH": _PATH, "PYTHONPATH": str(ROOT)})


def settle_tenant(site: Site, password: str) -> None:
    """Give the tenant what the documentation says that one has, with an image and orders for the guest."""
    clouds = _CLOUDS.search((ROOT / "docs" / _PAGE).read_text(encoding="utf-8"))
    assert clouds is not None
    (site.tenant / "clouds.yaml").write_text(clouds[1].replace("PASSWORD", password))
    shutil.copy(site.cloud.root / "etc/syros/ca.pem", site.tenant)
    (site.tenant / "user-data").write_text(_ORDERS)
    disk = site.tenant / "disk.raw"
    guest.write_image(disk)
    process.run(["qemu-img", "convert", "-O", "qcow2", str(disk), str(site.tenant / "debian-12.qcow2")])


def client(site: Site, order: str) -> str:
    """Run a command of OpenStack's client as the tenant; give what it says."""
    return site.as_tenant(f"openstack --os-cloud demo {order}")


def status(site: Site) -> str:
    """The first server's status; nothing if there is none."""
    listed = json.loads(client(site, "server list --format json"))
    return "".join(str(each["Status"]) for each in listed if each["Name"] == "first")


def wait_status(site: Site, wanted: str) -> None:
    process.wait_until(lambda: status(site) == wanted, what=f"the server is {wanted}", timeout=_PATIENCE, every=1)


def wait_seen(site: Site, *lines: str) -> None:
    """Wait until the guest's newest view of things has these lines."""

    def seen() -> bool:
        said = client(site, "console log show --lines 40 first").replace("\r", "")
        views = re.findall(f"{network_guest.BEGIN}\n(.*?){network_guest.END}", said, re.DOTALL)
        return bool(views) and set(lines) <= set(views[-1].splitlines())

    process.wait_until(seen, what=f"the guest sees {lines}", timeout=_PATIENCE, every=1)


def in_ganeti(site: Site) -> list[str]:
    """Each instance: its status and memory, as Ganeti's own command has them."""
    command = ("gnt-instance", "list", "--no-headers", "--separator= ", "-o", "status,be/maxmem")
    return site.node.run(*command).splitlines()


def journal(where: Machine, role: str) -> str:
    return where.run("journalctl", "--no-pager", "--output=cat", f"--unit=syros-{role}")


def complaints(where: Machine, *roles: str) -> list[str]:
    """What roles have logged of errors since the machine is up, and which do not run, or did not all the time."""
    found = []
    for role in roles:
        found += [line for line in journal(where, role).splitlines() if " ERROR " in line or "Traceback" in line]
        shown = where.run("systemctl", "show", f"syros-{role}", "--property=ActiveState,NRestarts").split()
        found += [f"{role}: {fact}" for fact in shown if fact not in ("ActiveState=active", "NRestarts=0")]
    return found


@pytest.fixture(scope="module")
def site(bare: Machine, packages: list[Path]) -> Iterator[Site]:
    """The machines, with all that the documentation says done on them; its last block has made the first server."""
    if reason := machine.unavailable() or initrd.unavailable():
        missing(reason)
    if shutil.which("qemu-img") is None or not Path("/dev/net/tun").exists():
        missing("guests need qemu-img (qemu-utils) and /dev/net/tun")
    folder = scratch.folder("several")
    made = Site(folder)
    try:
        made.make(bare, packages, commands(_PAGE, "Packages"))
        for name in made.machines:
            made.boot(name)
        made.let_in()
        for section in ("Certificates", "DB", "QUEUE"):
            (block,) = commands(_PAGE, section)
            made.do(block)

        drop_in(made.cloud, "dispatcher", _DEAF)
        for block in commands(_PAGE, "APISERVER and LOGIC"):
            made.do(block)

        beginning, *carrying = commands(_PAGE, "GANETI-MASTER")
        made.do(beginning)
        own = made.node.root / "srv/guest"
        own.mkdir()
        shutil.copy(initrd.kernel(), own / "vmlinuz")
        network_guest.write_initrd(own / "initrd")
        made.node.run("gnt-cluster", "modify", "-H", f"kvm:{_EMULATED},{_KERNEL}")
        for block in carrying:
            made.do(block)

        drop_in(made.node, "nfdhcpd", WITHOUT_RULES)
        load_rules(made)
        (block,) = commands(_PAGE, "GANETI-NODE")
        made.do(block)

        filling, inviting, uploading, copying, creating = commands(_PAGE, "The cluster's first guest")
        made.do(filling)
        password = re.search(r"^password\s+(\S+)$", made.do(inviting), re.MULTILINE)
        assert password is not None
        settle_tenant(made, password[1])
        made.do(uploading)
        made.do(copying)
        made.do(creating)
        yield made
    finally:
        made.stop()
        scratch.remove(folder)


def test_every_block_of_the_documentation_is_run() -> None:
    parts = (
        "Packages", "Certificates", "DB", "QUEUE", "APISERVER and LOGIC", "GANETI-MASTER", "GANETI-NODE",
        "The cluster's first guest",
    )  # fmt: skip
    assert [block for part in parts for block in commands(_PAGE, part)] == commands(_PAGE, _SECTION)


def test_a_tenant_has_a_server_of_whose_start_events_and_hooks_have_told(site: Site) -> None:
    assert status(site) == "ACTIVE"
    assert in_ganeti(site) == ["running 512"]
    assert "tap0" in site.node.run("nft", "list", "ruleset")
    applied = [
        line for line in journal(site.cloud, "dispatcher").splitlines() if "event.handled outcome=applied" in line
    ]
    assert [line for line in applied if "opcode=OP_INSTANCE_CREATE" in line and "status=success" in line]
    assert "hook.published opcode=OP_INSTANCE_CREATE" in journal(site.node, "eventd")


def test_the_guest_has_its_address_and_its_metadata_from_its_node(site: Site) -> None:
    wait_seen(
        site,
        "lease-eth0 203.0.113.10/24 203.0.113.1 first 203.0.113.1",
        "reach 203.0.113.1 yes",
        "ask /latest/meta-data/instance-type small",
    )


def test_a_viewer_is_let_in_to_its_screen(site: Site) -> None:
    trade = (
        "import requests, sys; token = sys.argv[1].partition('token=')[2];"
        " r = requests.post('https://cloud.example/console/v1/sessions', json={'token': token}, verify='ca.pem',"
        " timeout=60); print(r.json()['session']['url'])"
    )
    url = site.as_tenant(
        "url=$(openstack --os-cloud demo console url show --format value --column url first)\n"
        f'python -c "{trade}" "$url"'
    )
    assert url.startswith("wss://cloud.example:6080/?ticket=")


def test_it_is_stopped_started_and_resized(site: Site) -> None:
    client(site, "server stop first")
    wait_status(site, "SHUTOFF")
    assert in_ganeti(site) == ["ADMIN_down 512"]
    client(site, "server start first")
    wait_status(site, "ACTIVE")
    client(site, "server resize --flavor medium --wait first")
    client(site, "server resize confirm first")
    wait_status(site, "ACTIVE")
    assert in_ganeti(site) == ["running 1024"]
    wait_seen(site, "ask /latest/meta-data/instance-type medium")


@pytest.mark.parametrize("name", list(_ROLES))
def test_no_role_said_that_anything_is_wrong(site: Site, name: str) -> None:
    assert complaints(site.machines[name], *_ROLES[name]) == []


def test_a_node_that_was_off_serves_its_guests_again(site: Site) -> None:
    site.node.stop()
    site.boot("node1")
    load_rules(site)
    # cron would come to it within five minutes
    process.wait_until(lambda: _guest_runs(site), what="Ganeti has started the guest", timeout=_PATIENCE, every=2)
    seen = len(client(site, "console log show first"))
    process.wait_until(
        lambda: len(client(site, "console log show first")) != seen, what="seriald hears it", timeout=_PATIENCE, every=1
    )
    wait_seen(site, "lease-eth0 203.0.113.10/24 203.0.113.1 first 203.0.113.1", "reach 203.0.113.1 yes")
    assert status(site) == "ACTIVE"
    assert complaints(site.node, *_ROLES["node1"]) == []


def _guest_runs(site: Site) -> bool:
    site.node.ask("ganeti-watcher")
    return in_ganeti(site) == ["running 1024"]


def test_nothing_of_a_deleted_server_is_left_on_its_node(site: Site) -> None:
    client(site, "server delete --wait first")
    assert status(site) == ""
    assert in_ganeti(site) == []
    assert site.node.ask("pgrep", "qemu-system").returncode == 1
    folders = (
        "/srv/ganeti/file-storage",
        "/var/lib/nfdhcpd",
        "/run/ganeti/kvm-hypervisor/ctrl",
        "/var/spool/syros/hooks",
    )
    process.wait_until(
        lambda: site.node.run("find", *folders, "-mindepth", "1") == "", what=f"{folders} are empty", timeout=_PATIENCE
    )
    assert "tap" not in site.node.run("ip", "-brief", "link")
    assert "tap0" not in site.node.run("nft", "list", "ruleset")


def test_a_purge_leaves_nothing(site: Site) -> None:
    """The last one: the machines are without Syros afterwards."""
    client(site, "image delete debian-12")
    # the file of a deleted image is kept for a while
    site.cloud.run("find", "/srv/syros/images", "-type", "f", "-delete")
    for place in site.machines.values():
        listed = place.run("dpkg-query", "-W", "-f", "${Package}\n", "syros-*")
        place.run("systemctl", "stop", "syros-*", timeout=180)
        place.run("apt-get", "purge", "-y", *listed.split(), timeout=300)
        found = place.run("find", "/", "-xdev", "(", "-name", "*syros*", "-o", "-name", "nfdhcpd", ")", "-print")
        left = [path for path in found.splitlines() if not path.startswith(_OTHERS) and path not in _OPERATORS]
        # the test's own
        assert [path for path in left if not path.endswith(".service.d")] == []
