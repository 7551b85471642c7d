"""Where the command begins. It imports nothing of weight, so that Ctrl-C while the rest is being
imported ends the command in one line, too."""

import sys

INTERRUPTED = 130  # exit status


def main() -> None:
    """Entry point of the console script."""
    try:
        from .app import main as run

        run()
    except KeyboardInterrupt:
        print("ipcluster-azure: interrupted.", file=sys.stderr)
        sys.exit(INTERRUPTED)
