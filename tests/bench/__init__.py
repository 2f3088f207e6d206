"""Measurements, never asserted: latencies of the event path, and ratios taken side by side in one run."""
