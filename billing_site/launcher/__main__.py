"""`python -m billing_site.launcher run`: what `make run` starts once the environment is there."""

from __future__ import annotations

import argparse
import os
import signal
import sys

from billing_site.environment import exit_if_misconfigured
from billing_site.launcher.errors import LauncherError
from billing_site.launcher.processes import end_with_parent
from billing_site.launcher.supervisor import Supervisor, port_from_environment


def main() -> int:
    """The command line; 1 and a message on standard error when the stack cannot run."""
    parser = argparse.ArgumentParser(prog="python -m billing_site.launcher", description=__doc__)
    parser.add_argument("command", choices=["run"], help="run the whole stack until Ctrl-C")
    parser.add_argument("--end-with-parent", action="store_true", help="stop when the calling process ends (Linux)")
    parser.add_argument("--without-demo", action="store_true", help="make no sample data on the first start")
    options = parser.parse_args()
    if options.end_with_parent:
        end_with_parent(signal.SIGTERM, os.getppid())
    exit_if_misconfigured()
    is_production = os.environ.get("DJANGO_ENV") == "production"
    try:
        Supervisor(port_from_environment(), with_demo=not options.without_demo and not is_production).run()
    except LauncherError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
