"""A second sandbox is told what is taken, before it touches the first."""

import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from sandbox import __main__ as program
from sandbox import claims


def test_a_folder_has_one_sandbox_and_is_free_again_after_it(tmp_path: Path) -> None:
    with claims.folder(tmp_path), pytest.raises(claims.ClaimError, match="another sandbox is running"):
        with claims.folder(tmp_path):
            pass
    with claims.folder(tmp_path):
        pass


def test_a_taken_port_is_told_with_the_way_out(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        number = other.getsockname()[1]

        with pytest.raises(claims.ClaimError, match=f"127.0.0.1:{number}: Address already in use; SYROS_API_PORT"):
            claims.port("127.0.0.1", number)


def test_a_port_that_there_is_not_is_told_with_the_way_out() -> None:
    with pytest.raises(
        claims.ClaimError, match="99999 is no port, which is 65535 at most; SYROS_API_PORT chooses another"
    ):
        claims.port("127.0.0.1", 99999)


def test_a_second_sandbox_leaves_the_first_ones_folder_as_it_is(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, claims.folder(tmp_path):
        environ = {"SYROS_API_PORT": str(other.getsockname()[1]), "SYROS_SANDBOX_STATE_DIR": str(tmp_path)}

        result = CliRunner().invoke(program.main, env=environ)

    assert result.exit_code == 1
    assert "another sandbox is running" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]
