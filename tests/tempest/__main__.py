"""`make tempest`: a sandbox of its own, the run, and docs/compatibility.md."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import yaml

from lab import scratch
from tests.e2e.client import Client
from tests.e2e.sandbox_process import SandboxProcess
from tests.tempest import known, report, results, settings
from tests.tempest.results import Outcome, Status

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "compatibility.md"
TEMPEST = ROOT / ".venv-tempest" / "bin" / "tempest"
#: the two APIs, and of the others what tempest calls smoke tests
TESTS = r"^tempest\.api\.(compute|identity)\.|^tempest\..*\[.*\bsmoke\b.*\]"
#: tempest's accounts are enough for so many
_WORKERS = 2


@click.command()
@click.option("--tests", default=TESTS, help="which tests, by a regular expression; other than all writes no page")
def main(tests: str) -> None:
    """Run tempest against a fresh sandbox; exit with 1 if a test fails that is not known to."""
    folder = scratch.folder("tempest")
    try:
        sandbox = SandboxProcess(folder / "var", SYROS_SANDBOX_JOB_SCALE="0.1")
        click.echo("starting a sandbox ...")
        sandbox.start()
        try:
            (folder / "tempest.conf").write_text(settings.render(_place(sandbox, folder)), encoding="utf-8")
            text = _run(folder, tests)
        finally:
            sandbox.stop()
    finally:
        scratch.remove(folder)
    outcomes = results.read(text.splitlines())
    if not outcomes:
        sys.exit("tempest ran no test")
    if tests == TESTS:
        PAGE.write_text(report.render(outcomes, version=_version()), encoding="utf-8")
    sys.exit(_sum_up(outcomes, text))


def _place(sandbox: SandboxProcess, folder: Path) -> settings.Place:
    accounts = sandbox.folder / "tempest-accounts.yaml"
    admin = next(entry for entry in yaml.safe_load(accounts.read_text(encoding="utf-8")) if "types" in entry)
    client = Client(sandbox.url)
    client.log_in(admin["username"], admin["password"], project=admin["project_name"])
    images = {image["name"]: image["id"] for image in client.call("GET", "/images")["images"]}
    return settings.Place(
        url=sandbox.url,
        folder=folder,
        accounts=accounts,
        admin=admin["username"],
        admin_project=admin["project_name"],
        admin_password=admin["password"],
        image=images["cirros"],
        other_image=images["debian-12"],
        network=client.networks()["public"],
    )


def _run(folder: Path, tests: str) -> str:
    """Run the tests, show each as it ends, and give all that was printed."""
    command = [str(TEMPEST), "run", "--config-file", str(folder / "tempest.conf")]
    command += ["--concurrency", str(_WORKERS), "--regex", tests]
    printed = []
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as running:
        assert running.stdout is not None
        for line in running.stdout:
            printed.append(line)
            if results.read([line]):
                click.echo(line, nl=False)
    return "".join(printed)


def _sum_up(outcomes: Sequence[Outcome], text: str) -> int:
    """Print the figures and what nobody expected; give the exit status."""
    failed = [outcome for outcome in outcomes if outcome.status is Status.FAILED]
    unknown = [outcome for outcome in failed if known.reason_of_failure(outcome.path) is None]
    for outcome in unknown:
        click.echo(f"\n{results.trace(text, outcome.test)}")
    for outcome in outcomes:
        if outcome.status is Status.PASSED and known.reason_of_failure(outcome.path):
            click.echo(f"passes now, though it is listed among those that fail: {outcome.path}")
    passed, _, skipped = report.counts(outcomes)
    click.echo(f"\npassed {passed}, failed {len(failed)} ({len(unknown)} of them unknown), skipped {skipped}")
    return 1 if unknown else 0


def _version() -> str:
    done = subprocess.run([str(TEMPEST), "--version"], capture_output=True, text=True, check=True)
    return done.stdout.strip()


if __name__ == "__main__":
    main()
