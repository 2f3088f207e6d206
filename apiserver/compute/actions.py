"""What is done to a server: one path, and the name of the action as the body's only member."""

from __future__ import annotations

from collections.abc import Callable

import flask
from werkzeug import exceptions

from apiserver import answers, docs, idempotency
from apiserver.compute import interface_bodies, models, remote_consoles, server_bodies, server_views
from apiserver.compute.resource import Resource
from apiserver.validation import Body, printable
from cloud import (
    consoles,
    floating_ips,
    instances,
    interfaces,
    migrations,
    rebuilds,
    rescues,
    resizes,
    snapshots,
    soft_deletes,
)
from cloud.states import Action as Wanted
from common.errors import Invalid
from db.instances import State

#: OpenStack's spellings, and those of the Cyclades
_SERVED: dict[str, Wanted] = {
    "os-start": Wanted.START,
    "start": Wanted.START,
    "os-stop": Wanted.STOP,
    "stop": Wanted.STOP,
    "shutdown": Wanted.STOP,
}
_REBOOTS: dict[str, Wanted] = {"SOFT": Wanted.REBOOT, "HARD": Wanted.REBOOT_HARD}

_NO_PAUSE = "Ganeti can't pause a guest"
_NO_SUSPEND = "Ganeti can't save a guest's memory"
_NO_SHELF = "a shelved server would keep its disk and its place in Ganeti: stop it instead"
_NO_AGENT = "nothing in the guest listens for it; give a password, a key or user data when it is made"

#: actions of the Compute API that are refused, and why
_REFUSED: dict[str, str] = {
    "pause": _NO_PAUSE,
    "unpause": _NO_PAUSE,
    "suspend": _NO_SUSPEND,
    "resume": _NO_SUSPEND,
    "shelve": _NO_SHELF,
    "shelveOffload": _NO_SHELF,
    "unshelve": _NO_SHELF,
    "changePassword": _NO_AGENT,
    "injectNetworkInfo": _NO_AGENT,
    "resetNetwork": _NO_AGENT,
    "trigger_crash_dump": "Ganeti can't interrupt a guest",
}


class ServerAction(Resource):
    """Whatever is done to a server."""

    @docs.operation(body=models.ACTION, status=202, faults=models.ACTION_FAULTS)
    def post(self, server_id: str) -> flask.Response:
        """Begin an action; the server's status tells when it is done."""
        caller, body = self.caller, self.body()
        name = _name(body)
        special = _SPECIAL.get(name)
        if special is not None or name in _REFUSED:
            instances.get(self.cloud, caller, server_id)  # a server that is not there is told first
        if special is not None:
            return special(self, server_id, body)
        if name in _REFUSED:
            raise exceptions.NotImplemented(f"{name}: {_REFUSED[name]}")
        instances.act(self.cloud, caller, server_id, _wanted(name, body))
        return answers.empty(202)


def _resize(asked: ServerAction, server_id: str, body: Body) -> flask.Response:
    flavor = server_bodies.flavor_of_resize(body.nested("resize"))
    resizes.begin(asked.cloud, asked.caller, server_id, flavor)
    return answers.empty(202)


def _confirm_resize(asked: ServerAction, server_id: str, _body: Body) -> flask.Response:
    resizes.confirm(asked.cloud, asked.caller, server_id)
    return answers.empty(204)


def _revert_resize(asked: ServerAction, server_id: str, _body: Body) -> flask.Response:
    resizes.revert(asked.cloud, asked.caller, server_id)
    return answers.empty(202)


def _rebuild(asked: ServerAction, server_id: str, body: Body) -> flask.Response:
    wanted, password = server_bodies.rebuild(body.nested("rebuild"))
    rebuilt = rebuilds.begin(asked.cloud, asked.caller, server_id, wanted)
    shown = asked.addresses_of(server_id)
    document = server_views.rebuilt(rebuilt, asked.links, shown, image_id=wanted.image_id)
    headers = {"Location": asked.links.own("servers", server_id)}
    return answers.json({"server": {**document, "adminPass": password}}, 202, headers)


def _create_image(asked: ServerAction, server_id: str, body: Body) -> flask.Response:
    wanted = server_bodies.snapshot(body.nested("createImage"))
    image = snapshots.begin(asked.cloud, asked.caller, server_id, wanted)
    return answers.empty(202, {"Location": asked.links.own("images", image.id)})


def _create_backup(asked: ServerAction, server_id: str, body: Body) -> flask.Response:
    wanted = server_bodies.backup(body.nested("createBackup"))
    image = snapshots.begin(asked.cloud, asked.caller, server_id, wanted)
    return answers.empty(202, {"Location": asked.links.own("images", image.id)})


def _lock(asked: ServerAction, server_id: str, _body: Body) -> flask.Response:
    instances.set_locked(asked.cloud, asked.caller, server_id, locked=True)
    return answers.empty(202)


def _unlock(asked: ServerAction, server_id: str, _body: Body) -> flask.Response:
    instances.set_locked(asked.cloud, asked.caller, server_id, locked=False)
    return answers.empty(202)


def _force_delete(asked: ServerAction, server_id: str, _body: Body) -> flask.Response:
    instances.delete(asked.cloud, asked.caller, server_id)
    return answers.empty(202)


def _migrate_live(asked: ServerAction, server_id: str, body: Body) -> flask.Response:
    wanted = body.nested("os-migrateLive")
    if wanted.raw("block_migration") not in (None, False, "False", "auto"):
        raise Invalid("os-migrateLive.block_migration: disks stay where they are; only false or auto is possible")
    return _move(asked, server_id, Wanted.LIVE_MIGRATE, wanted)


def _migrate(asked: ServerAction, server_id: str, body: Body) -> flask.Response:
    return _move(asked, server_id, Wanted.MIGRATE, body.maybe_nested("migrate"))


def _evacuate(asked: ServerAction, server_id: str, body: Body) -> flask.Response:
    wanted = body.nested("evacuate")
    if wanted.has("adminPass"):
        raise Invalid("evacuate.adminPass: a server keeps its disk, and the password on it")
    _move(asked, server_id, Wanted.EVACUATE, wanted)
    return answers.json({"adminPass": ""})


def _move(asked: ServerAction, server_id: str, action: Wanted, wanted: Body | None) -> flask.Response:
    target = wanted.maybe_text("host", shortest=1) if wanted is not None else None
    migrations.begin(asked.cloud, asked.caller, server_id, action=action, target=target)
    return answers.empty(202)


def _restore(asked: ServerAction, server_id: str, _body: Body) -> flask.Response:
    soft_deletes.restore(asked.cloud, asked.caller, server_id)
    return answers.empty(202)


def _rescue(asked: ServerAction, server_id: str, body: Body) -> flask.Response:
    password = server_bodies.password_of_rescue(body.maybe_nested("rescue"))
    rescues.begin(asked.cloud, asked.caller, server_id)
    return answers.json({"adminPass": password})


def _unrescue(asked: ServerAction, server_id: str, _body: Body) -> flask.Response:
    rescues.end(asked.cloud, asked.caller, server_id)
    return answers.empty(202)


def _add_fixed_ip(asked: ServerAction, server_id: str, body: Body) -> flask.Response:
    wanted = interface_bodies.network_of_fixed_ip(body.nested("addFixedIp"))
    interfaces.attach(asked.cloud, asked.caller, server_id, wanted)
    return answers.empty(202)


def _remove_fixed_ip(asked: ServerAction, server_id: str, body: Body) -> flask.Response:
    address = interface_bodies.address(body.nested("removeFixedIp"))
    interfaces.detach_address(asked.cloud, asked.caller, server_id, address)
    return answers.empty(202)


def _add_floating_ip(asked: ServerAction, server_id: str, body: Body) -> flask.Response:
    address, fixed = interface_bodies.floating_ip(body.nested("addFloatingIp"))
    floating_ips.add_to_server(asked.cloud, asked.caller, server_id, address, fixed)
    return answers.empty(202)


def _remove_floating_ip(asked: ServerAction, server_id: str, body: Body) -> flask.Response:
    address = interface_bodies.address(body.nested("removeFloatingIp"))
    floating_ips.remove_from_server(asked.cloud, asked.caller, server_id, address)
    return answers.empty(202)


def _add_security_group(asked: ServerAction, server_id: str, body: Body) -> flask.Response:
    group = server_bodies.group_of_action(body.nested("addSecurityGroup"))
    interfaces.change_group(asked.cloud, asked.caller, server_id, group, joins=True)
    return answers.empty(202)


def _remove_security_group(asked: ServerAction, server_id: str, body: Body) -> flask.Response:
    group = server_bodies.group_of_action(body.nested("removeSecurityGroup"))
    interfaces.change_group(asked.cloud, asked.caller, server_id, group, joins=False)
    return answers.empty(202)


def _reset_state(asked: ServerAction, server_id: str, body: Body) -> flask.Response:
    wanted = body.nested("os-resetState").text("state", longest=16)
    if wanted not in _RESETS:
        raise Invalid(f"os-resetState.state: {' or '.join(_RESETS)} is expected")
    instances.reset_state(asked.cloud, asked.caller, server_id, _RESETS[wanted])
    return answers.empty(202)


def _console_output(asked: ServerAction, server_id: str, body: Body) -> flask.Response:
    if flask.request.headers.get(idempotency.HEADER) is not None:
        raise Invalid(f"{idempotency.HEADER}: reading a console changes nothing, and takes no key")
    lines = server_bodies.console_lines(body.maybe_nested("os-getConsoleOutput"))
    if asked.cloud.serial_logs is None:
        raise exceptions.NotImplemented("os-getConsoleOutput: nobody keeps what guests print here ([console] token)")
    found = consoles.output(asked.cloud, asked.caller, asked.cloud.serial_logs, server_id, lines=lines)
    return answers.json({"output": found})


_RESETS = {"active": State.ACTIVE, "error": State.ERROR}

#: actions that are more than one step of the state machine
_SPECIAL: dict[str, Callable[[ServerAction, str, Body], flask.Response]] = {
    "resize": _resize,
    "confirmResize": _confirm_resize,
    "revertResize": _revert_resize,
    "rebuild": _rebuild,
    "createImage": _create_image,
    "createBackup": _create_backup,
    "lock": _lock,
    "unlock": _unlock,
    "os-migrateLive": _migrate_live,
    "migrate": _migrate,
    "evacuate": _evacuate,
    "forceDelete": _force_delete,
    "restore": _restore,
    "rescue": _rescue,
    "unrescue": _unrescue,
    "addFixedIp": _add_fixed_ip,
    "removeFixedIp": _remove_fixed_ip,
    "addFloatingIp": _add_floating_ip,
    "removeFloatingIp": _remove_floating_ip,
    "addSecurityGroup": _add_security_group,
    "removeSecurityGroup": _remove_security_group,
    "os-resetState": _reset_state,
    "os-getConsoleOutput": _console_output,
    "os-getVNCConsole": remote_consoles.vnc_console,
    "os-getSerialConsole": remote_consoles.serial_console,
    "console": remote_consoles.native_console,
    "os-getSPICEConsole": remote_consoles.unavailable("os-getSPICEConsole", "spice-html5"),
    "os-getRDPConsole": remote_consoles.unavailable("os-getRDPConsole", "rdp-html5"),
    "os-getMKSConsole": remote_consoles.unavailable("os-getMKSConsole", "webmks"),
}


def _name(body: Body) -> str:
    keys = body.keys()
    if len(keys) != 1:
        raise Invalid("the body has one member, the action's name")
    return keys[0]


def _wanted(name: str, body: Body) -> Wanted:
    if name == "reboot":
        kind = body.nested(name).text("type", longest=16).upper()
        if kind not in _REBOOTS:
            raise Invalid("reboot.type: SOFT or HARD is expected")
        return _REBOOTS[kind]
    if name not in _SERVED:
        raise Invalid(f"there is no action {printable(name)}")
    if body.raw(name) not in (None, ""):
        body.nested(name)  # what Cyclades' clients put in here, such as a timeout, is for Ganeti to decide
    return _SERVED[name]
