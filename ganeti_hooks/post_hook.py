#!/usr/bin/python3 -ISE
"""The one hook, installed under the name `syros` in each <path>-post.d: it leaves a file for eventd, and is gone.

Ganeti waits for it, holding the instance's locks, so it talks to nobody, resolves no name, and always exits 0.
It runs as a file of its own on a node: standard library only, and as little of that as will do.
"""

import json
import os
import socket
import sys
import time
from collections.abc import Mapping

SPOOL = "/var/spool/syros/hooks"
#: this node's name as Ganeti knows it; empty for the host's name
NODE = ""
#: without this there is no Syros on the node any more: its package was removed, and this file, as configuration, stayed
BESIDE = ""
#: with eventd not running for days, the disk is not to fill up
LIMIT = 10_000

_FACTS = frozenset(
    {
        "OP_CODE",
        "OP_TARGET",
        "OBJECT_TYPE",
        "HOOKS_PATH",
        "CLUSTER",
        "INSTANCE_NAME",
        "INSTANCE_NEW_NAME",
        "INSTANCE_PRIMARY",
        "INSTANCE_SECONDARIES",
        "INSTANCE_STATUS",
        "NETWORK_NAME",
        "GROUP_NAME",
        "GROUP_NETWORK_MODE",
        "GROUP_NETWORK_LINK",
        "GROUP_NETWORK_VLAN",
    }
)


def main() -> int:
    """Write the file if this node is the master; say on standard error and in syslog why not, otherwise."""
    try:
        if BESIDE and not os.path.exists(BESIDE):  # noqa: PTH110  # pathlib costs more than all the rest
            return 0
        if runs_on_master(os.environ.get("GANETI_MASTER", ""), NODE or socket.gethostname()):
            write(SPOOL, document(os.environ, time.time_ns()))
    except Exception as err:  # nothing here may fail an operation of Ganeti's
        complain(f"syros hook: {type(err).__name__}: {err}")
    return 0


def runs_on_master(master: str, hostname: str) -> bool:
    """Tell whether we are on the master: the other nodes run the same hook for the same operation.

    A host may know only its short name; asking a resolver for the rest could take seconds.
    """
    return hostname == master or ("." not in hostname and hostname == master.partition(".")[0])


def document(environ: Mapping[str, str], now_ns: int) -> dict[str, object]:
    """Give the file's content: when, and those of Ganeti's variables that are facts. No parameters of any kind."""
    env: dict[str, str] = {}
    for variable, value in environ.items():
        if not variable.startswith("GANETI_"):
            continue
        name = variable[len("GANETI_") :]
        fact = name[len("POST_") :] if name.startswith("POST_") else name
        if fact in _FACTS or fact.startswith("INSTANCE_NIC"):
            env[name] = value.encode("utf-8", "replace").decode("utf-8")
    seconds, nanos = divmod(now_ns, 1_000_000_000)
    at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{nanos // 1000:06d}+00:00"
    return {"v": 1, "at": at, "env": env}


def write(spool: str, content: dict[str, object]) -> None:
    """Add a file to the spool, whole or not at all; raises OSError."""
    if sum(1 for _entry in os.scandir(spool)) >= LIMIT:
        raise OSError(f"{spool} holds {LIMIT} files already; is eventd running?")
    name = f"{time.time_ns():020d}-{os.getpid()}"
    temporary = os.path.join(spool, f".{name}")  # noqa: PTH118  # pathlib costs more than all the rest
    body = json.dumps(content).encode("ascii")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    try:
        # a file of this size is written whole or not at all
        if os.write(descriptor, body) != len(body):
            raise OSError("short write")
        os.rename(temporary, os.path.join(spool, name))  # noqa: PTH104, PTH118
    except OSError:
        os.unlink(temporary)  # noqa: PTH108
        raise
    finally:
        os.close(descriptor)


def complain(text: str) -> None:
    """Say what went wrong where an operator looks; a silent syslog is no reason to fail."""
    try:
        print(text, file=sys.stderr)  # noqa: T201
        import syslog  # noqa: PLC0415  # needed only when something is wrong

        syslog.openlog("syros-hook")
        syslog.syslog(syslog.LOG_WARNING, text)
    except Exception:  # noqa: S110  # there is nobody left to tell
        pass


if __name__ == "__main__":
    # skips the interpreter's clean-up
    status = main()
    sys.stderr.flush()
    os._exit(status)
