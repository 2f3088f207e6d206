"""What every family of calls stands on: read something, or submit a job."""

from collections.abc import Sequence
from typing import Any  # Ganeti's JSON has no types that we could name here

from rapi import errors, transport, wire

Json = dict[str, Any]


class Calls:
    """The shared part of the client: one transport, and the two kinds of call."""

    def __init__(self, carrier: transport.Transport) -> None:
        self._transport = carrier

    def _get(self, *segments: str | int, query: wire.Query = ()) -> Any:
        return self._transport.answer(transport.Call("GET", wire.resource(*segments), query=query, reads=True))

    def _submit(
        self,
        method: str,
        *segments: str | int,
        reason: str | None,
        query: wire.Query = (),
        body: object = None,
    ) -> int:
        """The id of the job that Ganeti made of this call.

        The reason travels with the job, in its trail, where whoever lost the answer finds the job again.
        """
        trail = () if reason is None else (("reason", reason),)
        call = transport.Call(method, wire.resource(*segments), query=(*query, *trail), body=body)
        job = self._transport.answer(call)
        if not isinstance(job, int):
            raise errors.RapiUnreachable(f"expected a job id, got {type(job).__name__}", sent=True)
        return job


def bulk(wanted: bool) -> wire.Query:
    return (("bulk", 1),) if wanted else ()


def tags_query(tags: Sequence[str]) -> wire.Query:
    if not tags:
        raise errors.RapiRefused(status=0, error_class="NoTags", reason="no tags were named")
    return tuple(("tag", tag) for tag in tags)
