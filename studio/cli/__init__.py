"""The command line of the studio: `studio …`, or `python -m studio.cli …`."""
