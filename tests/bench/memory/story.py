"""One subject's memories: stories in conversations and mails, facts that change, and the small talk between."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.bench.memory.dataset import EXPIRED, FORGOTTEN, SILENCED, SUPERSEDED, Person, Turn
from tests.bench.memory.dsl import Domain, Fact, domains, facts, noise
from tests.bench.memory.world import FIRST, LAST, NAMES, Words, capital, moment

DOMAINS, SLOTS, FRIENDS = 11, 9, 5
# How often a sentence of a story says again what it is about, and how often the same message also says something
# that has nothing to do with it. With the quotas of the questions this sets how hard the
# set is for the two baselines, and only they were looked at to set it.
RESTATED, ASIDE = 0.85, 0.8
# Who tells the stories of one domain: U the subject, F a friend. Repeated tellers and topics are the distractors.
_TELLERS = (("U",), ("U", "U"), ("U", "F"), ("F", "G"), ("U", "F", "U"), ("U", "F", "G"), ("U", "F", "U", "G"))
_WEIGHTS = (16, 16, 20, 6, 18, 14, 10)
_SOURCE_TYPES = {"calendar": "future_event", "receipt": "receipt", "gmail": "doc", "drive": "doc"}


@dataclass(slots=True)
class Episode:
    """One told story: its turns by their keys, and the values they were filled with."""

    domain: Domain
    teller: str
    values: dict[str, str]
    turns: dict[str, Turn] = field(default_factory=dict)
    event: str = ""


@dataclass(slots=True)
class Stated:
    """One fact about somebody, with its values in the order they became true."""

    fact: Fact
    about: str
    turns: list[Turn] = field(default_factory=list)


@dataclass(slots=True)
class Life:
    """A subject with what the questions are made from."""

    person: Person
    words: Words
    absent: list[Domain]
    episodes: list[Episode] = field(default_factory=list)
    slots: list[Stated] = field(default_factory=list)
    circle: list[Stated] = field(default_factory=list)


class Writer:
    """Writes one subject's life, ``count`` memories long."""

    def __init__(self, seed: int, number: int, count: int) -> None:
        self.rng = random.Random(f"{seed}/{number}")
        name, *friends = self.rng.sample(NAMES, FRIENDS + 1)
        self.person = Person(f"usr_{seed}_{number:03d}", name, tuple(friends))
        order = self.rng.sample(domains(), len(domains()))
        told = min(len(order) - 5, DOMAINS * count // 300)  # who says more speaks of more
        self.life = Life(self.person, Words(self.rng), list(order[told:]))
        self._told, self._count, self._numbers = order[:told], count, 0

    def write(self) -> Life:
        for domain in self._told:
            self._domain(domain)
        for fact in self.rng.sample(facts("slots"), SLOTS):
            self._slot(fact)
        for friend in self.person.friends:
            for fact in self.rng.sample(facts("circle"), 2):
                self._circle(friend, fact)
        self._fates()
        self._small_talk()
        self.person.turns.sort(key=lambda turn: (turn.recorded_at, turn.key))
        return self.life

    def _domain(self, domain: Domain) -> None:
        tellers = self.rng.choices(_TELLERS, _WEIGHTS)[0]
        friends = dict(zip("FG", self.rng.sample(self.person.friends, 2), strict=True))
        drawn = {name: self.rng.sample(values, len(values)) for name, values in domain.values.items()}
        people = self.rng.sample(self.person.friends, len(self.person.friends))
        for number, teller in enumerate(tellers):
            values = {name: options[number % len(options)] for name, options in drawn.items()}
            owner = self.person.name if teller == "U" else friends[teller]
            self._episode(domain, owner, {**values, "A": owner}, people[number:])

    def _episode(self, domain: Domain, owner: str, values: dict[str, str], people: list[str]) -> None:
        user = self.person.name
        if owner == user:
            other = next(name for name in reversed(self.person.friends) if name != people[0])
            other = self.rng.choice([name for name in self.person.friends if name != people[0]] or [other])
        else:
            other = user
        values.update(B=other, P=next(name for name in people if name not in {owner, other}))
        episode = Episode(domain, owner, values, event=f"{self.person.subject}/{domain.name}/{self._number()}")
        at = moment(self.rng, FIRST, LAST - timedelta(days=45))
        at = self._chat(self.rng.randint(0, 2), owner, other, at) if self.rng.random() < 0.6 else at
        for line in domain.lines:
            if line.optional and self.rng.random() < 0.35:
                continue
            if line.who.startswith("@"):
                if owner == user:
                    self._mail(episode, line.key, line.who[1:], line.texts, at)
                continue
            if line.later and self.rng.random() < 0.7:
                at = moment(self.rng, at + timedelta(days=2), at + timedelta(days=14))
            speaker = owner if line.who == "A" else other
            topics = domain.topic if line.who == "A" and line.key != "open" else ()
            text = self.life.words.say(line.texts, values, speaker, chatty=True, topics=topics, restated=RESTATED)
            if text is not None:
                text = self._with_aside(text)
                at += timedelta(minutes=self.rng.randint(1, 4), seconds=self.rng.randint(0, 50))
                episode.turns[line.key] = self._turn(text, at, episode.event, speaker, self._thread(owner, other))
        if self.rng.random() < 0.5:
            self._chat(self.rng.randint(1, 2), owner, other, at)
        self.life.episodes.append(episode)

    def _mail(self, episode: Episode, key: str, source: str, texts: tuple[str, ...], at: datetime) -> None:
        text = self.life.words.say(texts, episode.values, None, chatty=False)
        if text is not None:
            sent = at - timedelta(hours=self.rng.randint(2, 70))
            episode.turns[key] = self._turn(text, sent, episode.event, source=source)

    def _slot(self, fact: Fact) -> None:
        """A fact of the subject's, with one to three values one after another, and people who say similar things."""
        stated = Stated(fact, self.person.name)
        drawn = self.rng.sample(fact.values, 4)
        number = self.rng.choices((1, 2, 3), (35, 50, 15))[0]
        event = f"{self.person.subject}/{fact.name}"
        for index, value in enumerate(drawn[:number]):
            span = (LAST - FIRST) / number
            at = moment(self.rng, FIRST + span * index, FIRST + span * (index + 1) - timedelta(days=20))
            chat = fact.source == "chat"
            values = {"v": value}
            speaker = self.person.name if chat else None
            text = self.life.words.say(fact.said["then" if index else "first"], values, speaker, chatty=chat)
            assert text is not None
            text = self._with_aside(text) if chat else text
            thread = self._thread(self.person.name, self.rng.choice(self.person.friends)) if chat else None
            turn = self._turn(text, at, event, speaker, thread, source=fact.source)
            turn.type, turn.slot, turn.value = fact.type, fact.name, value
            turn.recorded_at = at + timedelta(days=self.rng.choice((0, 0, 1, 12)), minutes=2)
            if stated.turns:
                old = stated.turns[-1]
                old.fate, old.superseded_by, old.retired_at = SUPERSEDED, turn.key, turn.recorded_at
                old.valid_to = turn.occurred_at
            stated.turns.append(turn)
        for value in self.rng.sample(drawn, self.rng.choice((0, 1, 2))):
            friend = self.rng.choice(self.person.friends)
            text = self.life.words.say(fact.said["other"], {"v": value}, friend, chatty=True)
            if text is not None:
                thread = self._thread(self.person.name, friend)
                self._turn(self._with_aside(text), moment(self.rng), f"{event}/other", friend, thread)
        self.life.slots.append(stated)

    def _circle(self, friend: str, fact: Fact) -> None:
        value = self.rng.choice(fact.values)
        text = self.life.words.say(fact.said["say"], {"v": value}, friend, chatty=True)
        if text is None:
            return
        event = f"{self.person.subject}/{friend}/{fact.name}"
        thread = self._thread(self.person.name, friend)
        turn = self._turn(self._with_aside(text), moment(self.rng), event, friend, thread)
        self.life.circle.append(Stated(fact, friend, [turn]))

    def _fates(self) -> None:
        """Some of it is forgotten, silenced, past its date, or from a source that is not allowed any more: always
        everything that is known of the matter, so that nothing is left to find."""
        names = [episode.domain.name for episode in self.life.episodes]
        alone = [one for one in self.life.episodes if names.count(one.domain.name) == 1]
        for episode in self.rng.sample(alone, min(1, len(alone))):
            for turn in episode.turns.values():
                turn.fate = FORGOTTEN
        single = [stated for stated in self.life.slots if len(stated.turns) == 1]
        self.rng.shuffle(single)
        outside = sorted({stated.turns[0].source for stated in single} - {"chat"})
        if outside and self.rng.random() < 0.75:
            self.person.revoked = (self.rng.choice(outside),)
        left = [stated for stated in single if stated.turns[0].source not in self.person.revoked]
        for fate, stated in zip((SILENCED, EXPIRED, FORGOTTEN), left, strict=False):
            turn = stated.turns[0]
            turn.fate = fate
            if fate == EXPIRED:
                turn.expires_at = turn.occurred_at + timedelta(days=30)

    def _small_talk(self) -> None:
        """Fill up with conversations about nothing, newsletters and reminders."""
        talk = noise()
        while len(self.person.turns) < self._count:
            if self.rng.random() < 0.72:
                friend = self.rng.choice(self.person.friends)
                at = moment(self.rng)
                self._chat(self.rng.randint(1, 3), self.person.name, friend, at)
                continue
            source, texts = self.rng.choice((("gmail", talk.mails), ("calendar", talk.entries)))
            text = self.life.words.say((self.rng.choice(texts),), self._noise_values(), None, chatty=False)
            if text is not None:
                self._turn(text, moment(self.rng), "", source=source)

    def _chat(self, pairs: int, one: str, two: str, at: datetime) -> datetime:
        """Some small talk of two people from ``at`` on; returns when it ended."""
        for pair in self.rng.sample(noise().talks, pairs):
            speakers = self.rng.sample((one, two), 2)
            values = self._noise_values()
            for speaker, text in zip(speakers, pair, strict=True):
                said = self.life.words.say((text,), values, speaker, chatty=True)
                if said is not None and len(self.person.turns) < self._count:
                    at += timedelta(minutes=self.rng.randint(1, 5))
                    self._turn(said, at, "", speaker, self._thread(one, two))
        return at

    def _with_aside(self, text: str) -> str:
        """A message as people write them: often about more than one thing."""
        if self.rng.random() > ASIDE:
            return text
        pairs = self.rng.sample(noise().talks, self.rng.choice((1, 1, 2)))
        aside = " ".join(capital(self.life.words.fill(self.rng.choice(pair), self._noise_values())) for pair in pairs)
        return f"{text} {aside}" if self.rng.random() < 0.5 else f"{aside} {text}"

    def _noise_values(self) -> dict[str, str]:
        return {name: self.rng.choice(options) for name, options in noise().values.items()}

    def _thread(self, one: str, two: str) -> str:
        friend = two if one == self.person.name else one
        return f"{self.person.subject}-{friend.lower()}"

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _turn(
        self, text: str, at: datetime, event: str, speaker: str | None = None, thread: str | None = None, *,
        source: str = "chat",
    ) -> Turn:  # fmt: skip
        key = f"{self.person.subject}-{self._number():04d}"
        turn = Turn(
            key, self.person.subject, text, at, at + timedelta(minutes=1), event or f"{key}/noise", speaker, thread,
            source, ref=f"{source}_{key}", type=_SOURCE_TYPES.get(source, "event"),
        )  # fmt: skip
        self.person.turns.append(turn)
        return turn
