"""Calls about jobs."""

from collections.abc import Sequence
from typing import Any  # job fields are JSON

from rapi import calls, cluster_calls, transport, wire

JOB_FIELDS = ("id", "status", "summary", "opstatus", "opresult", "received_ts", "start_ts", "end_ts", "ops")
_WAIT_SECONDS = 10  # how long Ganeti itself waits before it answers "nothing new"


class JobCalls(cluster_calls.ClusterCalls):
    def get_jobs(self, *, bulk: bool = True) -> list[calls.Json]:
        """All jobs that are not archived, with their ops but without logs and results; without `bulk`, ids alone."""
        jobs: list[calls.Json] = self._get("jobs", query=calls.bulk(bulk))
        return jobs

    def get_job(self, job: int) -> calls.Json | None:
        """One job with its log and results, archived or not; None if Ganeti does not know it."""
        answer: calls.Json = self._get("jobs", job)
        return answer if answer.get("status") is not None else None

    def query_jobs(self, jobs: Sequence[int], fields: Sequence[str] = JOB_FIELDS) -> list[calls.Json]:
        """Many jobs by one query, archived ones too; those that Ganeti does not know are left out.

        `fields` must have "status": an unknown job comes back as a row that has none.
        """
        if not jobs:
            return []
        rows = self.query("job", fields, ["|", *(["=", "id", job] for job in jobs)])
        return [row for row in rows if row["status"] is not None]

    def cancel_job(self, job: int) -> tuple[bool, str]:
        """Whether the job was canceled, and Ganeti's words; may block for some five seconds."""
        canceled, text = self._transport.answer(transport.Call("DELETE", wire.resource("jobs", job)))
        return bool(canceled), str(text)

    def wait_for_job_change(
        self,
        job: int,
        *,
        fields: Sequence[str],
        previous_info: list[Any] | None = None,
        previous_log_serial: int | None = None,
    ) -> calls.Json:
        """`job_info` and `log_entries` as soon as they differ from the previous ones, or the same after ten seconds."""
        body = {
            "fields": list(fields),
            "previous_job_info": previous_info,
            "previous_log_serial": previous_log_serial,
        }
        answer: calls.Json = self._transport.answer(
            transport.Call("GET", wire.resource("jobs", job, "wait"), body=body, reads=True, timeout=_WAIT_SECONDS * 2)
        )
        return answer
