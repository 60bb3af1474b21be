"""The Django project: settings, lanes, Celery. It wires and decides nothing."""
