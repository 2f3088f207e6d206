"""The same on real Ganeti: programs are killed while servers come and go, and Ganeti and the API agree afterwards."""

from __future__ import annotations

import random
import time

from cloud.context import Cloud
from cloud.settings import CloudSettings
from common import config
from db.sessions import Sessions
from lab import cloud as lab_cloud
from lab import process
from tests.e2e import agreement, client, tenant

KILLS = 10
SEED = 20_241_121
MOST_SERVERS = 4
PATIENCE = 300.0


def test_ten_kills_in_the_lab_leave_nothing_lost_doubled_or_stuck(cloud: lab_cloud.LabCloud) -> None:
    dice = random.Random(SEED)
    demo = cloud.demo
    busy = tenant.Tenant(cloud.api_url, user=demo.user, password=demo.password, seed=SEED, most=MOST_SERVERS, pause=2.0)
    busy.start()
    killed = []
    for _ in range(KILLS):
        time.sleep(dice.uniform(0.5, 4))  # the moment is the test's random input, not a wait for anything
        victim = dice.choice(cloud.programs.names)
        cloud.programs.kill(victim)
        killed.append(victim)
        cloud.programs.restart_ended()
    process.wait_until(cloud.ready, what="the API is back", timeout=PATIENCE)
    busy.stop()

    _agree(cloud)
    assert busy.surprises == []
    assert len(set(killed)) > 1


def _agree(cloud: lab_cloud.LabCloud) -> None:
    sessions = Sessions(config.Database(url=cloud.postgres.url("syros")))
    settled = Cloud(sessions=sessions, settings=CloudSettings())
    asking = client.Client(cloud.api_url)
    asking.log_in(cloud.demo.user, cloud.demo.password)

    def look() -> list[str]:
        cloud.programs.restart_ended()
        listed = cloud.cluster.run(["gnt-instance", "list", "--no-headers", "-o", "name"]).stdout.split()
        return agreement.disagreements(settled, asking, listed)

    try:
        agreement.wait(look, patience=PATIENCE, logs=cloud.logs, what="agreement in the lab")
        for server in asking.servers():
            asking.call("DELETE", f"/servers/{server['id']}")
        agreement.wait(look, patience=PATIENCE, logs=cloud.logs, what="agreement after the last delete")
        assert asking.servers() == []
    finally:
        sessions.close()
