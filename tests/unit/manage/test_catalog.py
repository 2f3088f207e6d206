"""Flavors and images."""

import pytest

from tests.unit.manage.conftest import Operator


def test_a_flavor_is_added_listed_and_removed(operator: Operator) -> None:
    made = operator.json("flavor", "add", "m1.small", "--vcpus", "1", "--ram", "512", "--disk", "5", "--id", "2")

    assert {key: made[key] for key in ("id", "name", "vcpus", "ram", "disk", "public")} == {
        "id": "2", "name": "m1.small", "vcpus": 1, "ram": 512, "disk": 5, "public": True,
    }  # fmt: skip
    assert operator.json("flavor", "list") == [made]
    assert operator.json("flavor", "remove", "m1.small", "--yes") == {"removed": "2"}
    assert operator.json("flavor", "list") == []
    operator.run("flavor", "remove", "m1.small", "--yes", code=1)


def test_a_private_flavor_is_listed_for_the_operator(operator: Operator) -> None:
    operator.run("flavor", "add", "big", "--vcpus", "64", "--ram", "1024", "--disk", "0", "--private")

    assert operator.json("flavor", "list")[0]["public"] is False


def test_a_flavor_without_cpus_is_invalid(operator: Operator) -> None:
    operator.run("flavor", "add", "m1.none", "--vcpus", "0", "--ram", "512", "--disk", "5", code=2)


@pytest.mark.parametrize(("file", "disk_format"), [("debian.qcow2", "qcow2"), ("debian.img", "raw")])
def test_an_images_format_follows_from_its_files_name(operator: Operator, file: str, disk_format: str) -> None:
    assert operator.json("image", "add", "debian", "--file", file)["disk_format"] == disk_format


def test_an_image_of_a_project_is_private(operator: Operator) -> None:
    operator.run("project", "add", "acme")

    made = operator.json("image", "add", "own", "--file", "own.img", "--project", "acme", "--property", "os=linux")

    assert (made["visibility"], made["project"], made["properties"]) == ("private", "acme", {"os": "linux"})
    assert operator.json("image", "list") == [made]


@pytest.mark.parametrize(
    "arguments", [[], ["--file", "a.img", "--no-file"], ["--file", "../etc/shadow"], ["--no-file", "--property", "x"]]
)
def test_what_can_not_be_an_image_is_a_usage_error(operator: Operator, arguments: list[str]) -> None:
    operator.run("image", "add", "odd", *arguments, code=2)


def test_an_image_is_removed_by_name_only_if_that_names_one(operator: Operator) -> None:
    first = operator.json("image", "add", "debian", "--no-file")
    operator.run("image", "add", "debian", "--file", "debian.img")

    assert "give an id" in operator.run("image", "remove", "debian", "--yes", code=1).err
    operator.run("image", "remove", first["id"], "--yes")
    operator.run("image", "remove", "debian", "--yes")
    operator.run("image", "remove", "debian", "--yes", code=1)
