"""Templates without the indentation that only people need: a third of a page's bytes.

Done to the source, before anything is filled in, so values keep every blank they have; ``<pre>`` and ``<textarea>``
keep theirs too.
"""

from __future__ import annotations

import re

from django.template import Origin
from django.template.loaders import filesystem

_KEPT = re.compile(r"(<(pre|textarea)\b.*?</\2>)", re.S)
_INDENT = re.compile(r"\n\s+")


class Loader(filesystem.Loader):
    """Django's loader of files; it changes the console's pages and nothing else (mail keeps its lines)."""

    def get_contents(self, origin: Origin) -> str:
        text = super().get_contents(origin)
        name = str(origin.template_name)
        return compact(text) if name.startswith("console/") and name.endswith(".html") else text


def compact(source: str) -> str:
    """One line break for each run of line breaks and indentation."""
    parts = _KEPT.split(source)
    # Every third part is text between kept elements, the one after it the element, the next its name.
    shown = [_INDENT.sub("\n", part) if place % 3 == 0 else part for place, part in enumerate(parts) if place % 3 != 2]
    return "".join(shown)
