"""Keypairs: the caller's own SSH public keys."""

from __future__ import annotations

import flask

from apiserver import answers, docs, times
from apiserver.compute import models
from apiserver.compute.resource import Resource
from apiserver.validation import check_text
from cloud import keypairs
from common.errors import Invalid
from db.keypairs import Keypair as Row

_LONGEST_KEY = 16_384


class Keypairs(Resource):
    """The caller's keypairs."""

    @docs.operation(gives=models.KEYPAIRS, faults={401: "No valid token"})
    def get(self) -> flask.Response:
        """List one's keypairs."""
        found = keypairs.of_caller(self.cloud, self.caller)
        return answers.json({"keypairs": [{"keypair": _brief(row)} for row in found]})

    @docs.operation(body=models.KEYPAIR, gives=models.KEYPAIR, faults=models.CREATE_FAULTS)
    def post(self) -> flask.Response:
        """Import a public key, or have a pair made; its private key is in this answer and nowhere else."""
        body = self.body().nested("keypair")
        name = body.text("name", shortest=1)
        if body.maybe_text("type") not in (None, "ssh"):
            raise Invalid("type: ssh is the only one served")
        private_key, public_key = None, body.raw("public_key")
        if public_key is None:
            public_key, private_key = keypairs.generate()
        elif isinstance(public_key, str):
            public_key = public_key.strip()  # files end in a line break
        checked = check_text(public_key, "public_key", longest=_LONGEST_KEY, shortest=1)
        row = keypairs.add(self.cloud, self.caller, name, public_key=checked)
        document = {**_brief(row), "user_id": row.user_id}
        if private_key is not None:
            document["private_key"] = private_key
        return answers.json({"keypair": document})


class Keypair(Resource):
    """One of the caller's keypairs."""

    @docs.operation(gives=models.KEYPAIR, faults=models.LOOK_FAULTS)
    def get(self, name: str) -> flask.Response:
        """Show a keypair."""
        row = keypairs.get(self.cloud, self.caller, name)
        document = {
            **_brief(row),
            "id": row.id,
            "user_id": row.user_id,
            "created_at": times.bare(row.created_at),
            "updated_at": None,
            "deleted": False,
            "deleted_at": None,
        }
        return answers.json({"keypair": document})

    @docs.operation(status=202, faults=models.CHANGE_FAULTS)
    def delete(self, name: str) -> flask.Response:
        """Forget a keypair."""
        keypairs.remove(self.cloud, self.caller, name)
        return answers.empty(202)


def _brief(row: Row) -> dict[str, object]:
    return {"name": row.name, "public_key": row.public_key, "fingerprint": row.fingerprint}
