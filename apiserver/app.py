"""Puts the API together: every service on one Flask app."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import flask
from flask import logging

from apiserver import console_files, consoles, context, docs, guest, health, metadata, routing
from apiserver.compute import service as compute
from apiserver.front import ForeignIdentity, Front
from apiserver.identity import service as identity
from apiserver.image import service as image
from apiserver.metrics import Metrics
from apiserver.network import service as network
from apiserver.settings import ApiSettings
from apiserver.urls import Urls
from cloud.context import Cloud

SERVICES: tuple[routing.Service, ...] = (
    health.SERVICE,
    guest.SERVICE,
    metadata.SERVICE,
    compute.SERVICE,
    compute.VERSIONS,
    image.SERVICE,
    network.SERVICE,
    consoles.SERVICE,
    console_files.SERVICE,
)


def create_app(
    cloud: Cloud,
    settings: ApiSettings,
    *,
    bus_ready: Callable[[], bool],
    schema_behind: Callable[[], str | None] = lambda: None,
    foreign_identity: ForeignIdentity | None = None,
    console_origins: Callable[[], Sequence[str]] = tuple,
) -> flask.Flask:
    """Make the WSGI app; several may live in one process. With a foreign identity service, none is served here."""
    front = Front(
        cloud=cloud,
        settings=settings,
        urls=Urls(settings.public_url),
        metrics=Metrics(),
        bus_ready=bus_ready,
        schema_behind=schema_behind,
        foreign_identity=foreign_identity,
        console_origins=console_origins,
    )
    app = flask.Flask("apiserver", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body
    app.config["RESTX_MASK_SWAGGER"] = False
    routing.prepare(app)
    context.install(app, front)
    api = docs.create(enabled=settings.docs)
    api.init_app(app, add_specs=settings.docs)
    app.logger.removeHandler(logging.default_handler)  # how lines look is the program's to say
    own_identity = () if foreign_identity else (identity.SERVICE, identity.BARE)
    for service in (*own_identity, *SERVICES):
        routing.mount(api, front, service)
    return app
