"""The pieces that a subject's two years are made of: people, days, wordings."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime, timedelta

FIRST, LAST = datetime(2024, 1, 8, tzinfo=UTC), datetime(2025, 9, 20, tzinfo=UTC)
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
SEASONS = {"spring": (3, 4, 5), "summer": (6, 7, 8), "autumn": (9, 10, 11)}
NAMES = (
    *("Maya", "Jonas", "Leila", "Henrik", "Chiara", "Dmitri", "Aoife", "Kwame", "Sanne", "Mateo", "Ylva", "Hugo"),
    *("Farah", "Lennart", "Paloma", "Idris", "Greta", "Nikhil", "Signe", "Bastian", "Amara", "Viktor", "Elif", "Jorge"),
    *("Noémie", "Tariq", "Wilma", "Casper", "Rina", "Declan", "Hanneke", "Milan", "Soraya", "Anders", "Keiko", "Piotr"),
    *("Zuzana", "Marcus", "Isolde", "Rohan", "Clara", "Emeka", "Freya", "Luis", "Tamar", "Oscar", "Vera", "Babak"),
    *("Linnea", "Gideon", "Marisol", "Stellan", "Aisha", "Fabian", "Nadia", "Ruben", "Catalina", "Joakim", "Mei"),
    *("Adrian", "Sunniva", "Yusuf", "Pernille", "Andre", "Kalina", "Malik", "Roisin", "Enzo", "Helena", "Teodor"),
)
_LEAD = (
    *(
        "By the way: ",
        "So, ",
        "Anyway, ",
        "Oh, and ",
        "Okay, ",
        "Listen, ",
        "Well, ",
        "Quick update. ",
        "Hey! ",
        "Hm, ",
    ),
    *("You won't believe this. ", "Before I forget: ", "Right, ", "Sorry for the late answer. ", "Finally back home. "),
)
_TAIL = (
    *(" Crazy, right?", " More later.", " I'll send a picture.", " Anyway.", " What a week.", " Ha.", " Long story."),
    *(" Tell me about you!", " How are things over there?", " I have to go now.", " Talk soon!", " Unbelievable."),
    *(" But enough about me.", " Don't tell the others yet.", " Still can't believe it.", " And how was your day?"),
)
# What may begin in the middle of a sentence without its capital.
_STARTERS = {
    *("The", "They", "We", "It", "It's", "There", "There's", "At", "On", "In", "Today", "From", "My", "Had", "Went"),
    *("Only", "Surprise", "What", "Which", "Found", "Honestly", "Crossed", "Put", "Best", "First", "Long", "Spent"),
    *("For", "Last", "So", "Well", "Nothing", "Have", "Are", "Did", "Send", "Do", "Is", "Somebody", "Thanks", "Good"),
}
# How people say again what they are talking about; before and after the sentence.
_ABOUT = ("About {topic}: ", "As for {topic}, ", "{topic}: ", "Update on {topic}. ", "You asked about {topic}. ")
_MEANT = (" I mean {topic}.", " That's {topic} for you.", " So much for {topic}.", " That was {topic}, in short.")
_FIELD = re.compile(r"\{(\w+?)(_bare)?\}")


def capital(text: str) -> str:
    return text[0].upper() + text[1:]


class Words:
    """Fills wordings for one subject, and never says the same twice: the product would store it once."""

    def __init__(self, rng: random.Random) -> None:
        self.rng, self._said = rng, set[tuple[str | None, str]]()

    def fill(self, text: str, values: dict[str, str]) -> str:
        """The text with its values; weekdays, hours are drawn on the spot. Values may hold fields of their own."""

        def field(match: re.Match[str]) -> str:
            value = values.get(match[1])
            if value is None:
                value = {"weekday": self._weekday, "time": self._time}[match[1]]()
            return re.sub(r"^(the|a|an|my) ", "", value) if match[2] else value

        while _FIELD.search(text):
            text = _FIELD.sub(field, text)
        return text

    def say(
        self, texts: tuple[str, ...], values: dict[str, str], speaker: str | None, *, chatty: bool,
        topics: tuple[str, ...] = (), restated: float = 0.0,
    ) -> str | None:  # fmt: skip
        """One wording, with some of the padding that people talk with, and with its topic said again as often as
        ``restated`` (0 to 1) says; None when all was said before."""
        for text in self.rng.sample(texts, len(texts)):
            said = capital(self.fill(text, values))
            if topics and self.rng.random() < restated:
                topic = self.fill(self.rng.choice(topics), values)
                if self.rng.random() < 0.6:
                    said = capital(self.rng.choice(_ABOUT).format(topic=topic)) + said
                else:
                    said += self.rng.choice(_MEANT).format(topic=topic)
            if chatty and self.rng.random() < 0.3:
                said = self._led(said)
            if chatty and self.rng.random() < 0.25:
                said += self.rng.choice(_TAIL)
            if (speaker, said.casefold()) not in self._said:
                self._said.add((speaker, said.casefold()))
                return said
        return None

    def _led(self, said: str) -> str:
        lead = self.rng.choice(_LEAD)
        lower = lead[-2] not in ".!" and said.partition(" ")[0] in _STARTERS
        return lead + (said[0].lower() + said[1:] if lower else said)

    def _weekday(self) -> str:
        return self.rng.choice(WEEKDAYS)

    def _time(self) -> str:
        return f"{self.rng.randint(7, 20)}:{self.rng.choice(('00', '15', '30', '45'))}"


def moment(rng: random.Random, first: datetime = FIRST, last: datetime = LAST) -> datetime:
    """A minute between two moments when people are awake."""
    day = first + timedelta(days=rng.randrange(max(1, (last - first).days)))
    return day.replace(hour=rng.randint(8, 21), minute=rng.randint(0, 59), second=0, microsecond=0)


def named(rng: random.Random, at: datetime) -> tuple[str, set[tuple[int, int]]]:
    """How a question names the month of a moment, and the (year, month) pairs that it may mean."""
    season = next((name for name, months in SEASONS.items() if at.month in months), None)
    if season is not None and rng.random() < 0.3:
        return f" in the {season} of {at.year}", {(at.year, month) for month in SEASONS[season]}
    return f" in {MONTHS[at.month - 1]} {at.year}", {(at.year, at.month)}
