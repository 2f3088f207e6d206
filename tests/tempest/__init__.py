"""OpenStack's own test suite, tempest, run against the sandbox: `make tempest`."""
