"""What the person who typed ``make up`` gets to read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

# One sentence for the demo's memories, one that becomes a proposal.
_QUESTION = "When is my STAT210 quiz due? Please remember that I study best in the library."


def announcement(*, facts: Mapping[str, Any], seconds: float, logs: str) -> str:
    """The addresses, the demo sign-in and a first call that can be pasted. ``facts`` is the quickstart's JSON."""
    console = facts["console"]
    return "\n".join(
        [
            "",
            f"Ikiro Gateway is ready (the start took {seconds:.1f} s).",
            "",
            f"  Console   {console['url']}",
            f"  Sign in   {console['email']}  {console['password']}",
            f"  Logs      {logs}",
            "",
            "First call:",
            "",
            first_call(facts),
            "",
            "Ctrl-C stops everything.",
            "",
        ]
    )


def first_call(facts: Mapping[str, Any]) -> str:
    """A curl of POST /v1/chat that a shell takes as it is."""
    body = {
        "model": "ikiro/sandbox",  # always there; a provider of your own is "provider/model"
        "persona_id": facts["persona_id"],
        "subject_id": facts["subject_id"],
        "messages": [{"role": "user", "content": _QUESTION}],
    }
    return " \\\n".join(
        [
            f"curl -s {facts['base_url']}/v1/chat",
            f"  -H 'Authorization: Bearer {facts['api_key']}'",
            "  -H 'Content-Type: application/json'",
            f"  -d '{json.dumps(body)}'",
        ]
    )
