"""Which organizations a sweep must visit: from the markers to ``OrgRef``s, forgetting organizations that are gone."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.backends.base.base import BaseDatabaseWrapper

from gateway.platform.outbox import selectors, services
from gateway.platform.outbox.types import Kind
from tenants.context import public_scope
from tenants.selectors import organization
from tenants.types import OrgRef

_PAGE = 100


def organizations(on: BaseDatabaseWrapper, kind: Kind) -> Iterator[OrgRef]:
    """Every organization with a marker of this kind. Runs outside a scope; ``on`` is the batch role's connection.

    Markers of an organization that no longer exists are dropped: nobody could ever finish them.
    """
    after = None
    while page := selectors.pending_orgs(on, kind, _PAGE, after):
        for org_id in page:
            with public_scope():
                found = organization(org_id)
            if found is None:
                services.clear(on, kind, org_id, None)
            else:
                yield found.ref
        if len(page) < _PAGE:
            return
        after = page[-1]
