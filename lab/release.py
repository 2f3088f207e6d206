"""Which Ganeti a node runs: the host's own, or Debian's backport of the next, installed in that node alone."""

import subprocess

from lab import node, process

#: hypervisor parameters that a release needs beyond the lab's usual ones
KVM: dict[str, dict[str, str]] = {
    "3.0": {},
    "3.1": {"vhost_net": "false"},  # on by default there, and absent from many kernels
}
SOURCE = "/etc/apt/sources.list.d/lab-backports.sources"
FORBID_STARTS = "printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d"


def of_host() -> str:
    """The release that is installed on this machine, like "3.0"."""
    version = process.run(["dpkg-query", "-W", "-f", "${Version}", "ganeti"])
    return ".".join(version.split("~")[0].split(".")[:2])


def install(machine: node.Node, release: str) -> None:
    """Put another release into a node's own copy of the system; LabError if apt cannot get it."""
    if release not in KVM:
        raise process.LabError(f"Ganeti {release} is not known to the lab, which knows {', '.join(KVM)}")
    uri, suite = _backports()
    stanza = f"Types: deb\nURIs: {uri}\nSuites: {suite}\nComponents: main\n"
    stanza += "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
    machine.run(["sh", "-c", f"cat > {SOURCE}; {FORBID_STARTS}"], stdin=stanza)
    only = ["-o", f"Dir::Etc::sourcelist={SOURCE}", "-o", "Dir::Etc::sourceparts=-", "-o", "APT::Get::List-Cleanup=0"]
    failed = machine.run(["apt-get", "update", "-q", *only], host_network=True, check=False)
    # apt-get update succeeds with a warning when a source cannot be reached; what counts is what it then knows.
    candidate = machine.run(["apt-cache", "policy", "-q", "ganeti"], check=False).stdout
    if f" {release}." not in candidate:
        detail = failed.stderr.strip() or candidate
        raise process.LabError(f"apt has no Ganeti {release} in {suite} of {uri}: {detail}")
    command = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-q", "-y", "--no-install-recommends"]
    command += ["-o", "Dpkg::Options::=--force-confold", "-t", suite, "ganeti"]
    machine.run(command, host_network=True, timeout=600)


def _backports() -> tuple[str, str]:
    # The mirror that this machine itself uses for Debian, and the backports suite of the release it runs.
    release_file = process.run(["sh", "-c", '. /etc/os-release; echo "$VERSION_CODENAME"']).strip()
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME)", "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=False,
    )
    for line in listed.stdout.splitlines():
        uri, _, codename = line.rpartition(" ")
        if codename == release_file:
            return uri, f"{release_file}-backports"
    raise process.LabError(f"apt has no source for {release_file}, so there are no backports to get Ganeti from")
