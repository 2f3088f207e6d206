"""eventd: publishes what happens in a Ganeti cluster, from the master's job queue and the hooks' spool."""
