"""The version to come, made of this tree: its packages have a higher version and one more migration."""

import subprocess
from pathlib import Path

from db import schema
from lab import process
from tests.deb.conftest import BUILD_TIMEOUT, ROOT

VERSION = "99.0"
REVISION = "9999"

#: what migrations may do: add tables, and columns that rows of the version before are valid without
_MIGRATION = '''"""What is only added: a table, columns that may be missing or have a default, an index."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{before}"


def upgrade() -> None:
    op.create_table("tried", sa.Column("id", sa.Integer(), primary_key=True))
    with op.batch_alter_table("instances") as table:
        table.add_column(sa.Column("later_note", sa.String(length=64), nullable=True))
        table.add_column(sa.Column("later_count", sa.Integer(), nullable=False, server_default="0"))
    op.create_index("ix_instances_later_note", "instances", ["later_note"])


def downgrade() -> None:
    op.drop_index("ix_instances_later_note", "instances")
    with op.batch_alter_table("instances") as table:
        table.drop_column("later_count")
        table.drop_column("later_note")
    op.drop_table("tried")
'''
_ENTRY = """syros ({version}) bookworm; urgency=medium

  * The version to come.

 -- Syros maintainers <maintainers@syros.example>  Sat, 28 Nov 2026 20:00:00 +0000

"""


def build(folder: Path) -> list[Path]:
    """Build its packages into a folder; give them."""
    tree = folder / "tree"
    tree.mkdir(parents=True)
    copy = 'cd "$0" && git ls-files -z | xargs -0 cp -P --parents -t "$1"'
    process.run(["sh", "-euc", copy, str(ROOT), str(tree)])
    migration = tree / f"db/migrations/versions/{REVISION}_of_the_version_to_come.py"
    migration.write_text(_MIGRATION.format(revision=REVISION, before=schema.head()))
    changelog = tree / "debian/changelog"
    changelog.write_text(_ENTRY.format(version=VERSION) + changelog.read_text())
    # what is built is what git knows
    for order in (["init", "--quiet"], ["add", "--all"]):
        subprocess.run(["git", *order], cwd=tree, check=True, timeout=60)
    built = folder / "deb"
    process.run([str(tree / "debian/build"), str(built)], timeout=BUILD_TIMEOUT)
    return sorted(built.glob("*.deb"))
