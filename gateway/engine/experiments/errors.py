"""What can be wrong with an experiment."""

from __future__ import annotations

from gateway.core.errors import Conflict, NotFound


class ExperimentNotFound(NotFound):
    default_code = "experiment_not_found"


class ExperimentRunning(Conflict):
    default_code = "experiment_running"


class ExperimentStopped(Conflict):
    default_code = "experiment_stopped"
