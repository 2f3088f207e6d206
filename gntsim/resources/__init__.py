"""RAPI's resources: what answers each path and method; one module per noun."""
