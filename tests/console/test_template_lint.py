"""Every template keeps the rules, and every rule catches what is planted for it."""

from __future__ import annotations

import pytest

from tests.architecture.tree import ROOT
from tests.console import lint
from tests.console.lint import RULES, Rule, Template

_FOLDER = ROOT / "templates"
TEMPLATES = [
    Template(path.relative_to(_FOLDER).as_posix(), path.read_text())
    for path in sorted(_FOLDER.glob("console/**/*.html"))
]
SOURCES = {path.relative_to(ROOT).as_posix(): path.read_text() for path in sorted(ROOT.glob("console/**/*.py"))}
SHEETS = {path.name: path.read_text() for path in sorted((ROOT / "static/console/css").glob("*.css"))}

PLANTED: list[tuple[Rule, str]] = [
    (lint.nothing_inline, '<p style="color:red">x</p>'),
    (lint.nothing_inline, '<button onclick="go()">x</button>'),
    (lint.nothing_inline, '<p {% if x %}onmouseover="go()"{% endif %}>x</p>'),
    (lint.nothing_inline, "<script>go()</script>"),
    (lint.nothing_inline, "<script></script>"),
    (lint.nothing_inline, "<style>p{}</style>"),
    (lint.nothing_foreign, '<a href="javascript:go()">x</a>'),
    (lint.nothing_foreign, '<a href=" JavaScript:go()">x</a>'),
    (lint.nothing_foreign, '<script src="https://cdn.example/x.js"></script>'),
    (lint.nothing_foreign, '<link rel="stylesheet" href="//cdn.example/x.css">'),
    (lint.htmx_subset, '<div hx-boost="true"></div>'),
    (lint.htmx_subset, '<div hx-on:click="go()"></div>'),
    (lint.htmx_subset, '<div hx-on="click: go()"></div>'),
    (lint.htmx_subset, """<form hx-vals='js:{"a": 1}'></form>"""),
    (lint.htmx_subset, '<input hx-trigger="keyup[ctrlKey]">'),
    (lint.htmx_subset, '<div hx-swap="morph"></div>'),
    (lint.htmx_subset, '<div hx-ext="ws"></div>'),
    (lint.writes_are_forms, '<div hx-post="/x"></div>'),
    (lint.writes_are_forms, '<form hx-post="/x"></form>'),
    (lint.writes_are_forms, '<form method="post"><button hx-delete="/x">x</button></form>'),
    (lint.forms_have_a_token, '<form action="/x" method="post"><input name="a"></form>'),
    (lint.images_have_words, '<img src="/x.svg">'),
]
ALLOWED = (
    '<form action="/x" method="post" hx-post="/x" hx-target="#list" hx-swap="outerHTML">{% csrf_token %}</form>'
    '<form action="/x" method="get" hx-get="/x"></form><script src="{% asset \'x\' %}"></script><img alt="" src="/x">'
    '<a href="https://elsewhere.example">x</a>'
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_templates__all__keep_the_rule(rule: Rule) -> None:
    assert len(TEMPLATES) > 30
    assert [problem for template in TEMPLATES for problem in rule(template)] == []


def test_templates__all__name_targets_and_parts_that_exist() -> None:
    assert list(lint.lost_targets(TEMPLATES)) == []
    assert list(lint.lost_parts(SOURCES, TEMPLATES)) == []


@pytest.mark.parametrize(("rule", "text"), PLANTED)
def test_rule__planted_violation__is_caught(rule: Rule, text: str) -> None:
    assert list(rule(Template("console/planted.html", text)))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule__what_is_allowed__passes(rule: Rule) -> None:
    assert list(rule(Template("console/planted.html", ALLOWED))) == []


def test_rules__each__has_a_planted_violation() -> None:
    assert {rule for rule, _ in PLANTED} == set(RULES)


def test_lost_targets__planted__is_caught() -> None:
    planted = Template("console/x.html", '<a hx-get="/x" hx-target="#nowhere">x</a>')
    row = Template("console/y.html", '{% partialdef row %}{% endpartialdef %}<a hx-get="/x" hx-target="#row-1">x</a>')
    assert len(list(lint.lost_targets([planted, row]))) == 1
    assert list(lint.lost_parts({"a.py": '"console/y.html#row" "console/y.html#no"'}, [row])) == [
        "a.py: console/y.html#no is not defined"
    ]


@pytest.mark.parametrize("name", SHEETS)
def test_style_sheets__each__keep_the_rules_and_stay_short(name: str) -> None:
    assert list(lint.css_problems(name, SHEETS[name])) == []
    assert SHEETS[name].count("\n") <= 200


@pytest.mark.parametrize(
    "text", ["p{color:red!important}", "#id{}", "p{color:#123}", "@import 'x';", "p{background:url(x)}"]
)
def test_css_problems__planted__are_caught(text: str) -> None:
    assert list(lint.css_problems("x.css", text))
