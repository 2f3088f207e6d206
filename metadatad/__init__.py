"""metadatad, on Ganeti nodes: answers guests at 169.254.169.254, each with what the API says of it alone."""
