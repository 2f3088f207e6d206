"""Who may do what is in one table, and its page says what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloud import policy, policy_reference
from cloud.policy import Operation
from common.errors import Forbidden
from db.users import Role

ROOT = Path(__file__).parents[3]


def test_the_page_is_current() -> None:
    page = (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")
    assert page == policy_reference.render(), "run `python -m cloud.policy_reference > docs/policy.md`"


def test_every_operation_has_a_rule() -> None:
    assert set(policy.RULES) == set(Operation)


def test_every_operation_is_asked_about_somewhere() -> None:
    sources = [*ROOT.glob("cloud/*.py"), *ROOT.glob("apiserver/**/*.py")]
    text = "".join(path.read_text(encoding="utf-8") for path in sources if path.name != "policy.py")
    assert [operation.name for operation in Operation if f"Operation.{operation.name}" not in text] == []


@pytest.mark.parametrize("operation", list(Operation))
@pytest.mark.parametrize("role", list(Role))
def test_a_role_may_what_it_or_a_lesser_one_is_enough_for(operation: Operation, role: Role) -> None:
    order = [Role.READER, Role.MEMBER, Role.ADMIN]
    enough = order.index(role) >= order.index(policy.RULES[operation].least)
    assert policy.allows((role,), operation) is enough


@pytest.mark.parametrize("operation", list(Operation))
def test_without_a_role_nothing_is_allowed(operation: Operation) -> None:
    with pytest.raises(Forbidden, match=f"{operation} takes the role {policy.RULES[operation].least}"):
        policy.require_roles((), operation)
