"""`make lab`: the whole cloud in the foreground until Ctrl-C or SIGTERM, then gone without a trace."""

import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from lab import cloud, handles, process

FOLDER = Path("var/lab")
DEFAULT_PORT = 8774


def main() -> int:
    """Run the lab; LAB_NODES, LAB_GANETI and SYROS_API_PORT shape it."""
    if reason := cloud.unavailable():
        print(f"lab: {reason}", file=sys.stderr)
        return 1
    # a shell that starts it in the background has it ignore Ctrl-C's signal
    signal.signal(signal.SIGINT, signal.default_int_handler)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    try:
        nodes, port = _number(os.environ, "LAB_NODES", 1), _number(os.environ, "SYROS_API_PORT", DEFAULT_PORT)
        lab = cloud.LabCloud(nodes=nodes, version=os.environ.get("LAB_GANETI", ""), port=port)
    except process.LabError as err:
        print(f"lab: {err}", file=sys.stderr)
        return 1
    try:
        lab.start(_say)
        handles.write(FOLDER, lab)
        _say(_welcome(lab))
        while not stop.wait(1):
            for name, status in lab.programs.restart_ended().items():
                _say(f"{name} ended with {status} and was started again; its log is in {lab.logs}")
    except KeyboardInterrupt:
        pass
    except process.LabError as err:
        print("\n".join([f"lab: {err}", *getattr(err, "__notes__", [])]), file=sys.stderr)
        return 1
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave half of it
        _say("taking the lab down ...")
        lab.stop()
        handles.remove(FOLDER)
    _say("gone")
    return 0


def _number(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name, "")
    if text and not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise process.LabError(f"{name} is {text!r}; a number from 1 is expected")
    return int(text or default)


def _welcome(lab: cloud.LabCloud) -> str:
    return f"""
Syros is ready: {lab.api_url}   (API documentation: {lab.api_url}/docs)

  logins   demo   {lab.demo.password}   a tenant, project demo
           admin  {lab.admin.password}   the operator, project admin
  logs     {lab.logs}

Try, in another terminal (pip install python-openstackclient):

  export OS_CLIENT_CONFIG_FILE={FOLDER.absolute()}/{handles.CLOUDS}
  openstack --os-cloud syros server create --flavor m1.tiny --image debian-12 --wait web1
  {FOLDER}/node1 gnt-instance list          # any command on a node, as root; none: a shell
  {Path(sys.prefix) / "bin/syros-manage"} --config {FOLDER}/{handles.CONFIG} status

Ctrl-C takes it all down."""


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
