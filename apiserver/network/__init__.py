"""The Image API, version 2."""
