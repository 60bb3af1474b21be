"""What happened to an account is kept, for its person and nobody else; and what the services do to it."""

from __future__ import annotations

from uuid import UUID

import pytest

from gateway.core import ids
from gateway.core.errors import BadRequest, NotFound
from tenants.accounts import services
from tenants.accounts.events import events_of
from tenants.context import public_scope
from tenants.models import User
from tests.accounts.support import Accounts, Person


def _id(person: Person) -> UUID:
    return ids.parse("usr", person.get("auth/session").json()["data"]["user"]["id"])


def _actions(user_id: UUID) -> list[str]:
    with public_scope():
        return [event.action for event in reversed(events_of(user_id))]


@pytest.mark.usefixtures("committed_database")
def test_events__a_person_s_day__are_kept_in_order(accounts: Accounts) -> None:
    person, bystander = accounts.member(**{"User-Agent": "Laptop"}), accounts.member()
    user_id = _id(person)
    other = person.elsewhere(**{"User-Agent": "Phone"})
    other.sign_in("wrong")
    other.sign_in()
    person.post("account/password/change", current_password=person.password, new_password="a quiet harbour at night")
    person.call("DELETE", "auth/session")
    assert _actions(user_id) == [
        "email_verified", "signed_in", "sign_in_failed", "signed_in", "password_changed", "signed_out",
    ]  # fmt: skip
    with public_scope():
        events = {event.action: event for event in reversed(events_of(user_id))}
    assert (events["sign_in_failed"].address, events["sign_in_failed"].user_agent) == ("127.0.0.1", "Phone")
    assert events["signed_in"].detail == {"methods": ["password"]}
    assert _actions(_id(bystander)) == ["email_verified", "signed_in"]


@pytest.mark.usefixtures("committed_database")
def test_account_delete__everything_of_it__is_gone_and_the_address_is_free(accounts: Accounts) -> None:
    person, bystander = accounts.member(), accounts.member()
    user_id = _id(person)
    with public_scope():
        services.account_delete(user_id)
        gone = User.objects.get(pk=user_id)
        assert (gone.is_active, gone.name, person.email in gone.email) == (False, "", False)
        with pytest.raises(NotFound):
            services.account_delete(user_id)
    assert person.get("auth/session").status_code == 410
    assert person.elsewhere().sign_in().status_code == 400
    assert _actions(user_id)[-1] == "account_deleted"
    again = person.elsewhere()
    again.sign_up()
    assert again.post("auth/email/verify", key=again.code()).status_code == 200
    assert _id(again) != user_id
    assert bystander.signed_in()


@pytest.mark.usefixtures("committed_database")
def test_account_deactivate__signed_in_person__is_out_at_once(accounts: Accounts) -> None:
    person, bystander = accounts.member(), accounts.member()
    user_id = _id(person)
    with public_scope():
        services.account_deactivate(user_id)
    assert person.get("auth/session").status_code == 410
    assert not (again := person.elsewhere()).sign_in().is_success
    assert again.token is None or not again.signed_in()
    assert bystander.signed_in()


@pytest.mark.django_db
def test_account_rename__bad_and_good_names__only_the_good_one_is_kept() -> None:
    user = User.objects.create_user("member@acme.example", "a quiet harbour at noon")
    for name in ("", "  ", "x" * 121, "a\nb", "a\x00b"):
        with pytest.raises(BadRequest):
            services.account_rename(user.pk, name)
    assert services.account_rename(user.pk, " Nell ") == "Nell"
    user.refresh_from_db()
    assert user.name == "Nell"
