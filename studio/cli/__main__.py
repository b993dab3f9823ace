"""`python -m studio.cli`."""

from studio.cli.main import main

main()
