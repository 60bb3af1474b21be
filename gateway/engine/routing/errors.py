"""Why a model is not asked.

GatewayError
├── ModelNotAllowed    403  model_not_allowed       the key or token does not allow it
└── ProviderCooling    503  provider_cooling_down   the provider asked for a pause, and there is no other target
"""

from __future__ import annotations

from gateway.core.errors import Forbidden, Unavailable


class ModelNotAllowed(Forbidden):
    default_code = "model_not_allowed"


class ProviderCooling(Unavailable):
    default_code = "provider_cooling_down"
