"""What has no port beats while it works, and stops beating when a job keeps failing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ikiro.heartbeat import beat
from ikiro.scheduler.jobs import Job
from ikiro.scheduler.loop import Scheduler


def test_beat__without_a_place__writes_nothing(settings: Any, tmp_path: Path) -> None:
    settings.IKIRO_HEARTBEAT_PATH = ""
    beat()
    assert list(tmp_path.iterdir()) == []


def test_scheduler__a_job_that_fails_three_times_in_a_row__stops_the_beat_until_it_succeeds(
    settings: Any, tmp_path: Path
) -> None:
    place = tmp_path / "beat"
    settings.IKIRO_HEARTBEAT_PATH = str(place)
    away = [True]

    def work() -> None:
        if away[0]:
            raise ConnectionError("the store is away")

    job = Job("usage", 0.1, work)
    scheduler = Scheduler([job])

    def beats_after_a_run() -> bool:
        place.unlink(missing_ok=True)
        scheduler._run(job)
        scheduler._beat()
        return place.exists()

    assert [beats_after_a_run() for _ in range(4)] == [True, True, False, False]
    away[0] = False
    assert beats_after_a_run()
