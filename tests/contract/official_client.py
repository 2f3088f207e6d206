"""Make calls with Ganeti's own client: `official_client.py HOST PORT`, the calls as JSON on standard input.

Runs under the system's Python, where Debian's python3-ganeti-rapi is; imports nothing of ours.
"""

import json
import sys

from ganeti.rapi import client  # type: ignore[import-not-found]  # lives in the system's Python


def main() -> None:
    host, port = sys.argv[1:]
    ganeti = client.GanetiRapiClient(host, port=int(port), username="snf", password="hunter2-dummy")
    for method, args, kwargs in json.load(sys.stdin):
        getattr(ganeti, method)(*args, **kwargs)


if __name__ == "__main__":
    main()
