"""What the scheduler clears away of accounts, and what it leaves."""

from __future__ import annotations

from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session

from gateway.core import clock
from tenants.accounts import upkeep
from tenants.accounts.events import note
from tenants.accounts.models import AccountEventRow
from tenants.accounts.sessions import SessionStore, end_sessions
from tenants.models import EndedSessionRow, User
from tenants.people.sessions import sid_of


def _user(name: str, *, days_old: int, proved: bool) -> User:
    user = User.objects.create_user(f"{name}@acme.example", "a quiet harbour at noon")
    EmailAddress.objects.create(user=user, email=user.email, verified=proved, primary=True)
    User.objects.filter(pk=user.pk).update(created_at=clock.now() - timedelta(days=days_old))
    return user


def _session(user: User) -> str:
    store = SessionStore()
    store["_auth_user_id"] = str(user.pk)
    store.create()
    UserSession.objects.create(user=user, ip="198.51.100.1", session_key=store.session_key, user_agent="Laptop")
    return str(store.session_key)


@pytest.mark.django_db
def test_sweep__old_unproved_sign_ups__are_given_up_and_others_stay() -> None:
    old = _user("old", days_old=8, proved=False)
    kept = [_user("new", days_old=6, proved=False), _user("proved", days_old=80, proved=True)]
    assert upkeep.sweep() == 1
    old.refresh_from_db()
    assert (old.is_active, old.email.endswith("@deleted.invalid")) == (False, True)
    assert [User.objects.get(pk=user.pk).email for user in kept] == ["new@acme.example", "proved@acme.example"]
    assert upkeep.sweep() == 0


@pytest.mark.django_db
def test_sweep__expired_sessions_and_old_events__are_gone() -> None:
    user = _user("member", days_old=1, proved=True)
    live, expired = _session(user), _session(user)
    Session.objects.filter(session_key=expired).update(expire_date=clock.now() - timedelta(seconds=1))
    for age, who in ((401, user.pk), (399, user.pk), (31, None), (29, None)):
        note("sign_in_failed", who)
        AccountEventRow.objects.filter(pk=AccountEventRow.objects.latest("id").pk).update(
            at=clock.now() - timedelta(days=age)
        )
    upkeep.sweep()
    assert list(UserSession.objects.values_list("session_key", flat=True).filter(user=user)) == [live]
    ages = {(clock.now() - event.at).days for event in AccountEventRow.objects.filter(action="sign_in_failed")}
    assert {29, 399} <= ages
    assert not ages & {31, 401}


@pytest.mark.django_db
def test_end_sessions__all_but_one__note_each_end_for_the_user_tokens() -> None:
    user, bystander = (_user(name, days_old=1, proved=True) for name in ("member", "stranger"))
    mine, other, theirs = _session(user), _session(user), _session(bystander)
    assert end_sessions(user.pk, keep=mine) == 1
    assert set(Session.objects.values_list("session_key", flat=True)) >= {mine, theirs}
    assert not SessionStore().exists(other)
    ended = EndedSessionRow.objects.filter(sid__in=[sid_of(key) for key in (mine, other, theirs)])
    assert [(row.sid, row.user_id) for row in ended] == [(sid_of(other), user.pk)]
