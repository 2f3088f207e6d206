"""What seriald's unit tests have, too."""

from tests.unit.seriald.conftest import qemu, start

__all__ = ["qemu", "start"]
