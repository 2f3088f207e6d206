"""The examples for Prometheus and Grafana name metrics that programs really have."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import yaml
from prometheus_client import CollectorRegistry

from apiserver.metrics import Metrics as ApiMetrics
from dispatcher.consumer import Meters
from eventd.metrics import Metrics as EventdMetrics
from metadatad.metrics import Metrics as MetadatadMetrics
from nfdhcpd.metrics import Metrics as NfdhcpdMetrics
from vncauthproxy.metrics import Metrics as VncauthproxyMetrics

FOLDER = Path(__file__).parents[3] / "docs/monitoring"
_SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}


def registries() -> Iterator[CollectorRegistry]:
    for made in (ApiMetrics(), EventdMetrics(), NfdhcpdMetrics(), MetadatadMetrics(), VncauthproxyMetrics()):
        yield made.registry
    dispatcher = CollectorRegistry()
    Meters(dispatcher)
    yield dispatcher


def known() -> set[str]:
    families = [family for registry in registries() for family in registry.collect()]
    return {family.name + suffix for family in families for suffix in _SUFFIXES[family.type]}


def named(expressions: list[str]) -> set[str]:
    return {name for each in expressions for name in re.findall(r"\bsyros_[a-z_0-9]+", each)}


def test_alerts_are_of_metrics_that_there_are() -> None:
    (group,) = yaml.safe_load((FOLDER / "syros-alerts.yml").read_text())["groups"]
    asked = named([rule["expr"] for rule in group["rules"]])
    assert asked - known() == set()
    assert len(asked) > 5


def test_the_dashboard_is_of_metrics_that_there_are() -> None:
    panels = json.loads((FOLDER / "grafana-dashboard.json").read_text())["panels"]
    asked = named([target["expr"] for panel in panels for target in panel["targets"]])
    assert asked - known() == set()
    assert len(asked) == len(panels)


def test_every_role_with_metrics_is_scraped() -> None:
    jobs = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"]
    assert {job["job_name"].removeprefix("syros-") for job in jobs} == {
        "apiserver", "dispatcher", "eventd", "metadatad", "nfdhcpd", "vncauthproxy",
    }  # fmt: skip
