"""The command line of the scripts here that make a page, or parts of it, from the code."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path


def main(path: Path, page: Callable[[], str]) -> None:
    """Print the page, or with --write replace what lies at `path` by it."""
    parser = argparse.ArgumentParser(description=f"Make {path.name} anew from the code.")
    parser.add_argument("--write", action="store_true", help=f"rewrite {path.name}")
    if parser.parse_args().write:
        path.write_text(page(), encoding="utf-8")
    else:
        sys.stdout.write(page())
