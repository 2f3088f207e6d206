"""Guests that boot a kernel of the node's, rather than what is on their disks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import psycopg2

from lab import cloud as lab_cloud
from lab import ganeti, initrd
from tests.conftest import missing

_NAME = "initrd.img"


def use(cloud: lab_cloud.LabCloud, write_initrd: Callable[[Path], None]) -> None:
    """Have every server that is created or started from here on boot this machine's cloud kernel with that initrd."""
    if reason := initrd.unavailable():
        missing(reason)
    write_initrd(cloud.cluster.images / _NAME)
    hvparams = {"kernel_path": str(initrd.kernel()), "initrd_path": f"{ganeti.IMAGES}/{_NAME}"}
    connection = psycopg2.connect(cloud.postgres.url("syros").replace("+psycopg2", ""))
    with connection, connection.cursor() as cursor:
        cursor.execute("UPDATE backends SET hvparams = %s", (json.dumps(hvparams),))
    connection.close()
