"""Version documents, by which clients find their way; no token is needed."""

from __future__ import annotations

from dataclasses import dataclass

import flask

from apiserver import answers, docs, resource
from apiserver.compute import microversions
from apiserver.urls import Urls


@dataclass(frozen=True)
class Version:
    """A version: its name in documents, its path, and the microversions it speaks (None: it has no such idea)."""

    id: str
    path: str
    status: str
    updated: str
    microversion: str | None


#: in the order that clients expect: v2.0 first, the one that they are to choose CURRENT
VERSIONS = (
    Version("v2.0", "v2", "SUPPORTED", "2011-01-21T11:33:21Z", ""),
    Version("v2.1", "v2.1", "CURRENT", "2013-07-23T11:33:21Z", microversions.ONLY),
    Version("v1.1", "v1.1", "DEPRECATED", "2011-01-21T11:33:21Z", None),
)
_BY_PATH = {version.path: version for version in VERSIONS} | {"v2.0": VERSIONS[0]}
_DESCRIBED_BY = {"rel": "describedby", "type": "text/html", "href": "https://docs.openstack.org/api-ref/compute/"}


class Versions(resource.Resource):
    """All versions."""

    public = True

    @docs.operation()
    def get(self) -> flask.Response:
        """List the versions of the Compute API."""
        return answers.json({"versions": [_listed(self.urls, version) for version in VERSIONS]})


class OneVersion(resource.Resource):
    """One version."""

    public = True

    @docs.operation()
    def get(self) -> flask.Response:
        """Describe the version in the path."""
        version = _BY_PATH[self.version]
        listed = _listed(self.urls, version)
        links = [*_links(self.urls, version), _DESCRIBED_BY]
        document = answers.json({"version": {**listed, "links": links, "media-types": _media_types(version)}})
        return microversions.mark(document) if self.version == microversions.PATH else document


class Choices(resource.Resource):
    """A path without a version."""

    public = True

    @docs.operation(status=300, faults={404: "There is nothing at this path"})
    def get(self, rest: str) -> flask.Response:
        """Name the versions in which there may be such a path."""
        choices = [
            {
                "id": version.id,
                "status": version.status,
                "links": _links(self.urls, version, rest),
                "media-types": _media_types(version),
            }
            for version in VERSIONS
        ]
        return answers.json({"choices": choices}, 300)

    post = put = delete = patch = get


def _listed(urls: Urls, version: Version) -> dict[str, object]:
    document: dict[str, object] = {
        "id": version.id,
        "status": version.status,
        "updated": version.updated,
        "links": _links(urls, version),
    }
    if version.microversion is not None:
        document |= {"version": version.microversion, "min_version": version.microversion}
    return document


def _links(urls: Urls, version: Version, rest: str = "") -> list[dict[str, str]]:
    return [{"rel": "self", "href": urls.absolute(f"/compute/{version.path}/{rest}")}]


def _media_types(version: Version) -> list[dict[str, str]]:
    kind = "1.1" if version.id == "v1.1" else version.id.removeprefix("v").removesuffix(".0")
    return [{"base": answers.JSON, "type": f"application/vnd.openstack.compute+json;version={kind}"}]
