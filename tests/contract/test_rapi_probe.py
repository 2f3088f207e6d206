"""A look at a cluster's address tells the same of Ganeti and of the simulator."""

import dataclasses

from rapi import probe
from rapi.probe import Fault
from tests.contract.masters import Handle


def test_who_it_is_and_what_time_is_told(cluster: Handle) -> None:
    point = cluster.master.point
    found = probe.look(point, point.urls[0])
    assert (found.fault, found.words) == (None, "")
    assert found.cluster == cluster.api.get_info()["uuid"]
    assert found.skew is not None
    assert cluster.master.os in (found.systems or ())
    assert (found.expires is not None) == point.urls[0].startswith("https")


def test_nobody_who_may_only_read_passes_for_one_who_may_write(cluster: Handle) -> None:
    user, password = cluster.master.reader
    point = dataclasses.replace(cluster.master.point, user=user, password=password)
    assert probe.look(point, point.urls[0]).fault is Fault.READ_ONLY
    guessed = dataclasses.replace(point, password="guessed")
    assert probe.look(guessed, point.urls[0]).fault is Fault.LOGIN


def test_asking_makes_no_instance_and_no_job_of_one(cluster: Handle) -> None:
    before = {job["id"] for job in cluster.api.get_jobs()}
    point = cluster.master.point
    probe.look(point, point.urls[0])
    made = [job for job in cluster.api.get_jobs() if job["id"] not in before]
    assert {op["OP_ID"] for job in made for op in job["ops"]} <= {"OP_OS_DIAGNOSE"}
