"""Text in an abstract that addresses whoever processes it: found by its wording, to be shown to the reader as such.

The patterns are English only: an order in another language is not found. An abstract describes; it gives no orders.
What is found is told, not obeyed and not removed: the prompt declares passages to be data, and the chain takes no
citation, link or format from a model's word (see `rag.markers.reader`).
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

from rag.text.sentences import Span, find_sentences
from rag.text.word_lists import fill_parts, read_lines, read_table

_OUTPUT = (
    "answers?|repl(?:y|ies)|respon[sd]es?|output|message|summary|text|solution|implementation|code(?:base)?|script"
    "|program|algorithm|explanation|elucidation|translation|conversation|instructions?|prompts?|task|role"
)
_NO_AUTHOR = r"^(?!(?:[\w ]{0,40}, )?(?:we|our|the authors?|this (?:paper|article|work|study))\b).*?"
# Tasks alone may be set without an object: abstracts, which leave out their "we", begin "Use the ..." with other verbs.
_ORDER = (
    r"^(?:(?:please|now|then|first|next|finally|also|instead|always|never|only|just|simply),? ){0,2}"
    r"(?:(?:(?<=always )|(?<=never ))(?:{verb})|(?:{verb}) (?:{object})|(?:{task}) the)(?:\b|(?<=\W))"
)


@lru_cache(maxsize=4096)  # every drawing of a page shows the same abstracts
def instructions(text: str) -> tuple[Span, ...]:
    """The sentences of a text that read like instructions to an assistant, as offsets."""
    return tuple((start, end) for start, end in find_sentences(text) if _explicit().search(text[start:end]))


def find_statements(text: str) -> list[Span]:
    """The other sentences, which alone are evidence; all of them where there is no other."""
    ordered = set(instructions(text))
    spans = find_sentences(text)
    return [span for span in spans if span not in ordered] or spans


@cache
def _explicit() -> re.Pattern[str]:
    orders = {part: "|".join(words) for part, words in read_table("orders").items()}
    patterns = (fill_parts(each, output=_OUTPUT, no_author=_NO_AUTHOR) for each in read_lines("injections"))
    return re.compile("|".join(f"(?:{each})" for each in (*patterns, fill_parts(_ORDER, **orders))), re.IGNORECASE)
