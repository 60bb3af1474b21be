"""Claims on real tables: an organization's own and the accounts'."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.db.models.functions import Now

from gateway.core import crypto, ids
from gateway.core.idempotency import ANSWER_BYTES, Answer, Claims, Standing, claim_id
from gateway.platform.idempotency.models import ClaimRow
from tenants.accounts.models import AccountClaimRow
from tenants.context import public_scope, scope
from tests.factories.organizations import acme as committed_acme
from tests.factories.organizations import committed_database, globex, quiet

__all__ = ["committed_acme", "committed_database", "globex", "quiet"]
ID, MARK = claim_id("key:1", "once"), "f" * 64
ANSWER = Answer(201, (("Content-Type", "application/json"),), b'{"secret":"ik_live_\xc3\xbc"}')


@pytest.fixture(params=[ClaimRow, AccountClaimRow])
def claims(request: pytest.FixtureRequest, acme: Any) -> Iterator[Claims]:
    """Both tables, empty and rolled back: what other tests committed to the shared one is not theirs to see."""
    with scope(acme) if request.param is ClaimRow else public_scope():
        found = Claims(request.param)
        found._rows.all().delete()
        yield found


def test_claim__first__is_mine_and_then_running_for_others(claims: Claims) -> None:
    mine, other = ids.uuid7(), ids.uuid7()
    assert claims.claim(ID, MARK, mine, "p").standing is Standing.MINE
    found = claims.claim(ID, MARK, other, "p")
    assert (found.standing, found.request_id, found.answer) == (Standing.RUNNING, mine, None)


def test_claim__other_request__is_other_while_running_lapsed_and_done(claims: Claims) -> None:
    mine = ids.uuid7()
    claims.claim(ID, MARK, mine, "p")
    assert claims.claim(ID, "0" * 64, ids.uuid7(), "p").standing is Standing.OTHER
    claims._rows.update(lease_until=Now() - timedelta(seconds=1))
    assert claims.claim(ID, "0" * 64, ids.uuid7(), "p").standing is Standing.OTHER
    claims.complete(ID, mine, ANSWER, "p")
    assert claims.claim(ID, "0" * 64, ids.uuid7(), "p").standing is Standing.OTHER


def test_complete__then_claimed_again__gives_the_same_bytes(claims: Claims) -> None:
    mine = ids.uuid7()
    claims.claim(ID, MARK, mine, "p")
    assert claims.complete(ID, mine, ANSWER, "p") is True
    found = claims.claim(ID, MARK, ids.uuid7(), "p")
    assert (found.standing, found.request_id, found.answer) == (Standing.DONE, mine, ANSWER)
    (row,) = claims._rows.all()
    assert b"ik_live" not in bytes(row.answer_ciphertext)


def test_answer__moved_to_another_place__does_not_open(claims: Claims) -> None:
    mine = ids.uuid7()
    claims.claim(ID, MARK, mine, "p")
    claims.complete(ID, mine, ANSWER, "p")
    with pytest.raises(crypto.Unreadable):
        claims.claim(ID, MARK, ids.uuid7(), "q")


def test_complete__too_large__keeps_the_fact_alone(claims: Claims) -> None:
    mine = ids.uuid7()
    claims.claim(ID, MARK, mine, "p")
    claims.complete(ID, mine, Answer(200, (), b"x" * (ANSWER_BYTES + 1)), "p")
    found = claims.claim(ID, MARK, ids.uuid7(), "p")
    assert (found.standing, found.answer) == (Standing.TOO_LARGE, None)
    assert claims._rows.get().answer_ciphertext is None


def test_complete__of_the_largest__is_kept(claims: Claims) -> None:
    mine, answer = ids.uuid7(), Answer(200, (), b"\xff" * ANSWER_BYTES)
    claims.claim(ID, MARK, mine, "p")
    claims.complete(ID, mine, answer, "p")
    assert claims.claim(ID, MARK, ids.uuid7(), "p").answer == answer


def test_lapsed__same_request__is_taken_over_and_the_first_can_no_longer_complete(claims: Claims) -> None:
    first, second = ids.uuid7(), ids.uuid7()
    claims.claim(ID, MARK, first, "p")
    claims._rows.update(lease_until=Now() - timedelta(seconds=1))
    assert claims.claim(ID, MARK, second, "p").standing is Standing.MINE
    assert claims.complete(ID, first, ANSWER, "p") is False
    claims.release(ID, first)
    assert claims.renew([first]) == 0
    assert claims.claim(ID, MARK, ids.uuid7(), "p").request_id == second


def test_renewed__past_its_first_lease__is_still_running(claims: Claims) -> None:
    mine = ids.uuid7()
    claims.claim(ID, MARK, mine, "p")
    claims._rows.update(lease_until=Now() - timedelta(seconds=1))
    assert claims.renew([mine, ids.uuid7()]) == 1
    assert claims.claim(ID, MARK, ids.uuid7(), "p").standing is Standing.RUNNING


def test_release__then_claimed__is_as_if_never_used(claims: Claims) -> None:
    mine = ids.uuid7()
    claims.claim(ID, MARK, mine, "p")
    claims.release(ID, mine)
    assert claims.claim(ID, "0" * 64, ids.uuid7(), "p").standing is Standing.MINE


def test_day_over__done_or_not__is_free_again_and_purged(claims: Claims) -> None:
    first, second = ids.uuid7(), ids.uuid7()
    claims.claim(ID, MARK, first, "p")
    claims.complete(ID, first, ANSWER, "p")
    claims._rows.update(expires_at=Now() - timedelta(seconds=1))
    assert claims.claim(ID, "0" * 64, second, "p").standing is Standing.MINE
    assert claims._rows.get().answer_ciphertext is None
    assert claims.purge() == 0
    claims._rows.update(expires_at=Now() - timedelta(seconds=1))
    assert claims.purge() == 1
    assert claims._rows.count() == 0


def test_claim__of_twenty_at_once__is_given_to_one(committed_acme: Any, globex: Any) -> None:
    """Really committed, each on a connection of its own; the other organization's same name is free."""
    claims = Claims(ClaimRow)

    def take(_: int) -> Any:
        with scope(committed_acme):
            found = claims.claim(ID, MARK, mine := ids.uuid7(), "p")
        connections.close_all()
        return found, mine

    with ThreadPoolExecutor(10) as threads:
        taken = list(threads.map(take, range(20)))
    (winner,) = [mine for found, mine in taken if found.standing is Standing.MINE]
    assert {found.request_id for found, _ in taken} == {winner}
    assert [found.standing for found, _ in taken].count(Standing.RUNNING) == 19
    with scope(globex):
        assert claims.claim(ID, MARK, ids.uuid7(), "p").standing is Standing.MINE
