"""Which arm a subject is in. Pure: the same on every worker, and for as long as the experiment runs."""

from __future__ import annotations

import hashlib

from gateway.engine.experiments.types import Arm, Experiment


def arm_of(experiment: Experiment, subject_id: str) -> Arm:
    """Arm B for ``share_percent`` of all subjects; which ones is another draw for every experiment."""
    drawn = hashlib.sha256(experiment.id.bytes + subject_id.encode("utf-8", "replace")).digest()
    place = int.from_bytes(drawn[:8]) / 2**64
    return Arm.B if place * 100 < experiment.share_percent else Arm.A
