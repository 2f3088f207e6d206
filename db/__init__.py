"""Tables, one module per noun, with their queries, sessions and migrations."""
