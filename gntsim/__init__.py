"""A simulated Ganeti master: RAPI over HTTPS, a job queue on disk, and faults on command."""
