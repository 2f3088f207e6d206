"""What tempest prints is read, counted and reported; what fails unexpectedly is told apart."""

import configparser
from pathlib import Path

import pytest

from tests.tempest import known, report, results, settings
from tests.tempest.features import FEATURES
from tests.tempest.results import Outcome, Status

OUTPUT = """
{0} tempest.api.compute.servers.test_servers.ServersTestJSON.test_update [1.530861s] ... ok
{1} setUpClass (tempest.api.compute.volumes.test_volumes_get.VolumesGet) ... SKIPPED: Cinder is not available
{1} setUpClass (tempest.api.identity.admin.v3.test_regions.RegionsTestJSON) [0.000000s] ... FAILED
{0} tempest.scenario.test_minimum_basic.TestOps.test_it [0.1s] ... FAILED

setUpClass (tempest.api.identity.admin.v3.test_regions.RegionsTestJSON)
------------------------------------------------------------------
Captured traceback: the first

tempest.scenario.test_minimum_basic.TestOps.test_it[id-1,smoke]
------------------------------------------------------------------
Captured traceback: the second
"""


def test_each_line_of_an_outcome_is_one() -> None:
    found = results.read(OUTPUT.splitlines())

    assert [(outcome.group, outcome.status, outcome.why) for outcome in found] == [
        ("compute.servers", Status.PASSED, ""),
        ("compute.volumes", Status.SKIPPED, "Cinder is not available"),
        ("identity.admin.v3", Status.FAILED, ""),
        ("scenario", Status.FAILED, ""),
    ]
    assert found[1].path == "tempest.api.compute.volumes.test_volumes_get.VolumesGet"


def test_the_trace_of_a_test_ends_where_the_next_begins() -> None:
    found = results.read(OUTPUT.splitlines())

    assert "the first" in results.trace(OUTPUT, found[2].test)
    assert "the second" not in results.trace(OUTPUT, found[2].test)
    assert "the second" in results.trace(OUTPUT, found[3].test)


def test_the_page_counts_by_group_and_gives_every_reason() -> None:
    found = results.read(OUTPUT.splitlines())
    page = report.render(found, version="tempest 1")

    assert "| all | 1 | 2 | 1 |" in page
    assert "| no volumes yet | 1 | `compute.volumes` |" in page
    assert f"| `identity.admin.v3.test_regions.RegionsTestJSON` | {known.reason_of_failure(found[2].path)} |" in page
    assert "| `scenario.test_minimum_basic.TestOps.test_it` | **not known** |" in page


@pytest.mark.parametrize(
    ("test", "is_known"),
    [
        ("tempest.api.identity.admin.v3.test_projects.ProjectsTestJSON", True),
        ("tempest.api.identity.admin.v3.test_projects_negative.ProjectsNegativeTestJSON.test_delete", False),
        ("tempest.api.identity.v3.test_projects.IdentityV3ProjectsTest.test_list", False),
    ],
)
def test_a_known_failure_excuses_no_other(test: str, is_known: bool) -> None:
    assert (known.reason_of_failure(Outcome(test, Status.FAILED).path) is not None) is is_known


def test_every_switch_is_in_the_configuration_and_says_why_it_is_off() -> None:
    nowhere = Path("/nowhere")
    place = settings.Place("http://127.0.0.1:1", nowhere, nowhere, "admin", "admin", "50%", "one", "two", "public")
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(settings.render(place))

    assert parser["auth"]["admin_password"] == "50%"
    for feature in FEATURES:
        assert parser[feature.section].getboolean(feature.name) is feature.on
        assert feature.on or feature.why
