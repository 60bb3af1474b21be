"""Lines of the report: what was measured, what the issue asks, and whether that is met."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Report:
    """Collects the lines that were missed; ``expect`` prints each as it is known."""

    missed: list[str] = field(default_factory=list)

    def expect(self, what: str, value: float, *, least: float | None = None, most: float | None = None) -> None:
        met = (least is None or value >= least) and (most is None or value <= most)
        wanted = f"≥ {least:g}" if least is not None else f"≤ {most:g}"
        print(f"  {'ok    ' if met else 'MISSED'} {what}: {value:.1f} ({wanted})", flush=True)
        if not met:
            self.missed.append(f"{what}: {value:.1f}, not {wanted}")


def note(text: str) -> None:
    print(f"  {text}", flush=True)


def table(head: Sequence[str], lines: Mapping[str, Sequence[float]]) -> None:
    """Figures in columns, one line per name."""
    width = max(len(name) for name in lines) + 2
    print("  " + " " * width + "".join(f"{one:>14}" for one in head))
    for name, figures in lines.items():
        print("  " + name.ljust(width) + "".join(f"{figure:14.1f}" for figure in figures), flush=True)


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
