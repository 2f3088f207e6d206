"""The one error of the scripts that set up guests' NICs."""


class Refused(Exception):
    """The NIC can't be set up as it has to be; the text says why, and Ganeti does not start the guest."""
