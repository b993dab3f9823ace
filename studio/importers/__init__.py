"""Histories of other trackers, brought in as ordinary runs: read, planned, stored, reported."""
