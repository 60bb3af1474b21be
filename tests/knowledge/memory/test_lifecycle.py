"""The life of memories against a simple model: whatever is done in whatever order, recall finds exactly what the model
says, in two organizations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from unittest import mock
from uuid import UUID

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from gateway.core import clock
from gateway.core.errors import GatewayError
from gateway.knowledge.memory import boundaries, consents, selectors, services
from gateway.knowledge.memory.models import MemoryToken, SubjectState
from gateway.knowledge.memory.services.forgetting import UNDO
from gateway.knowledge.memory.types import Memory, NewMemory, Provenance
from gateway.knowledge.subjects.types import SubjectRef
from tenants.context import scope
from tenants.types import OrgRef
from tests.knowledge.memory.support import ALICE, ask, person, texts

SOURCES, TOPICS = ("chat", "gmail"), ("divorce", "boat")


@dataclass
class Known:
    """One memory as the model has it; ``ids`` are its wordings, the newest last."""

    ids: list[UUID]
    text: str
    source: str
    topic: str
    state: str = "active"
    occurred: int | None = None  # day of a fact of the slot
    expires: datetime | None = None
    forgotten: datetime | None = None
    before: str = "active"


@dataclass
class Home:
    """One subject of one organization."""

    ref: OrgRef
    subject: SubjectRef
    memories: list[Known] = field(default_factory=list)
    revoked: set[str] = field(default_factory=set)
    lines: dict[str, UUID] = field(default_factory=dict)

    def visible(self, now: datetime) -> list[str]:
        return sorted(
            one.text
            for one in self.memories
            if one.state == "active"
            and one.source not in self.revoked
            and one.topic not in self.lines
            and (one.expires is None or one.expires > now)
        )


def done(work: Callable[[], Memory]) -> Memory | GatewayError:
    """What became of it."""
    try:
        return work()
    except GatewayError as refused:
        return refused


class Lives(RuleBasedStateMachine):
    organizations: tuple[OrgRef, ...] = ()

    def __init__(self) -> None:
        super().__init__()
        self.homes = [Home(ref, person("ann")) for ref in self.organizations]
        self.day, self.made, self.passed = 0, 0, timedelta()
        self._began = datetime.now(clock.now().tzinfo)
        self._patch = mock.patch.object(clock, "now", self._now)
        self._patch.start()
        self.home = self.homes[0]

    def _now(self) -> datetime:
        """Every reading is later than the last, as a clock's is."""
        self.passed += timedelta(microseconds=1)
        return self._began + self.passed

    def teardown(self) -> None:
        self._patch.stop()

    @contextmanager
    def at(self, home: int) -> Iterator[Home]:
        self.home = self.homes[home]
        with scope(self.home.ref):
            yield self.home

    def known(self, home: Home, pick: int, *states: str) -> Known | None:
        fitting = [one for one in home.memories if one.state in states]
        return fitting[pick % len(fitting)] if fitting else None

    @rule(home=st.integers(0, 1), source=st.sampled_from(SOURCES), topic=st.sampled_from(TOPICS), expires=st.booleans())
    def remember(self, home: int, source: str, topic: str, expires: bool) -> None:
        with self.at(home) as here:
            self.made += 1
            text = f"alpha {topic} n{self.made}"
            ends = clock.now() + timedelta(days=2) if expires else None
            new = NewMemory(text, Provenance(source, f"r{self.made}"), expires_at=ends)
            memory = services.create(here.subject, new, actor=ALICE, limit_per_subject=None)
            here.memories.append(Known([memory.id], text, source, topic, expires=ends))
            again = services.create(here.subject, new, actor=ALICE, limit_per_subject=None)
            assert (again.id, again.deduplicated) == (memory.id, True)

    @rule(home=st.integers(0, 1), day=st.integers(1, 300))
    def move(self, home: int, day: int) -> None:
        """A fact of a single-valued slot, in any order of its times; two of one day agree with the model by order."""
        with self.at(home) as here:
            self.made += 1
            text = f"alpha lives in n{self.made}"
            at = self._began - timedelta(days=1_000 - day)
            new = NewMemory(text, Provenance("chat"), slot="home.city", value=f"n{self.made}", occurred_at=at)
            memory = services.create(here.subject, new, actor=ALICE, limit_per_subject=None)
            fact = Known([memory.id], text, "chat", "", occurred=day)
            self._settle(here, fact)
            here.memories.append(fact)
            assert memory.status == fact.state

    def _settle(self, home: Home, fact: Known) -> None:
        others = [
            one for one in home.memories if one.occurred is not None and one.state != "forgotten" and one is not fact
        ]
        if any((one.occurred or 0) > (fact.occurred or 0) for one in others):
            fact.state = "superseded"
            return
        fact.state = "active"
        for one in others:
            one.state = "superseded"

    @rule(home=st.integers(0, 1), pick=st.integers(0, 99))
    def correct(self, home: int, pick: int) -> None:
        with self.at(home) as here:
            one = self.known(here, pick, "active", "silenced", "forgotten")
            if one is None or one.occurred is not None or (one.expires and one.expires <= clock.now()):
                return
            self.made += 1
            text = f"alpha {one.topic} n{self.made}"
            fresh = done(
                lambda: services.correct(one.ids[-1], {"text": text}, expected_version=len(one.ids), actor=ALICE)
            )
            if isinstance(fresh, GatewayError):
                assert (fresh.code, one.state) == ("memory_forgotten", "forgotten")
                return
            assert one.state != "forgotten"
            for stale in one.ids:
                lost = partial(services.correct, stale, {"text": "alpha lost"}, expected_version=None, actor=ALICE)
                late = done(lost)
                assert isinstance(late, GatewayError)
                assert (late.http_status, late.extra["current_version"]) == (409, len(one.ids) + 1)
            one.ids.append(fresh.id)
            one.text = text

    @rule(home=st.integers(0, 1), pick=st.integers(0, 99), wording=st.integers(0, 9))
    def forget(self, home: int, pick: int, wording: int) -> None:
        with self.at(home) as here:
            one = self.known(here, pick, "active", "silenced", "superseded", "forgotten")
            if one is None:
                return
            services.forget(one.ids[wording % len(one.ids)], actor=ALICE)
            if one.state != "forgotten":
                one.before, one.state, one.forgotten = one.state, "forgotten", clock.now()
            retold = NewMemory(one.text, Provenance(one.source, "x"), extracted=True)
            (result,) = services.create_many([(here.subject, retold)], actor=ALICE, limit_per_subject=None)
            assert result.error is not None

    @rule(home=st.integers(0, 1), pick=st.integers(0, 99))
    def restore(self, home: int, pick: int) -> None:
        with self.at(home) as here:
            one = self.known(here, pick, "forgotten")
            if one is None:
                return
            late = one.forgotten is not None and clock.now() - one.forgotten > UNDO
            back = done(lambda: services.restore(one.ids[-1], actor=ALICE, limit_per_subject=None))
            if isinstance(back, GatewayError):
                assert (late, back.http_status) == (True, 410)
                return
            assert not late
            one.state, one.forgotten = one.before, None
            if one.occurred is not None and one.before == "active":
                self._settle(here, one)

    @rule(home=st.integers(0, 1), pick=st.integers(0, 99))
    def silence(self, home: int, pick: int) -> None:
        with self.at(home) as here:
            one = self.known(here, pick, "active", "silenced")
            if one is not None and one.occurred is None:
                undo = one.state == "silenced"
                (services.unsilence if undo else services.silence)(one.ids[-1], actor=ALICE)
                one.state = "active" if undo else "silenced"

    @rule(home=st.integers(0, 1), source=st.sampled_from(SOURCES), granted=st.booleans())
    def consent(self, home: int, source: str, granted: bool) -> None:
        with self.at(home) as here:
            consents.put(here.subject, source, granted, actor=ALICE)
            (here.revoked.discard if granted else here.revoked.add)(source)

    @rule(home=st.integers(0, 1), topic=st.sampled_from(TOPICS))
    def line(self, home: int, topic: str) -> None:
        with self.at(home) as here:
            drawn = here.lines.pop(topic, None)
            if drawn is None:
                here.lines[topic] = boundaries.add(here.subject, "topic", statement=topic, actor=ALICE).id
            else:
                boundaries.lift(drawn, actor=ALICE)

    @precondition(lambda self: self.passed < timedelta(days=60))
    @rule(days=st.sampled_from((1, 3, 31)))
    def wait(self, days: int) -> None:
        self.passed += timedelta(days=days)

    @invariant()
    def recall_is_what_the_model_says(self) -> None:
        """Of the subject that was touched, and of its namesake in the other organization."""
        for here in self.homes:
            with scope(here.ref):
                assert sorted(texts(ask(here.subject, "alpha", k=100))) == here.visible(clock.now())
                state = SubjectState.objects.filter(pk=here.subject.pk).first()
                kept = [one for one in here.memories if one.state in ("active", "silenced")]
                assert (state.count if state else 0) == len(kept)
                forgotten = [one.ids[-1] for one in here.memories if one.state == "forgotten"]
                assert not MemoryToken.objects.filter(memory_id__in=forgotten).exists()
                assert {one.status for one in selectors.get_many(forgotten)} <= {"forgotten"}


def test_memory__lived_in_any_order__is_recalled_as_the_model_says(acme: OrgRef, globex: OrgRef) -> None:
    Lives.organizations = (acme, globex)
    run_state_machine_as_test(
        Lives,
        settings=settings(
            max_examples=20,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            database=None,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )
