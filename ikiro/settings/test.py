"""The test suite: the same product on a throw-away stack, with short leases so that crashes are seen soon."""

from ikiro.settings.base import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
