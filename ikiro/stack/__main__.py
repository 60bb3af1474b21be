"""``python -m ikiro.stack up | backup | restore``; the Makefile calls it."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and run one command; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m ikiro.stack", description="The embedded installation.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="start everything; PORT and IKIRO_STATE_DIR come from the environment")
    backup = commands.add_parser("backup", help="write one archive of everything, or of one organization")
    backup.add_argument("--org", help="only this organization (its slug)")
    backup.add_argument("--output", type=Path, help="the file to write (default: ikiro-<what>-<time>.tar)")
    restore = commands.add_parser("restore", help="bring an archive back")
    restore.add_argument("file", type=Path)
    restore.add_argument("--force", action="store_true", help="replace the data that is there")
    chosen = parser.parse_args(arguments)
    # Only the chosen command's module: `up` must not pay for the backup's cryptography in time or memory.
    return int(importlib.import_module(f"ikiro.stack.{chosen.command}").command(chosen))


if __name__ == "__main__":
    sys.exit(main())
