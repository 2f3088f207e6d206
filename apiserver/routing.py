"""From paths to handlers: services list their routes as data, and are mounted under one or more prefixes.

A service package offers a SERVICE, which app.SERVICES names; its handlers derive from resource.Resource.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import flask
import flask_restx
from werkzeug import routing

from apiserver.front import Front
from apiserver.resource import Resource


@dataclass(frozen=True)
class Route:
    """A path below the service's prefix, in Flask's notation, and its handler."""

    path: str
    handler: type[Resource]


@dataclass(frozen=True)
class Service:
    """A set of routes, mounted under each prefix; those under the first are documented."""

    name: str
    description: str
    prefixes: tuple[str, ...]
    routes: Sequence[Route]
    #: flask-restx models that the handlers' documentation names
    models: Sequence[flask_restx.Model] = ()


class HexId(routing.BaseConverter):
    """The id of a project or a user: 32 hex digits. In a path: <hex:in_project>."""

    regex = "[0-9a-f]{32}"


class ComputeVersion(routing.BaseConverter):
    """A version of the Compute API. In a path: <compute:version>."""

    regex = r"v1\.1|v2\.0|v2\.1|v2"


class Unversioned(routing.BaseConverter):
    """The rest of a path of the Compute API that begins with no version. In a path: <unversioned:rest>."""

    part_isolating = False
    regex = rf"(?!(?:{ComputeVersion.regex})(?:/|$))[^/].*?"


def prepare(app: flask.Flask) -> None:
    """Set the rules for paths: a slash at the end is part of the path, two in a row are not one."""
    app.url_map.strict_slashes = True
    app.url_map.merge_slashes = False
    app.url_map.redirect_defaults = False
    app.url_map.converters.update(hex=HexId, compute=ComputeVersion, unversioned=Unversioned)


def mount(api: flask_restx.Api, front: Front, service: Service) -> None:
    """Add a service's routes to the API."""
    for model in service.models:
        api.add_model(model.name, model)
    for number, prefix in enumerate(service.prefixes):
        namespace = flask_restx.Namespace(service.name, description=service.description, path=prefix or "/")
        for route in service.routes:
            namespace.add_resource(
                route.handler,
                route.path,
                endpoint=f"{service.name}:{prefix}{route.path}".replace(".", "_"),  # a dot would name a blueprint
                resource_class_kwargs={"front": front},
                route_doc=None if number == 0 else False,
            )
        api.add_namespace(namespace)
