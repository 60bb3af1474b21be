"""The operator's hand on organizations: create, key, list, plan, limits, flags, suspend, resume, retry. Every change
is audited."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from gateway.core.errors import GatewayError
from gateway.core.journal import OPERATOR
from gateway.platform.flags import catalogue
from tenants import keys, plans, selectors, services
from tenants.context import scope
from tenants.provisioning import service as provisioning


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        create = actions.add_parser("create", help="register an organization; a worker builds it")
        create.add_argument("slug")
        create.add_argument("--name")
        create.add_argument("--plan", default="free", choices=list(plans.PLANS))
        create.add_argument("--wait", action="store_true", help="build it here and now")
        actions.add_parser("list", help="all organizations with their state")
        for name, words in (("plan", "PLAN"), ("limits", "NAME=NUMBER|none"), ("flags", "KEY=on|off|NUMBER|default")):
            change = actions.add_parser(name, help=f"show or set {name}")
            change.add_argument("slug")
            change.add_argument("values", nargs="*", metavar=words)
        key = actions.add_parser("key", help="make an API key that may do everything a key may, and print it this once")
        key.add_argument("slug")
        key.add_argument("--name", default="operator")
        for name in ("suspend", "resume", "retry"):
            actions.add_parser(name).add_argument("slug")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        try:
            getattr(self, f"_{action}")(
                **{key: options[key] for key in ("slug", "name", "plan", "wait", "values") if key in options}
            )
        except GatewayError as error:
            raise CommandError(error.detail) from None

    def _create(self, slug: str, name: str | None, plan: str, wait: bool) -> None:
        organization = services.organization_create(slug=slug, name=name or slug.replace("-", " ").title(), plan=plan)
        if wait:
            organization = provisioning.run(organization.ref.id)
        else:
            provisioning.provision.send(str(organization.ref.id))
        self.stdout.write(
            f"{organization.ref.public_id} {organization.slug} {organization.state} {organization.failure}".rstrip()
        )
        if wait and organization.state != "ready":
            raise CommandError("It is not ready; the cause is above. Try again with: orgs retry " + slug)

    def _list(self) -> None:
        for one in selectors.organizations():
            state = "suspended" if one.suspended_at else one.state
            self.stdout.write(f"{one.ref.public_id} {one.slug:24} {one.plan:10} {state:12} {one.failure}".rstrip())

    def _plan(self, slug: str, values: list[str]) -> None:
        organization = selectors.organization_by_slug(slug)
        if values:
            organization = services.plan_set(organization.ref, values[0], actor=OPERATOR)
        self.stdout.write(organization.plan)

    def _limits(self, slug: str, values: list[str]) -> None:
        organization = selectors.organization_by_slug(slug)
        if values:
            limits = {**organization.limits, **{key: _number(key, text) for key, text in map(_pair, values)}}
            organization = services.limits_set(organization.ref, limits, actor=OPERATOR)
        limits_now = plans.limits(organization)
        self.stdout.write(json.dumps({name: getattr(limits_now, name) for name in plans.OVERRIDABLE}))

    def _flags(self, slug: str, values: list[str]) -> None:
        organization = selectors.organization_by_slug(slug)
        if values:
            flags = {key: catalogue.parse(key, text) for key, text in map(_pair, values)}
            organization = services.flags_set(organization.ref, flags, actor=OPERATOR)
        for key in catalogue.FLAGS:
            self.stdout.write(
                f"{key:30} {catalogue.value(organization, key)!s:8} {catalogue.source(organization, key)}"
            )

    def _key(self, slug: str, name: str | None) -> None:
        with scope(selectors.organization_by_slug(slug).ref):
            self.stdout.write(keys.create(name=name or "operator", mode="live", actor=OPERATOR).secret)

    def _suspend(self, slug: str) -> None:
        services.suspend(selectors.organization_by_slug(slug).ref, actor=OPERATOR)
        self.stdout.write(f"{slug} is suspended; its keys get 403 org_suspended.")

    def _resume(self, slug: str) -> None:
        services.resume(selectors.organization_by_slug(slug).ref, actor=OPERATOR)
        self.stdout.write(f"{slug} works again.")

    def _retry(self, slug: str) -> None:
        provisioning.retry(selectors.organization_by_slug(slug).ref)
        self.stdout.write(f"{slug} is being built again.")


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise CommandError(f"{text!r} must be NAME=VALUE.")
    return key, value


def _number(key: str, text: str) -> int | None:
    if text == "none":
        return None
    if not text.isdigit():
        raise CommandError(f"{key}={text!r} must be a whole number or none.")
    return int(text)
