"""What tests of several packages share: a cloud on a throw-away database, and a Ganeti in memory."""
