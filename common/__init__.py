"""What every process agrees on: config, log, errors, names, jobs, messages, bus, daemon."""
