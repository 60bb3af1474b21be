"""Settings for the type checker, which loads Django without a server or an installation to belong to."""

from __future__ import annotations

import os

_STAND_INS = {
    "IKIRO_SECRET_KEY": "analysis",
    "IKIRO_DATABASE_URL": "postgresql://nobody@localhost/nothing",
    "IKIRO_REDIS_URL": "redis://localhost:1/0",
    "IKIRO_KEYRING": '{"active": "analysis", "keys": {}}',
}
for _name, _value in _STAND_INS.items():
    if _name not in os.environ and f"{_name}_FILE" not in os.environ:
        os.environ[_name] = _value

from ikiro.settings.test import *  # noqa: E402, F403 - the environment comes first
