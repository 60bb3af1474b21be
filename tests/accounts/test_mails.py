"""Mails: each one that allauth may ask for exists and reads well, and the server they go to comes from one variable."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import allauth
import pytest
from django.core import mail
from django.core.exceptions import ImproperlyConfigured

from gateway.core import clock
from tenants.accounts import mails
from tenants.accounts.adapter import _NOTED
from tests.architecture.tree import ROOT

# Ways of signing in that are switched off.
_OFF = {"login_code", "password_reset_code", "email_confirm", "email_confirmation_signup"}
_NAME = re.compile(r'"((?:account|mfa|socialaccount)/email/[a-z_]+)"')


def _asked_for() -> list[str]:
    sources = Path(str(allauth.__file__)).parent.rglob("*.py")
    found = {name for path in sources for name in _NAME.findall(path.read_text())}
    return sorted(name for name in found if name.rpartition("/")[2] not in _OFF)


@pytest.mark.parametrize("name", _asked_for())
def test_mail__that_allauth_sends__has_a_subject_and_a_text(name: str, settings: object) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    values = {
        "code": "123456", "activate_url": "https://x.example/verify?key=a&b", "timestamp": clock.now(),
        "password_reset_url": "https://x.example/password/reset?key=a&b", "ip": "198.51.100.1", "user_agent": "O'Phone",
        "from_email": "a@acme.example", "to_email": "b@acme.example", "deleted_email": "a@acme.example",
        "provider": "Acme",
    }  # fmt: skip
    mails.send(name, "member@acme.example", values)
    [sent] = mail.outbox
    assert 10 < len(sent.subject) < 70
    assert sent.body.startswith("Hello,\n\n")
    assert not re.search(r"&#|&amp;|\{\{|\{%", sent.body)
    assert sent.to == ["member@acme.example"]
    if name in _NOTED:
        assert "198.51.100.1" in sent.body
        assert "O'Phone" in sent.body


def test_notifications__of_allauth__are_all_in_the_trail() -> None:
    sources = Path(str(allauth.__file__)).parent.rglob("*.py")
    told = {name for path in sources for name in re.findall(r"send_notification_mail\(\s*\"([^\"]+)", path.read_text())}
    assert told - set(_NOTED) == set()


def _settings() -> ModuleType:
    spec = importlib.util.spec_from_file_location("probe", ROOT / "ikiro/settings/accounts.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail.acme.example", ("mail.acme.example", 25, "", "", False, False)),
        ("starttls://u%40x:p%2F@mail.acme.example", ("mail.acme.example", 587, "u@x", "p/", False, True)),
        ("smtps://u:p@mail.acme.example:4465", ("mail.acme.example", 4465, "u", "p", True, False)),
    ],
)
def test_smtp_url__each_scheme__sets_server_port_and_encryption(
    monkeypatch: pytest.MonkeyPatch, url: str, expected: tuple[object, ...]
) -> None:
    monkeypatch.setenv("IKIRO_SMTP_URL", url)
    read = _settings()
    assert read.EMAIL_BACKEND.endswith("smtp.EmailBackend")
    assert expected == (
        read.EMAIL_HOST, read.EMAIL_PORT, read.EMAIL_HOST_USER, read.EMAIL_HOST_PASSWORD, read.EMAIL_USE_SSL,
        read.EMAIL_USE_TLS,
    )  # fmt: skip


@pytest.mark.parametrize("url", ["mail.acme.example", "https://mail.acme.example", "smtp://"])
def test_smtp_url__nonsense__stops_the_start(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("IKIRO_SMTP_URL", url)
    with pytest.raises(ImproperlyConfigured, match="IKIRO_SMTP_URL"):
        _settings()


def test_mail__without_configuration__goes_to_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IKIRO_MAIL_DIR", raising=False)
    assert _settings().EMAIL_BACKEND.endswith("console.EmailBackend")
