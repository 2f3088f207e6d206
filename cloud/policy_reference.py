"""Writes docs/policy.md from the table: `python -m cloud.policy_reference > docs/policy.md`."""

from __future__ import annotations

import sys

from cloud import policy

_HEAD = """\
# Who may do what

Made from `cloud/policy.py` by `python -m cloud.policy_reference`; a test keeps it current.

A user has roles in projects; a token is for one project and carries the user's roles there. `admin` may all that
`member` may, and `member` all that `reader` may. An application credential has the roles that it was made with, as far
as its user still has them or a higher one.

What belongs to another project is answered as if it were not there, except for an admin.

| operation | least role | it is to … |
|---|---|---|
"""


def render() -> str:
    """Give the page."""
    return _HEAD + "".join(
        f"| `{operation}` | {rule.least} | {rule.what} |\n" for operation, rule in policy.RULES.items()
    )


if __name__ == "__main__":
    sys.stdout.write(render())
