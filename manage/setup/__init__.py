"""What `syros-manage setup` does on a machine, in steps; each looks first, and does nothing where all is well."""
