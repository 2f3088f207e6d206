"""A thin client of the Ganeti RAPI."""
