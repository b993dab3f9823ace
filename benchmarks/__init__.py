"""Measurements of the studio beside what the machine allows: `python -m benchmarks`."""
