#!/usr/bin/env python3
"""Django's command line. It finds the embedded engines running, or runs them for as long as the command takes."""

from __future__ import annotations

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_site.settings")
    from django.core.management import execute_from_command_line

    from billing_site import work
    from billing_site.environment import exit_if_misconfigured
    from billing_site.launcher.errors import LauncherError
    from billing_site.launcher.sessions import engines_for_command

    work.kind = "command"
    exit_if_misconfigured()
    try:
        with engines_for_command(sys.argv):
            execute_from_command_line(sys.argv)
    except LauncherError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
