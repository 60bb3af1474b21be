"""Make sure that a ready organization with a key, a persona, a person and some memories exists, and say how to use it.
Idempotent."""

from __future__ import annotations

import fcntl
import json
import os
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from gateway.core.errors import GatewayError, NotFound
from gateway.core.journal import OPERATOR
from ikiro import demo
from tenants import keys, selectors, services, tokens
from tenants.context import scope
from tenants.provisioning import service as provisioning
from tenants.types import Organization

DEMO_SLUG = "demo"


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--org", default=DEMO_SLUG, metavar="NAME")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with _one_at_a_time():
                facts = self._facts(options["org"])
        except GatewayError as error:
            raise CommandError(error.detail) from None
        if options["json"]:
            self.stdout.write(json.dumps(facts))
            return
        for name, value in facts.items():
            self.stdout.write(f"{name:12} {value}")

    def _facts(self, slug: str) -> dict[str, Any]:
        organization = _organization(slug)
        email = f"owner@{slug}.example"
        password = (
            os.environ.get("IKIRO_DEMO_PASSWORD") or Path(os.environ["IKIRO_DEMO_PASSWORD_FILE"]).read_text().strip()
        )
        services.member_add(organization.ref, email=email, password=password, role="owner")
        with scope(organization.ref):
            api_key = _api_key(organization)
            demo.remember()
        base_url = os.environ.get("IKIRO_PUBLIC_URL", f"http://127.0.0.1:{os.environ.get('PORT', '8000')}")
        return {
            "base_url": base_url,
            "org": organization.slug,
            "api_key": api_key,
            "persona_id": demo.PERSONA_ID,
            "subject_id": demo.SUBJECT_ID,
            "console": {"url": base_url + "/", "email": email, "password": password},
        }


def _organization(slug: str) -> Organization:
    try:
        organization = selectors.organization_by_slug(slug)
    except NotFound:
        organization = services.organization_create(
            slug=slug, name=slug.replace("-", " ").title(), plan="business", flags=demo.FLAGS
        )
    if organization.state != "ready":
        organization = provisioning.run(organization.ref.id)
    if organization.state != "ready":
        raise CommandError(
            f"The organization {slug!r} is {organization.state}: {organization.failure or 'another process builds it'}"
        )
    return organization


def _api_key(organization: Organization) -> str:
    """The key that an earlier run made, as long as it works; its text lives only in the state directory, readable by
    its owner."""
    place = Path(settings.IKIRO_STATE_DIR) / "secrets" / f"quickstart-{organization.slug}.key"
    if place.exists():
        text = place.read_text().strip()
        parsed = tokens.parse(text)
        if parsed is not None:
            page = selectors.keys_page(organization.ref, limit=200, after=None)
            if any(
                key.public == parsed.public and key.secret_sha256 == parsed.sha256 and not key.revoked_at
                for key in page.data
            ):
                return text
    made = keys.create(name="quickstart", mode="live", actor=OPERATOR)
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    place.touch(mode=0o600)
    place.write_text(made.secret)
    return made.secret


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    place = Path(settings.IKIRO_STATE_DIR) / "quickstart.lock"
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with place.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
