"""A visitor of the console without a browser: keeps cookies, fills in the forms that pages have, reads the mail."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import httpx

from tests.accounts.support import PASSWORD, Accounts


class _Forms(HTMLParser):
    """The forms of a page: action and the values that are there already."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self._open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self.found.append((given.get("action") or "", {}))
            self._open = True
        elif tag == "input" and self._open and given.get("name"):
            if given.get("type") in {"radio", "checkbox"} and "checked" not in given:
                return
            self.found[-1][1][str(given["name"])] = given.get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        self._open = self._open and tag != "form"


@dataclass
class Page:
    """What came back, after redirects."""

    response: httpx.Response

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def path(self) -> str:
        return self.response.url.path

    @property
    def text(self) -> str:
        """The words on the page, without markup."""
        return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", self.response.text)).split())

    @property
    def heading(self) -> str:
        found = re.search(r"<h1[^>]*>(.*?)</h1>", self.response.text, re.S)
        return " ".join(html.unescape(found[1]).split()) if found else ""

    def form(self, action: str) -> dict[str, str]:
        """The values of the form that posts to ``action``; its first one when there are several."""
        forms = _Forms()
        forms.feed(self.response.text)
        found = [values for known, values in forms.found if known == action]
        assert found, f"no form for {action} on {self.path} ({self.status}): {self.text[:600]}"
        return found[0]


@dataclass
class Visitor:
    """One browser. ``accounts`` is the gateway behind the console, for its mails."""

    accounts: Accounts
    client: httpx.Client
    email: str
    password: str = PASSWORD
    page: Page = field(init=False)
    others: list[Visitor] = field(default_factory=list)

    def get(self, path: str, **options: Any) -> Page:
        self.page = Page(self.client.get(path, **options))
        return self.page

    def submit(self, action: str, **values: str) -> Page:
        """Fill in the form of the present page and send it."""
        self.page = Page(self.client.post(action, data={**self.page.form(action), **values}))
        return self.page

    def sign_up(self, path: str = "/signup", **more: str) -> Page:
        self.get(path)
        return self.submit("/signup", **{"email": self.email, "password": self.password, **more})

    def sign_in(self, path: str = "/login", **more: str) -> Page:
        self.get(path)
        return self.submit("/login", **{"email": self.email, "password": self.password, **more})

    def prove(self, back: str) -> Page:
        """Open a page that wants a fresh proof, and give the password."""
        page = self.get(back)
        if page.path == "/account/reauthenticate":
            page = self.submit("/account/reauthenticate", kind="password", password=self.password)
        assert page.path == back.partition("?")[0]
        return page

    def elsewhere(self, accounts: Accounts | None = None) -> Visitor:
        """The same person in another browser, perhaps at another console."""
        there = accounts or self.accounts
        other = Visitor(there, fresh_client(there.base_url), self.email, self.password)
        self.others.append(other)
        return other

    def close(self) -> None:
        self.client.close()
        for other in self.others:
            other.close()

    @property
    def code(self) -> str:
        return self.accounts.person(self.email).code()

    @property
    def link(self) -> str:
        """Path and query of the confirmation link."""
        mail = str(self.accounts.last_mail(self.email, "is your Ikiro code").get_payload())
        found = re.search(r"^https?://[^/\s]+(/\S+)$", mail, re.M)
        assert found
        return found[1]

    def signed_in(self) -> bool:
        return self.client.get("/account/profile", follow_redirects=False).status_code == 200


def fresh_client(base_url: str) -> httpx.Client:
    return httpx.Client(base_url=base_url, follow_redirects=True, timeout=30)
