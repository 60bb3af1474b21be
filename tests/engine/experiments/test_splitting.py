"""Which arm a subject is in."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from gateway.core import ids
from gateway.engine.experiments.splitting import arm_of
from gateway.engine.experiments.types import Arm, Experiment

_MADE = Experiment(
    UUID(int=7), "sage", "Warmer", 1, 2, 20, datetime(2026, 1, 1, tzinfo=UTC), "key:key_1", None, None, None
)


@pytest.mark.parametrize("share", [1, 20, 50, 99])
def test_arm__of_many_subjects__is_as_often_b_as_asked_for_and_never_changes(share: int) -> None:
    experiment = replace(_MADE, share_percent=share)
    arms = [arm_of(experiment, f"subject-{number}") for number in range(5_000)]
    assert abs(arms.count(Arm.B) / 50 - share) < 3
    assert arms == [arm_of(experiment, f"subject-{number}") for number in range(5_000)]


def test_arm__of_a_larger_share__takes_nobody_out_of_b() -> None:
    subjects = [f"subject-{number}" for number in range(1_000)]
    few, more = (replace(_MADE, share_percent=share) for share in (10, 40))
    in_few = {subject for subject in subjects if arm_of(few, subject) is Arm.B}
    assert in_few < {subject for subject in subjects if arm_of(more, subject) is Arm.B}


def test_arm__in_another_experiment__is_drawn_anew() -> None:
    other = replace(_MADE, id=ids.uuid7())
    subjects = [f"subject-{number}" for number in range(1_000)]
    same = sum(
        arm_of(replace(_MADE, share_percent=50), s) == arm_of(replace(other, share_percent=50), s) for s in subjects
    )
    assert 400 < same < 600
