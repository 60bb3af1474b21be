"""Who signs the operations that no key may call: an owner with a user token, or a session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
from django.db import transaction

from gateway.platform.flags.catalogue import PROVISIONED
from tenants import selectors
from tenants.models import OrganizationRow
from tenants.services import organization_touch
from tenants.types import OrgRef
from tests.factories.organizations import new_organization
from tests.factories.people import PASSWORD, Someone, member, person, sign_in, user_token
from tests.harness import eventually
from tests.sso.support import code_for, tested_company


@dataclass
class Persons:
    """The people of the contract's organization."""

    base_url: str
    ref: OrgRef
    owner: Someone
    other: Someone
    invitation_id: str = ""
    invitation_token: str = ""

    @property
    def ids(self) -> dict[str, str]:
        return {
            "user_id": self.other.public_id,
            "invitation_id": self.invitation_id,
            "token": self.invitation_token,
            "slug": "contract",
        }

    def invite(self, email: str) -> tuple[str, str]:
        """A new invitation's id and the secret of its link."""
        headers = {"authorization": f"Bearer {user_token(self.owner, self.ref)}"}
        body = {"emails": [email], "role": "viewer"}
        (made,) = httpx.post(f"{self.base_url}/v1/invitations", json=body, headers=headers).json()["data"]
        return made["id"], made["url"].rpartition("/")[2]

    def headers(self, operation: dict[str, Any]) -> dict[str, str] | None:
        """What signs this operation; None where a key does. A token lives five minutes, so each gets a new one."""
        signed = [name for way in operation.get("security", [{"key": []}]) for name in way]
        if signed == ["userToken"]:
            return {"authorization": f"Bearer {user_token(self.owner, self.ref)}"}
        if signed == ["session"]:
            return {"x-session-token": sign_in(self.owner)}
        return None

    def for_example(self, name: str, example: Any) -> tuple[dict[str, str], Any] | None:
        """Headers and body for an example that is about one person: whoever it is about is somebody new."""
        if name == "account_trade_token":
            acme = selectors.organization_by_slug(example["organization"]).ref
            return {"x-session-token": sign_in(member(acme, "viewer"))}, example
        if name == "account_delete":
            return {"authorization": f"Bearer {user_token(person())}"}, example
        if name == "organizations_close":
            ref = new_organization("closing")
            with transaction.atomic():
                OrganizationRow.objects.filter(pk=ref.id).update(flags=PROVISIONED)
                organization_touch(ref)
            headers = {"authorization": f"Bearer {user_token(member(ref, 'owner'), ref)}"}
            limits = f"{self.base_url}/v1/limits"
            eventually(lambda: httpx.get(limits, headers=headers).status_code == 200, within=30)  # it is being set up
            return headers, {"confirm": selectors.organization(ref.id).slug, "password": PASSWORD}
        if name == "invitations_accept":
            guest = person("guest")
            return {"authorization": f"Bearer {user_token(guest)}"}, {"token": self.invite(guest.email)[1]}
        if name == "sso_enforce":
            made = tested_company(self)
            headers = {"authorization": f"Bearer {user_token(made.owner, made.ref)}"}
            return headers, {"break_glass_user_id": made.owner.public_id}
        if name == "sso_exchange_code":
            return {}, {"code": code_for(tested_company(self))}
        return None


def cast(base_url: str) -> Persons:
    """An owner and another member of the organization ``contract``, and an open invitation."""
    ref = selectors.organization_by_slug("contract").ref
    found = Persons(base_url, ref, member(ref, "owner"), member(ref, "viewer"))
    found.invitation_id, found.invitation_token = found.invite("guest@acme.example")
    return found
