"""Questions about one subject's life, with the memories that answer them."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import datetime, timedelta

from tests.bench.memory.dataset import FORGOTTEN, Person, Question, Turn
from tests.bench.memory.dsl import Ask, Domain
from tests.bench.memory.story import Episode, Life, Stated
from tests.bench.memory.world import capital, named

# Of each subject's questions; what a life cannot provide is left out.
QUOTAS = {
    "direct": 10, "paraphrase": 5, "date": 5, "multi_hop": 4, "contradiction": 3, "as_of": 2, "known_at": 1,
    "absent": 5, "hidden": 3, "wrong_person": 1, "never_told": 1,
}  # fmt: skip
_KIND = {"?": "direct", "~": "paraphrase"}


class Asker:
    """Draws the questions of one subject."""

    def __init__(self, life: Life, seed: int) -> None:
        self.life, self.person = life, life.person
        self.rng = random.Random(f"{seed}/{life.person.subject}/questions")
        self._asked: set[str] = set()

    def ask(self, times: int = 1) -> list[Question]:
        """The questions, every kind up to ``times`` its quota."""
        pools: dict[str, list[Question]] = {kind: [] for kind in QUOTAS}
        for episode in self.life.episodes:
            for ask in episode.domain.asks:
                self._about(episode, ask, pools)
            self._in_two_steps(episode, pools["multi_hop"])
            self._unanswerable(episode, pools)
        for stated in (*self.life.slots, *self.life.circle):
            self._fact(stated, pools)
        for domain in self.life.absent:
            self._absent(domain, pools["absent"])
        chosen = [one for kind, most in QUOTAS.items() for one in self._drawn(pools[kind], most * times)]
        self.rng.shuffle(chosen)
        return chosen

    def _drawn(self, pool: list[Question], most: int) -> list[Question]:
        """At most ``most`` of a pool, no two alike."""
        drawn: list[Question] = []
        for one in self.rng.sample(pool, len(pool)):
            if len(drawn) < most and one.text not in self._asked:
                self._asked.add(one.text)
                drawn.append(one)
        return drawn

    def _new(
        self, text: str, kind: str, evidence: Iterable[Turn] = (), *, never: Iterable[Turn] = (),
        as_of: datetime | None = None, known_at: datetime | None = None,
    ) -> Question:  # fmt: skip
        turns = tuple(evidence)
        events = {turn.event for turn in turns}
        about = frozenset(turn.key for turn in self.person.turns if turn.event in events)
        hidden = frozenset(turn.key for turn in never)
        key = f"{self.person.subject}-q-{kind}-{abs(hash_of(text, as_of, known_at)):012d}"
        return Question(
            key, self.person.subject, capital(text), kind, tuple(turn.key for turn in turns), about - hidden, hidden,
            as_of, known_at,
        )  # fmt: skip

    def _fill(self, text: str, values: dict[str, str], when: str = "") -> str:
        return self.life.words.fill(text, {**values, "when": when})

    def _rivals(self, episode: Episode) -> list[Episode]:
        """Other stories of the same person about the same domain: they must not fit the question as well."""
        return [
            other
            for other in self.life.episodes
            if other is not episode and other.domain is episode.domain and other.teller == episode.teller
        ]

    def _open(self, turns: Iterable[Turn | None]) -> bool:
        return all(turn is not None and not turn.fate and turn.source not in self.person.revoked for turn in turns)

    def _about(self, episode: Episode, ask: Ask, pools: dict[str, list[Question]]) -> None:
        if ask.kind == "*":
            self._all_of(episode, ask, pools["multi_hop"])
            return
        turns = [episode.turns.get(key) for key in ask.keys]
        if not self._open(turns):
            return
        evidence = [turn for turn in turns if turn is not None]
        plain = self._fill(ask.text, episode.values)
        rivals = self._rivals(episode)
        unclear = [other for other in rivals if self._fill(ask.text, other.values) == plain]
        if ask.kind == "+":
            if not unclear:
                pools["multi_hop"].append(self._new(plain, "multi_hop", evidence))
            return
        if not unclear:
            pools[_KIND[ask.kind]].append(self._new(plain, _KIND[ask.kind], evidence))
        if "{when}" in ask.text and (unclear or self.rng.random() < 0.15):
            phrase, months = named(self.rng, evidence[0].occurred_at)
            taken = {
                (turn.occurred_at.year, turn.occurred_at.month) for other in rivals for turn in other.turns.values()
            }
            if not months & taken:
                dated = self._fill(ask.text, episode.values, phrase)
                pools["date"].append(self._new(dated, "date", evidence))

    def _all_of(self, episode: Episode, ask: Ask, pool: list[Question]) -> None:
        same = [episode, *self._rivals(episode)]
        turns = [one.turns.get(ask.keys[0]) for one in same]
        if len(same) > 1 and self._open(turns):
            evidence = [turn for turn in turns if turn is not None]
            pool.append(self._new(self._fill(ask.text, episode.values), "multi_hop", evidence))

    def _in_two_steps(self, episode: Episode, pool: list[Question]) -> None:
        """Who the person of a story is, then what that person said about themselves."""
        if episode.domain.person is None:
            return
        key, phrase = episode.domain.person
        turn = episode.turns.get(key)
        who = self._fill(phrase, episode.values)
        alike = any(self._fill(phrase, other.values) == who for other in self._rivals(episode))
        for stated in self.life.circle:
            if stated.about == episode.values["P"] and turn is not None and self._open([turn]) and not alike:
                text = self._fill(stated.fact.hop, {"R": who})
                pool.append(self._new(text, "multi_hop", [turn, stated.turns[0]]))

    def _fact(self, stated: Stated, pools: dict[str, list[Question]]) -> None:
        values = {"U": stated.about, "X": stated.about}
        now, before = stated.turns[-1], stated.turns[:-1]
        visible = self._open([now])
        for ask in stated.fact.asks:
            text = self._fill(ask.text, values)
            if not visible:
                kind = now.fate or "consent"
                pools["hidden"].append(self._new(text, kind, never=stated.turns))
                continue
            if not before:
                pools[_KIND[ask.kind]].append(self._new(text, _KIND[ask.kind], [now]))
                continue
            pools["contradiction"].append(self._new(text, "contradiction", [now], never=before))
            self._back_then(stated, text, pools)

    def _back_then(self, stated: Stated, text: str, pools: dict[str, list[Question]]) -> None:
        """The same question, asked of a day when an older value held, or was believed to."""
        old, new = stated.turns[-2], stated.turns[-1]
        others = [turn for turn in stated.turns if turn is not old]
        day = self._between(old.occurred_at, new.occurred_at)
        if day is not None:
            pools["as_of"].append(self._new(text, "as_of", [old], never=others, as_of=day))
        known = self._between(old.recorded_at, new.occurred_at)
        if known is not None:
            pools["known_at"].append(self._new(text, "known_at", [old], never=others, as_of=known, known_at=known))

    def _between(self, first: datetime, last: datetime) -> datetime | None:
        days = (last - first).days
        return first + timedelta(days=self.rng.randint(1, days - 1)) if days > 3 else None

    def _unanswerable(self, episode: Episode, pools: dict[str, list[Question]]) -> None:
        """About a forgotten story, about somebody who never told one, about what nobody ever told."""
        turns = list(episode.turns.values())
        asks = [ask for ask in episode.domain.asks if ask.kind in _KIND and ask.keys[0] in episode.turns]
        if turns and turns[0].fate == FORGOTTEN:
            for ask in asks:
                text = self._fill(ask.text, episode.values)
                pools["hidden"].append(self._new(text, "forgotten", never=turns))
            return
        tellers = {one.teller for one in self.life.episodes if one.domain is episode.domain}
        strangers = [name for name in self.person.friends if name not in tellers and name != episode.values["P"]]
        if strangers and asks:
            ask, stranger = self.rng.choice(asks), self.rng.choice(strangers)
            text = self._fill(ask.text, {**episode.values, "A": stranger})
            if stranger in text:
                pools["wrong_person"].append(self._new(text, "wrong_person"))
        for text in episode.domain.never:
            pools["never_told"].append(self._new(self._fill(text, episode.values), "never_told"))

    def _absent(self, domain: Domain, pool: list[Question]) -> None:
        """A question of a domain that nobody around this subject ever spoke of."""
        values = {name: self.rng.choice(options) for name, options in domain.values.items()}
        people = (self.person.name, *self.person.friends)
        values.update(A=people[0] if self.rng.random() < 0.6 else self.rng.choice(people), P=self.rng.choice(people))
        ask = self.rng.choice([ask for ask in domain.asks if ask.kind in _KIND])
        pool.append(self._new(self._fill(ask.text, values), "absent"))


def hash_of(*parts: object) -> int:
    """A number that is the same in every process."""
    return int.from_bytes(random.Random(repr(parts)).randbytes(5))


def check(person: Person) -> None:
    """Raise ValueError when a question's evidence is not to be seen, or what it must not find is."""
    for question in person.questions:
        seen = {turn.key for turn in person.visible(question)}
        if not set(question.evidence) <= seen or question.never & seen:
            raise ValueError(f"{question.key}: {question.text}")
