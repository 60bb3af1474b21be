"""Writes of targets: made, changed, forgotten. A secret goes in and never comes out."""

from __future__ import annotations

import re
from uuid import UUID

from django.db import transaction

from gateway.core import clock, crypto, ids
from gateway.core.crypto import Secret
from gateway.core.errors import FieldProblem
from gateway.core.journal import Actor, Change, record
from gateway.governance.proposals import signing
from gateway.governance.proposals.errors import InvalidTarget, TooManyTargets, UnknownTarget
from gateway.governance.proposals.models import TargetRow
from gateway.governance.proposals.targets import Kind, Target, place, to_target
from tenants.context import current
from tenants.services import organization_touch

MAX_TARGETS = 50
_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}\Z")
_USER = re.compile(r"[^:\x00-\x1f\x7f]{1,256}\Z")


def put(
    name: str,
    *,
    kind: Kind,
    url: str,
    actor: Actor,
    username: str = "",
    secret: Secret | None = None,
    request_id: UUID | None = None,
) -> tuple[Target, Secret | None]:
    """Make or change a target whose address has been vetted by the caller; (the target, its signing secret where one
    was made just now, to be shown once).

    A webhook target without ``secret`` keeps the one it has, or gets a new one. A CalDAV target keeps its password only
    while its address and user stay: a password is not sent where it was not given for. Raises InvalidTarget or
    TooManyTargets.
    """
    with transaction.atomic():
        organization_touch(current())  # one change at a time, so that the limit and the name hold
        row = TargetRow.objects.select_for_update().filter(name=name).first()
        if row is None and TargetRow.objects.count() >= MAX_TARGETS:
            raise TooManyTargets(f"An organization has at most {MAX_TARGETS} write targets; delete one first.")
        stays = row is not None and row.kind == kind and (kind is Kind.WEBHOOK or _same(row, url, username))
        _check(name, kind, username, secret, has_one=stays)
        made = signing.new_secret() if kind is Kind.WEBHOOK and secret is None and not stays else None
        verb = "created" if row is None else "updated"
        row = row or TargetRow(id=ids.uuid7(), name=name)
        given = secret or made
        if given is not None:
            row.secret_ciphertext, row.secret_kid = crypto.seal(given, *place(row.id))
        row.kind, row.url, row.username = kind, url, username
        row.updated_at, row.updated_by = clock.now(), str(actor)
        row.save()
        detail = {"name": name, "kind": row.kind, "url": url, "secret_changed": given is not None}
        record(Change(f"write_target.{verb}", actor, ids.public("wt", row.id), request_id=request_id, detail=detail))
        return to_target(row), made


def delete(name: str, *, actor: Actor, request_id: UUID | None = None) -> Target:
    """Forget a target and its secret. Proposals that mean it fail from now on. Raises UnknownTarget."""
    with transaction.atomic():
        row = TargetRow.objects.select_for_update().filter(name=name).first()
        if row is None:
            raise UnknownTarget(f"There is no write target {name!r}.")
        gone = to_target(row)
        detail = {"name": name, "kind": row.kind}
        row.delete()
        change = Change("write_target.deleted", actor, ids.public("wt", gone.id), request_id=request_id, detail=detail)
        record(change)
    return gone


def note_test(target: Target, *, ok: bool, code: str | None, actor: Actor, request_id: UUID | None = None) -> None:
    """Audit that a target was tried, and how it answered."""
    detail = {"name": target.name, "kind": target.kind.value, "ok": ok, "code": code}
    with transaction.atomic():
        record(Change("write_target.tested", actor, ids.public("wt", target.id), request_id=request_id, detail=detail))


def _same(row: TargetRow, url: str, username: str) -> bool:
    return row.url == url and row.username == username


def _check(name: str, kind: Kind, username: str, secret: Secret | None, *, has_one: bool) -> None:
    problems = []
    if not _NAME.match(name):
        problems.append(FieldProblem("#/path/name", "invalid", "1 to 40 of a-z, 0-9 and hyphens, a letter first"))
    if kind is Kind.CALDAV:
        if not _USER.match(username):
            problems.append(FieldProblem("#/username", "invalid", "1 to 256 characters, no colon"))
        if secret is None and not has_one:
            message = "is needed for a new target, and with another url or username"
            problems.append(FieldProblem("#/password", "missing", message))
    elif secret is not None and not signing.is_secret(secret.reveal()):
        message = f"{signing.PREFIX} and the base64 of 24 to 64 bytes; leave it out to be given one"
        problems.append(FieldProblem("#/secret", "invalid", message))
    if problems:
        told = "; ".join(f"{one.pointer.removeprefix('#/path/').removeprefix('#/')}: {one.message}" for one in problems)
        raise InvalidTarget(f"{told}.", problems=tuple(problems))
