import pytest

from tests.unit.apiserver.asking import Asking


def test_extensions_are_listed_and_shown_by_alias(demo: Asking) -> None:
    listed = demo.get("/compute/v2.1/extensions").json["extensions"]
    assert "Hosts" in {extension["name"] for extension in listed}
    for extension in listed:
        shown = demo.get(f"/compute/v2.1/extensions/{extension['alias']}").json["extension"]
        assert shown == extension
        assert set(shown) == {"alias", "name", "description", "namespace", "updated", "links"}
    assert demo.get("/compute/v2.1/extensions/none").status_code == 404


def test_there_is_one_availability_zone(demo: Asking, admin: Asking) -> None:
    zone = {"zoneName": "nova", "zoneState": {"available": True}}
    assert demo.get("/compute/v2.1/os-availability-zone").json == {"availabilityZoneInfo": [{**zone, "hosts": None}]}
    assert demo.get("/compute/v2.1/os-availability-zone/detail").status_code == 403
    assert admin.get("/compute/v2.1/os-availability-zone/detail").status_code == 200


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("servers/{}/os-security-groups", {"security_groups": []}),
        ("servers/{}/os-volume_attachments", {"volumeAttachments": []}),
        ("servers/{}/os-server-password", {"password": ""}),
    ],
)
def test_what_there_is_not_yet_is_an_empty_list(demo: Asking, active: str, path: str, document: object) -> None:
    assert demo.get(f"/compute/v2.1/{path.format(active)}").json == document


def test_a_password_that_no_guest_has_left_is_forgotten_all_the_same(
    demo: Asking, stranger: Asking, active: str
) -> None:
    path = f"/compute/v2.1/servers/{active}/os-server-password"
    assert demo.delete(path).status_code == 204
    assert stranger.get(path).status_code == stranger.delete(path).status_code == 404
