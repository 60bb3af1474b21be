"""What a template of the console may not hold. Each rule takes a source and yields what is wrong there, so that the
test can show each one a planted violation."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from html.parser import HTMLParser

ALLOWED_HX = {
    "hx-get", "hx-post", "hx-delete", "hx-target", "hx-swap", "hx-trigger", "hx-push-url", "hx-include", "hx-vals",
    "hx-disabled-elt", "hx-indicator", "hx-confirm", "hx-sync", "hx-swap-oob", "hx-ext", "hx-headers", "hx-history",
}  # fmt: skip
SWAPS = {"innerHTML", "outerHTML", "beforeend", "afterbegin", "none", "delete"}
_ADDRESS = re.compile(r"\{%\s*(?:asset|url)\b.*?%\}", re.S)
_TAG = re.compile(r"\{%.*?%\}|\{#.*?#\}", re.S)
_VALUE = re.compile(r"\{\{.*?\}\}", re.S)
_ON = re.compile(r"on[a-z]+")
_PARTIAL = re.compile(r"\{%\s*partialdef\s+([\w-]+)")
_PARTIAL_USE = re.compile(r"[\"'](console/[\w/.-]+\.html)#([\w-]+)[\"']")


@dataclass(frozen=True)
class Element:
    """One start tag and the tags around it. ``data`` is the text of a script or style."""

    name: str
    attributes: dict[str, str]
    around: tuple[Element, ...]
    line: int


@dataclass(frozen=True)
class Template:
    """One template: ``path`` below templates/, ``text`` as written."""

    path: str
    text: str

    @cached_property
    def partials(self) -> set[str]:
        return set(_PARTIAL.findall(self.text))

    @cached_property
    def elements(self) -> list[Element]:
        reader = _Reader()
        plain = _VALUE.sub("x", _ADDRESS.sub("x", self.text))
        reader.feed(_TAG.sub(lambda match: "\n" * match[0].count("\n"), plain))
        return reader.found

    def at(self, element: Element) -> str:
        return f"{self.path}:{element.line}"


class _Reader(HTMLParser):
    _VOID = {"area", "br", "col", "hr", "img", "input", "link", "meta", "source", "use", "wbr"}

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[Element] = []
        self._open: list[Element] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs}, tuple(self._open), self.getpos()[0])
        self.found.append(element)
        if tag not in self._VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        for place in range(len(self._open) - 1, -1, -1):
            if self._open[place].name == tag:
                del self._open[place:]
                return

    def handle_data(self, data: str) -> None:
        if data.strip() and self._open and self._open[-1].name in {"script", "style"}:
            owner = self._open[-1]
            self.found.append(Element("#text", {"of": owner.name}, (), owner.line))


Rule = Callable[[Template], Iterator[str]]


def nothing_inline(template: Template) -> Iterator[str]:
    """The policy forbids it, and a browser would drop it without a word to us."""
    for element in template.elements:
        for name in element.attributes:
            if name == "style" or _ON.fullmatch(name):
                yield f"{template.at(element)}: {name}="
        if element.name == "#text" or element.name == "style":
            yield f"{template.at(element)}: an inline {element.attributes.get('of', 'style')}"
        if element.name == "script" and not element.attributes.get("src"):
            yield f"{template.at(element)}: a script without src"


def nothing_foreign(template: Template) -> Iterator[str]:
    """What is loaded comes from here; ``javascript:`` is no address."""
    for element in template.elements:
        for name, value in element.attributes.items():
            if value.strip().lower().startswith("javascript:"):
                yield f"{template.at(element)}: {name}=javascript:"
        loads = element.attributes.get("src") or (element.name == "link" and element.attributes.get("href")) or ""
        if re.match(r"(https?:)?//", str(loads)):
            yield f"{template.at(element)}: loads {loads}"


def htmx_subset(template: Template) -> Iterator[str]:
    for element in template.elements:
        for name, value in element.attributes.items():
            if name.startswith("hx-") and name not in ALLOWED_HX:
                yield f"{template.at(element)}: {name} is outside our part of htmx"
            if name in {"hx-vals", "hx-headers"} and value.lstrip().startswith(("js:", "javascript:")):
                yield f"{template.at(element)}: {name} runs script"
            if name == "hx-trigger" and "[" in value:
                yield f"{template.at(element)}: a filter in hx-trigger runs script"
            if name == "hx-swap" and value.split()[0] not in SWAPS:
                yield f"{template.at(element)}: hx-swap={value}"
            if name == "hx-ext" and value != "sse":
                yield f"{template.at(element)}: hx-ext={value}"


def writes_are_forms(template: Template) -> Iterator[str]:
    """Each thing that changes something works without scripts: a form with an address."""
    for element in template.elements:
        if not {"hx-post", "hx-delete"} & set(element.attributes):
            continue
        form = next((one for one in (element, *reversed(element.around)) if one.name == "form"), None)
        if form is None:
            yield f"{template.at(element)}: hx-post outside a form"
        elif "action" not in form.attributes and "formaction" not in element.attributes:
            yield f"{template.at(element)}: the form has no action"


def forms_have_a_token(template: Template) -> Iterator[str]:
    for match in re.finditer(r"<form\b[^>]*method=\"post\".*?</form>", template.text, re.S):
        if "{% csrf_token %}" not in match[0]:
            yield f"{template.path}:{template.text[: match.start()].count(chr(10)) + 1}: a form without csrf_token"


def images_have_words(template: Template) -> Iterator[str]:
    for element in template.elements:
        if element.name == "img" and "alt" not in element.attributes:
            yield f"{template.at(element)}: an image without alt"


RULES: tuple[Rule, ...] = (
    nothing_inline,
    nothing_foreign,
    htmx_subset,
    writes_are_forms,
    forms_have_a_token,
    images_have_words,
)


def lost_targets(templates: list[Template]) -> Iterator[str]:
    """``hx-target="#x"`` where no template has an element or a part of that name: nothing would ever show."""
    known = {name for template in templates for name in template.partials}
    known |= {element.attributes.get("id", "") for template in templates for element in template.elements}
    for template in templates:
        for element in template.elements:
            target = element.attributes.get("hx-target", "")
            name = target.removeprefix("#")
            if target.startswith("#") and not {name, name.partition("-")[0]} & known:
                yield f"{template.at(element)}: hx-target={target}, but nothing of that name"


def lost_parts(sources: dict[str, str], templates: list[Template]) -> Iterator[str]:
    """``"console/x.html#part"`` in Python that the template does not define."""
    parts = {template.path: template.partials for template in templates}
    for path, text in sources.items():
        for name, part in _PARTIAL_USE.findall(text):
            if part not in parts.get(name, set()):
                yield f"{path}: {name}#{part} is not defined"


def css_problems(path: str, text: str) -> Iterator[str]:
    """One class a selector, tokens only: no ids, no !important, no colour outside the tokens."""
    bare = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    if "!important" in bare:
        yield f"{path}: !important"
    for selector in re.findall(r"([^{};]+)\{", bare):
        if re.search(r"#[a-zA-Z][\w-]*", selector):
            yield f"{path}: an id in {selector.strip()}"
    if "tokens" not in path and re.search(r":[^;{}]*#[0-9a-fA-F]{3,8}\b", bare):
        yield f"{path}: a colour outside the tokens"
    if re.search(r"url\(|@import", bare):
        yield f"{path}: loads something"
