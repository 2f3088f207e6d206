"""The Compute API: one set of handlers for 1.1, 2.0 and 2.1, with and without a project id in the path."""
