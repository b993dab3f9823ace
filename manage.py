#!/usr/bin/env python
"""Django's command line: `python manage.py COMMAND`."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studio.settings")
    if sys.argv[1:2] == ["web"]:
        # gunicorn takes the place of this process: what Django would load here is loaded there.
        from studio.web.management.commands.web import Command

        Command().run_from_argv(sys.argv)
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
