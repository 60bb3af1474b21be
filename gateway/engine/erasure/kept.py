"""What an erasure leaves on purpose. Every receipt lists it, each with the reason."""

from __future__ import annotations

KEPT: tuple[tuple[str, str], ...] = (
    ("audit", "who read or changed what, by plain ids and without content: it proves what was done, this erasure too"),
    ("ledger", "what each request cost; it may name the subject's id, and is kept for as long as money must be shown"),
    ("receipts", "this receipt"),
    ("events", "the event subject.erased"),
    ("configuration", "keys and limits that somebody narrowed to this subject by its id"),
    ("sweep", "the subject's id for 24 hours, so that what was under way is erased when it arrives"),
    ("counters", "how much was used lately, under a hash of the id, until their windows end"),
    ("caches", "in processes' memory for 300 seconds, never served; answers of bare models, sealed, for a day at most"),
    ("backups", "those made before, until the operator replaces them"),
)
