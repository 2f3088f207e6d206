"""Bodies that make or change a flavor: JSON in, what cloud/ takes out."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from apiserver.validation import Body, check_text, printable
from cloud.flavors import FlavorSpec
from common import names
from common.errors import Invalid

OPEN, CLOSE = "addTenantAccess", "removeTenantAccess"

_ID = re.compile(r"(?! )[a-zA-Z0-9. _-]{1,64}(?<! )")
_KEY = re.compile(r"[a-zA-Z0-9_:. -]{1,255}")
#: well within what a database's float holds
_MOST_FACTOR = 1e300


def creation(body: Body) -> FlavorSpec:
    """Read the body of a create; raises Invalid."""
    flavor = body.nested("flavor")
    if flavor.maybe_integer("OS-FLV-EXT-DATA:ephemeral"):
        raise Invalid("flavor.OS-FLV-EXT-DATA:ephemeral: servers have one disk; only 0 is possible")
    return FlavorSpec(
        id=_id(flavor.raw("id")),
        name=_name(flavor),
        vcpus=flavor.integer("vcpus", least=1),
        ram=flavor.integer("ram", least=1),
        disk=flavor.integer("disk"),
        public=flavor.boolean("os-flavor-access:is_public", default=True),
        swap=0 if flavor.raw("swap") == "" else flavor.maybe_integer("swap") or 0,
        rxtx_factor=_factor(flavor.raw("rxtx_factor")),
    )


def access(body: Body) -> tuple[str, str]:
    """Read an action on a flavor's access: which of the two, and the project's id; raises Invalid."""
    if len(body.keys()) != 1 or body.keys()[0] not in (OPEN, CLOSE):
        raise Invalid(f"the body has one member, {OPEN} or {CLOSE}")
    action = body.keys()[0]
    return action, body.nested(action).text("tenant", shortest=1, longest=64)


def extra_specs(body: Body) -> dict[str, str]:
    """Read extra specs; raises Invalid."""
    specs = body.nested("extra_specs")
    keys = specs.keys()
    return _specs({key: specs.raw(key) for key in keys})


def extra_spec(body: Body, key: str) -> dict[str, str]:
    """Read the one extra spec that the path names; raises Invalid."""
    if body.keys() != [key]:
        raise Invalid("the body has one member, the key in the path")
    return _specs({key: body.raw(key)})


def _specs(items: Mapping[str, object]) -> dict[str, str]:
    found = {}
    for key, value in items.items():
        if not _KEY.fullmatch(key):
            raise Invalid(f"extra_specs: {printable(key)!r} is not up to 255 letters, digits and - _ : . or space")
        number = isinstance(value, int | float) and not isinstance(value, bool)
        found[key] = check_text(str(value) if number else value, f"extra_specs.{key}")
    return found


def _id(value: object) -> str:
    if value is None or value == "auto":
        return names.new_id()
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not _ID.fullmatch(text):
        raise Invalid("flavor.id: up to 64 letters, digits and . - _ or inner spaces are expected")
    return text


def _name(flavor: Body) -> str:
    name = flavor.text("name", shortest=1).strip()
    if not name:
        raise Invalid("flavor.name: blank")
    return name


def _factor(value: object) -> float:
    if value is None:
        return 1.0
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if not 0 < number < _MOST_FACTOR:
        raise Invalid("flavor.rxtx_factor: a number above 0 is expected")
    return number
