"""What each opcode checks, changes and answers; one module per family, one class per opcode."""
