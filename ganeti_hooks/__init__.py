"""What runs on a Ganeti node on Ganeti's behalf: the post hooks that fill eventd's spool, and the OS definition."""
