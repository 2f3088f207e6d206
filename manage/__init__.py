"""The operator's command line, syros-manage."""
