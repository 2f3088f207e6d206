"""Applies events to the database; sweeps and reconciles."""
