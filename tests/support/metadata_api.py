"""The API over TLS with two servers, for metadatad to ask: `python -m tests.support.metadata_api FOLDER SECRET`.

It writes key and certificate into the folder, says there in `servers` what its servers' ids are, and answers at
127.0.0.1:8774.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from werkzeug import serving

from apiserver.app import create_app
from apiserver.settings import ApiSettings
from cloud import creations, guests
from cloud.context import Cloud
from cloud.settings import CloudSettings
from lab import certificate
from tests.support import clouds

PORT = 8774


def main(folder: Path, secret: str) -> None:
    """Serve until a signal ends it."""
    key, cert = certificate.make("api", names=["api.test"], addresses=["127.0.0.1"], now=datetime.now(UTC))
    (folder / "key.pem").write_text(key)
    (folder / "cert.pem").write_text(cert)
    made = clouds.world(clouds.sqlite_sessions(folder), settings=CloudSettings(guest_url="https://api.test"))
    cloud = replace(made.cloud, vault=made.vault)
    ids = [_server(made, cloud, name) for name in ("one", "two")]
    app = create_app(cloud, ApiSettings(metadata_secret=secret), bus_ready=lambda: True)
    server = serving.make_server(
        "127.0.0.1", PORT, app, threaded=True, ssl_context=(str(folder / "cert.pem"), str(folder / "key.pem"))
    )
    (folder / "servers.new").write_text("\n".join(ids))
    (folder / "servers.new").rename(folder / "servers")
    server.serve_forever()


def _server(world: clouds.World, cloud: Cloud, name: str) -> str:
    spec = creations.CreateSpec(
        name=name,
        flavor_id=world.flavor.id,
        image_id=world.image.id,
        guest=guests.GuestSpec(user_data=f"I am {name}".encode()),
    )
    return creations.create(cloud, world.fresh(), spec)[0].id


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
