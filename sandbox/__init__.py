"""The whole cloud in one process, for demos and end-to-end tests."""
