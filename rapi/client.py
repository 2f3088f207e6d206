"""The client of one Ganeti cluster: every call, under the names of Ganeti's own client."""

from rapi import endpoint, instance_calls, job_calls, network_calls, node_calls, transport


class Client(instance_calls.InstanceCalls, job_calls.JobCalls, network_calls.NetworkCalls, node_calls.NodeCalls):
    """Calls to one cluster, by whichever of its addresses is the master's; safe to share between threads.

    A call either returns Ganeti's answer or raises `RapiRefused` (nothing was done) or `RapiUnreachable`, whose
    `sent` says whether the outcome is unknown. A call that changes something is never sent twice.
    """

    def __init__(self, point: endpoint.Endpoint) -> None:
        super().__init__(transport.Transport(point))

    def close(self) -> None:
        self._transport.close()
