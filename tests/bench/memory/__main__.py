"""``make bench-memory``: quality, speed and ingest of memory, through HTTP of a running product.

``ARGS="--only quality --seed 7001"`` runs some parts, on one seed. Exit code 1 when a line of what is promised is
missed; the lines are printed either way.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from tests.bench.memory import ingest, quality, speed
from tests.bench.memory.dataset import HELD_OUT
from tests.bench.memory.product import Product, running
from tests.bench.memory.report import Report

PARTS: dict[str, Callable[[Product, Report, list[int]], None]] = {
    "quality": quality.measure,
    "ingest": ingest.measure,
    "speed": speed.measure,
}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default=",".join(PARTS), help=f"some of {','.join(PARTS)}")
    parser.add_argument("--seed", type=int, action="append", help="instead of the three held-out seeds; repeatable")
    options = parser.parse_args()
    report = Report()
    with running() as product:
        for name in options.only.split(","):
            PARTS[name](product, report, options.seed or list(HELD_OUT))
    print("all met" if not report.missed else "missed:\n  " + "\n  ".join(report.missed))
    return 1 if report.missed else 0


if __name__ == "__main__":
    sys.exit(main())
