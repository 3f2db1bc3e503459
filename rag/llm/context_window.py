"""Which passages and turns the context of a language model has room for."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import replace

from rag.errors import SettingsError
from rag.llm.prompts import MOST_TURNS, Message, Prompts
from rag.settings import Settings
from rag.text.sentences import find_sentences
from rag.types import Passage, Turn

# For a tokenizer that is not here, on the careful side. A vocabulary of 30,000 words (the bundled embedding model's;
# language models have larger ones) makes of each of the 308 seed abstracts at most a token for 4.03 characters.
# Other scripts come near a token a character.
_CHARS_PER_TOKEN = 4
_TOKENS_PER_MESSAGE = 8  # what a server writes around each
_FEWEST_TOKENS = 400  # for a question and one abstract of the usual length

Asking = Callable[[Sequence[Passage]], Sequence[Message]]


def prompt_room(settings: Settings) -> int:
    """Tokens that the model's context has for a prompt, beside the answer."""
    return settings.llm_context_tokens - settings.llm_max_tokens


def check_room(settings: Settings, prompts: Prompts) -> None:
    """Makes sure that a question can be asked at all.

    Raises:
        SettingsError: The prompt's own text and the longest answer fill the model's context.
    """
    needed = _tokens(prompts.answer("", ())) + _FEWEST_TOKENS
    if (room := prompt_room(settings)) < needed:
        raise SettingsError(
            f"RAG_LLM_CONTEXT_TOKENS={settings.llm_context_tokens} leaves {max(room, 0)} tokens for the prompt beside"
            f" RAG_LLM_MAX_TOKENS={settings.llm_max_tokens}, and at least {needed} are needed: raise the one to what"
            " the model reads, or lower the other."
        )


def fit_passages(passages: Sequence[Passage], room: int, asking: Asking) -> Sequence[Passage]:
    """Takes the first passages, whole, as many as there is room for; of the very first at least a sentence.

    Args:
        room: In tokens, for the whole prompt.
        asking: The messages that are sent with the given passages.
    """
    for count in range(len(passages), 0, -1):
        if _tokens(asking(passages[:count])) <= room:
            return passages[:count]
    best = passages[0]
    ends = [end for _, end in find_sentences(best.paper.abstract)]
    kept = bisect_right(ends, room, key=lambda end: _tokens(asking([_opening(best, end)])))
    return [_opening(best, ends[max(kept, 1) - 1])]


def fit_turns(
    history: Sequence[Turn], room: int, asking: Callable[[Sequence[Turn]], Sequence[Message]]
) -> Sequence[Turn]:
    """Takes the last turns, as many as there is room for; the very last in any case.

    Args:
        room: In tokens, for the whole prompt.
        asking: The messages that are sent with the given turns.
    """
    for count in range(min(len(history), MOST_TURNS), 1, -1):
        if _tokens(asking(history[-count:])) <= room:
            return history[-count:]
    return history[-1:]


def _opening(passage: Passage, end: int) -> Passage:
    return replace(passage, paper=replace(passage.paper, abstract=passage.paper.abstract[:end]))


def _tokens(messages: Sequence[Message]) -> int:
    return sum(_TOKENS_PER_MESSAGE + _text_tokens(content) for _, content in messages)


def _text_tokens(text: str) -> int:
    latin = len(text.encode("ascii", "ignore"))
    return latin // _CHARS_PER_TOKEN + 1 + len(text) - latin
