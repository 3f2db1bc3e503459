"""What a question asks for and what a sentence offers, by their wording; pure."""

from __future__ import annotations

import re

from rag.text.figures import spell_numbers
from rag.text.names import ACRONYM, find_asked_names
from rag.text.sentences import find_sentences
from rag.text.word_lists import read_patterns

_NUMBER = re.compile(
    rf"\d|\b(?:{spell_numbers(2, 10)}|twelve|dozen|hundred|thousand|million|half|twice)\b", re.IGNORECASE
)


def has_cue(text: str, cue: str) -> bool:
    """Whether a question or a sentence has a cue of `rag/text/data/cues.txt`: "asks_reason", "motivation"."""
    return read_patterns("cues")[cue].search(text) is not None


def asks_several(question: str) -> bool:
    """Whether more than one paper is asked for: lists and comparisons."""
    if has_cue(question, "asks_several"):
        return True
    things = read_patterns("cues")["asks_several_things"].search(question)
    named = any(not ACRONYM.fullmatch(name) for name in find_asked_names(question))
    return things is not None and not (named and has_cue(question[things.end() :], "of_a_subject"))


def find_asking(question: str) -> str:
    """The sentences in which something is asked; all of it where they do not say themselves of what, or none does."""
    sentences = [question[start:end] for start, end in find_sentences(question)]
    for cue in ("opens_asking", "question_word"):
        found = " ".join(sentence for sentence in sentences if has_cue(sentence, cue))
        if found:
            return question if has_cue(found, "pronoun") and not any(find_asked_names(found)) else found
    return question


def split_question(question: str) -> list[str]:
    """The questions within a question: "how big is it, and on what was it trained?" has two."""
    parts = read_patterns("cues")["next_question"].split(" ".join(question.split()))
    return [part for part in map(str.strip, parts) if part]


def remove_extent(question: str) -> str:
    """The question without its "how large", whose words are not what it is about."""
    return read_patterns("cues")["extent"].sub("", question)


def has_number(sentence: str) -> bool:
    """Whether a quantity is stated, in digits or words."""
    return bool(_NUMBER.search(sentence))


def points_back(sentence: str) -> bool:
    """Whether the sentence opens by pointing at the one before it: "These include ..."."""
    return has_cue(sentence, "of_the_sentence_before") and not has_cue(sentence, "of_the_paper")
