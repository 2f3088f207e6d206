"""The domain: what may happen to an instance, and what an event means."""
