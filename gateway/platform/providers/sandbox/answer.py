"""What the sandbox says: extracted from the prompt, never invented, the same every time."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gateway.platform.providers.sandbox.intents import Intent, find
from gateway.platform.providers.sandbox.prompt import Memory, Prompt
from gateway.platform.providers.sandbox.words import stems

MODEL = "ikiro/sandbox"
NOT_AN_LLM = f"{MODEL} is a deterministic stand-in, not a language model"
_IDENTITY = re.compile(
    r"\b(?:who|what) (?:exactly )?are you\b|\bwhat(?:['’]s| is) your name\b"
    r"|\b(?:what|which) (?:language )?(?:model|llm|ai) (?:are|is|do|answers)\b"
    r"|\bare you (?:really |actually )?(?:an? )?"
    r"(?:real|human|person|bot|robot|ai|llm|language model|machine|gpt|chatgpt|claude)\b",
    re.I,
)
_OPENERS = (
    ("formal", "According to what is on record: "),
    ("playful", "Let me leaf through my notes: "),
    ("friendly", "Here is what I remember: "),
    ("warm", "Here is what I remember: "),
    ("expert", "What I know: "),
)
_MOST_MEMORIES = 3
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


@dataclass(frozen=True, slots=True)
class Answer:
    text: str
    intents: tuple[Intent, ...] = ()


def answer(prompt: Prompt, offered: frozenset[str]) -> Answer:
    """Answer the last message. ``offered`` are the names of the tools that may be called."""
    if prompt.tool_result is not None:
        return Answer(_closed(prompt, f"The tool answered: {' '.join(prompt.tool_result.split())[:500]}"))
    if _IDENTITY.search(prompt.question):
        return Answer(_closed(prompt, _identity(prompt)))
    wanted = find(prompt.question)
    if wanted:
        made = tuple(intent for intent in wanted if intent.tool in offered)
        # "When is my quiz due? Please remember that …" is answered and noted down.
        asked = " ".join(part for part in _SENTENCE_END.split(prompt.question) if "?" in part and not find(part))
        said = [_quoting(prompt, chosen)] if (chosen := choose(asked, prompt.memories)) else []
        return Answer(_closed(prompt, " ".join([*said, _proposing(prompt, wanted, made)])), made)
    return Answer(_closed(prompt, _recalling(prompt)))


def choose(question: str, memories: tuple[Memory, ...]) -> tuple[Memory, ...]:
    """The one to three memories that share most words with the question; rarer words count more. None when none shares
    any.
    """
    wanted = stems(question)
    known = [(memory, stems(memory.text)) for memory in memories]
    frequency = {word: sum(word in words for _, words in known) for word in wanted}
    scored = [(sum(1 / frequency[word] for word in wanted & words), memory) for memory, words in known]
    best = max((score for score, _ in scored), default=0)
    if not best:
        return ()
    near = [(score, memory) for score, memory in scored if score >= best * 0.5]
    near.sort(key=lambda pair: (-pair[0], pair[1].index))
    return tuple(memory for _, memory in near[:_MOST_MEMORIES])


def _identity(prompt: Prompt) -> str:
    me = f"I am {prompt.name}, answered here by {MODEL}" if prompt.name else f"I am {MODEL}"
    return (
        f"{me}: a deterministic stand-in, not a language model. "
        "I repeat what I remember and note down what you ask me to."
    )


def _proposing(prompt: Prompt, wanted: tuple[Intent, ...], made: tuple[Intent, ...]) -> str:
    if not made:
        return f"You ask me to {wanted[0].spoken}, but no tool for that was given to me."
    listed = " and to ".join(intent.spoken for intent in made)
    lead = "I propose" if "formal" in prompt.tone or "concise" in prompt.tone else "Gladly! I propose"
    return f"{lead} to {listed}. It waits for approval."


def _recalling(prompt: Prompt) -> str:
    chosen = choose(prompt.question, prompt.memories)
    if not chosen:
        return f"I do not remember anything about that. ({NOT_AN_LLM}: it only repeats memories.)"
    return _quoting(prompt, chosen)


def _quoting(prompt: Prompt, chosen: tuple[Memory, ...]) -> str:
    opener = next((words for tone, words in _OPENERS if tone in prompt.tone), "")
    return opener + " ".join(f"{_sentence(memory.text)} [m{memory.index}]" for memory in chosen)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?", "…", "”", '"')) else f"{text}."


def _closed(prompt: Prompt, text: str) -> str:
    return " ".join([text, *(line for line in prompt.disclaimers if line not in text)])
