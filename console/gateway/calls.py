"""The record of a call: what the API drawer shows, and what somebody may copy and run."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

# Values that must not show on a page again, wherever they stand in a body.
_SECRET_FIELDS = frozenset(
    {
        "api_key",
        "client_secret",
        "password",
        "current_password",
        "new_password",
        "secret",
        "token",
        "code",
        "key",
        "credential",
    }
)
_BLANK = "••••"
LANGUAGES = ("curl", "python", "typescript")


@dataclass(frozen=True, slots=True)
class Call:
    """One call as it went over the wire, secrets blanked. ``status`` 0: no answer came."""

    method: str
    path: str
    query: dict[str, Any] = field(default_factory=dict)
    body: Any = None
    status: int = 0
    ms: float = 0.0
    request_id: str = ""
    base_url: str = ""

    @property
    def address(self) -> str:
        """Path and query, as one would type it."""
        return self.path + (f"?{urlencode(self.query, doseq=True)}" if self.query else "")

    @property
    def snippets(self) -> list[tuple[str, str]]:
        """The call in each language, with the key taken from the environment."""
        return [("curl", self.curl()), ("python", self.python()), ("typescript", self.typescript())]

    def curl(self) -> str:
        parts = [f"curl {shlex.quote(self.base_url + self.address)}"]
        if self.method not in {"GET", "POST"} or (self.method == "POST" and self.body is None):
            parts[0] = f"curl -X {self.method} {shlex.quote(self.base_url + self.address)}"
        parts.append('-H "Authorization: Bearer $IKIRO_API_KEY"')
        if self.body is not None:
            parts += [
                '-H "Content-Type: application/json"',
                f"-d {shlex.quote(_json(self.body))}".replace("\n", "\n  "),
            ]
        return " \\\n  ".join(parts)

    def python(self) -> str:
        lines = ["import os", "import httpx", "", f"answer = httpx.{self.method.lower()}("]
        if self.method == "DELETE" and self.body is not None:
            lines[-1] = 'answer = httpx.request("DELETE",'
        lines.append(f"    {json.dumps(self.base_url + self.address)},")
        lines.append('    headers={"Authorization": f"Bearer {os.environ[\'IKIRO_API_KEY\']}"},')
        if self.body is not None:
            lines.append(f"    json={_python(self.body)},")
        return "\n".join([*lines, ")", "print(answer.json())"])

    def typescript(self) -> str:
        lines = [f"const answer = await fetch({json.dumps(self.base_url + self.address)}, {{"]
        if self.method != "GET":
            lines.append(f'  method: "{self.method}",')
        headers = "Authorization: `Bearer ${process.env.IKIRO_API_KEY}`"
        if self.body is not None:
            headers += ', "Content-Type": "application/json"'
        lines.append(f"  headers: {{ {headers} }},")
        if self.body is not None:
            lines.append(f"  body: JSON.stringify({_json(self.body)}),")
        return "\n".join([*lines, "});", "console.log(await answer.json());"])


def masked(value: Any) -> Any:
    """The value with every secret field blanked, however deep it stands."""
    if isinstance(value, dict):
        return {
            name: _BLANK if name in _SECRET_FIELDS and isinstance(inner, str) and inner else masked(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [masked(inner) for inner in value]
    return value


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def _python(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    if any(word in text for word in ("true", "false", "null")):
        return repr(value)
    return text
