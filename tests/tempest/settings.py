"""tempest.conf, as text."""

from __future__ import annotations

import configparser
import io
from dataclasses import dataclass
from pathlib import Path

from apiserver.network.surroundings import EXTENSIONS
from tests.tempest.features import FEATURES, FILTERS


@dataclass(frozen=True)
class Place:
    """The cloud that is tested, and where tempest may write."""

    url: str
    folder: Path
    accounts: Path
    #: an admin's user, who has a project of their own
    admin: str
    admin_project: str
    admin_password: str
    image: str
    other_image: str
    network: str


def render(place: Place) -> str:
    """Write the configuration; microversions are left out, so that tempest asks for none."""
    sections: dict[str, dict[str, object]] = {
        "DEFAULT": {"log_dir": place.folder},
        "oslo_concurrency": {"lock_path": place.folder / "lock"},
        "auth": {
            "use_dynamic_credentials": False,
            "create_isolated_networks": False,
            "test_accounts_file": place.accounts,
            "admin_username": place.admin,
            "admin_project_name": place.admin_project,
            "admin_password": place.admin_password,
            "admin_domain_name": "Default",
        },
        "identity": {"uri_v3": f"{place.url}/identity/v3"},
        "compute": {
            "image_ref": place.image,
            "image_ref_alt": place.other_image,
            "flavor_ref": "1",
            "flavor_ref_alt": "2",
            "min_compute_nodes": 2,
            "fixed_network_name": "public",
            "build_interval": 1,
            "build_timeout": 120,
        },
        "network": {"public_network_id": place.network},
        "network-feature-enabled": {"floating_ips": False, "api_extensions": ",".join(EXTENSIONS)},
        "compute-feature-enabled": {"scheduler_enabled_filters": ",".join(FILTERS)},
    }
    for feature in FEATURES:
        sections.setdefault(feature.section, {})[feature.name] = feature.on
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_dict({name: {key: str(value) for key, value in keys.items()} for name, keys in sections.items()})
    text = io.StringIO()
    parser.write(text)
    return text.getvalue()
