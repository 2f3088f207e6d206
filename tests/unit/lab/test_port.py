"""The lab tells about a taken port at once, before it starts anything."""

import socket

import pytest

from lab import cloud, process


def test_a_taken_port_is_told_before_anything_starts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        lab = cloud.LabCloud(port=port)

        with pytest.raises(process.LabError, match=f"127.0.0.1:{port}: Address already in use; SYROS_API_PORT"):
            lab.start()

    assert not lab.folder.exists()
