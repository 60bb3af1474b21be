"""The scheduler's loop: one leader at a time, jobs by their period, a failing job does not stop the others."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Sequence
from types import FrameType

import structlog
from django.db import DatabaseError, InterfaceError, connections

from ikiro.heartbeat import beat
from ikiro.scheduler.jobs import JOBS, Job

log = structlog.get_logger(__name__)
_LEADER = 7_021_003
_MAX_PAUSE_S = 10.0
# A job that failed this often in a row needs somebody: the process no longer calls itself healthy.
_FAILURES_TOLD = 3


class Scheduler:
    """Runs until ``stop``. A second scheduler waits as a stand-by until the leader's database session ends."""

    def __init__(self, jobs: Sequence[Job] = JOBS) -> None:
        self._jobs = jobs
        self._due = {job.name: 0.0 for job in jobs}
        self._failures = {job.name: 0 for job in jobs}
        self._stopping = threading.Event()

    def stop(self, signum: int = 0, frame: FrameType | None = None) -> None:
        self._stopping.set()

    def run(self) -> None:
        """Lead when nobody else does, until told to stop."""
        while not self._stopping.is_set():
            try:
                if self._lead():
                    self._round()
                else:
                    self._stopping.wait(1.0)
                self._beat()
            except (DatabaseError, InterfaceError) as error:
                log.warning("scheduler.database_away", error=str(error).strip())
                connections.close_all()
                self._stopping.wait(1.0)
        connections.close_all()

    def _lead(self) -> bool:
        """Whether this process holds the leader's lock; taking it again is free while the session lives."""
        with connections["owner"].cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_catalog.pg_locks"
                " WHERE locktype = 'advisory' AND objid = %s AND pid = pg_backend_pid() AND granted",
                [_LEADER],
            )
            if cursor.fetchone()[0]:
                return True
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LEADER])
            return bool(cursor.fetchone()[0])

    def _round(self) -> None:
        for job in self._jobs:
            if time.monotonic() < self._due[job.name] or self._stopping.is_set():
                continue
            self._run(job)
        soonest = min(self._due.values())
        self._stopping.wait(min(1.0, max(0.02, soonest - time.monotonic())))

    def _beat(self) -> None:
        if max(self._failures.values(), default=0) < _FAILURES_TOLD:
            beat()

    def _run(self, job: Job) -> None:
        try:
            job.work()
        except Exception:
            self._failures[job.name] += 1
            pause = min(_MAX_PAUSE_S, 0.5 * 2 ** self._failures[job.name])
            log.exception("scheduler.job_failed", job=job.name, retry_in_s=pause)
            connections.close_all()
            self._due[job.name] = time.monotonic() + pause
            return
        self._failures[job.name] = 0
        self._due[job.name] = time.monotonic() + job.every_s


def main() -> None:
    """Run until SIGTERM or Ctrl-C."""
    scheduler = Scheduler()
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, scheduler.stop)
    scheduler.run()
