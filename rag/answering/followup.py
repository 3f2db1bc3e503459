"""Follow-up questions: put in full by the language model, or, without one, with what they lean on."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial

from rag.answering.extractive import NEAREST
from rag.answering.question import MOST_QUESTION_CHARS
from rag.llm.client import ChatModel
from rag.llm.context_window import fit_turns
from rag.llm.prompts import Prompts
from rag.markers.citation_forms import MARKER
from rag.text.figures import ONES, spell_numbers
from rag.text.names import find_asked_names
from rag.text.sentences import find_sentences
from rag.text.words import compile_words, find_content_words
from rag.types import Outcome, Turn, Usage

_PRONOUN = r"(?:it|its|itself|they|them|their|theirs|he|him|his|she|her)"
# "the second one", "the last of them", "does the first find?"; not "the last layer", "other ways".
_OF_THE_LISTED = (
    r"(?:\s+(?:ones?|papers?|method|study|works?|article|approach|abstract|item|of\s+(?:them|these|those)|is|was|does|did"
    r"|do|has|can|finds?|says?|shows?|uses?|proposes?)\b|\s*(?:[.,;:!?]|$))"
)
# "that" points back where it is not a conjunction: "does that", "about that", "that one", "like that?".
_POINTS_BACK = re.compile(
    rf"""\b(?:this|these|those|such|same|former|latter|previous|above|aforementioned|another|either
        |neither|there)\b
      | \b(?:do|does|did|is|was|about|of|on|for|in|with|like|why|how)\ that\b
      | \bthat\ (?:one|paper|method|work|model)\b
      | \bthat\W*$ | \bthe\ (?:authors?|paper|method|approach|framework)\b
      | \b(?:on|with|to|of|for|from|by|about|in|than)\ (?:it|them)\W*$
      | \bboth\b(?!.{{0,80}}\band\b) | \bothers?\b{_OF_THE_LISTED} | \bthe\ others\b
      | \b(?:which|each|the|any|every|only)\ ones?\b | \bones?\W*$""",
    re.IGNORECASE | re.VERBOSE,
)
_HAS_PRONOUN = re.compile(rf"\b{_PRONOUN}\b", re.IGNORECASE)
# "Is it possible to ...", "are there ...", "agents such as ..." point at nothing.
_POINTS_AT_NOTHING = re.compile(
    r"\b(?:is|was|isn't|be) it (?:possible|true|known|better|worth|hard|easy|safe|useful|necessary|feasible)\b"
    r"|\b(?:is|are|was|were) there\b|\bthere (?:is|are|was|were)\b|\bsuch as\b",
    re.IGNORECASE,
)
# "Can language models explain their own predictions?": whom the pronoun means is in the question.
_OWN_SUBJECT = re.compile(
    rf"(?:\b(?:do|does|did|can|could|will|would|should|has|have|may|might)|^\W*(?:is|are|was|were))"
    rf"\s+(?!(?:{_PRONOUN}|this|that|these|those|the|we|you|i|one|both)\b)\w+",
    re.IGNORECASE,
)
# "What causes hallucinations, and how are they reduced?": whether it leans is up to what stands before.
_NEXT_CLAUSE = re.compile(r"[,;?]|\s(?:and|but|or)\s", re.IGNORECASE)
# "How many parameters?", "which datasets were used for evaluation?": of what, the conversation has said.
_VERB = re.compile(
    r"\b(?:is|are|was|were|do|does|did|can|could|will|would|should|has|have|may|might|exist|papers?|works?)\b",
    re.IGNORECASE,
)
# "What causes hallucinations?" has its verb, if none of the list; "what datasets for training?" has none.
_ASKS_WHO_DOES = re.compile(
    r"^\W*(?:what|who)\s+\w+(?:s|ed)\s+(?!(?:of|for|in|on|with|to|from|by|at|and|or|\w+ly)\b)\w+\s+\w", re.IGNORECASE
)
_DONE_TO_SOMETHING = re.compile(
    r"\b(?:was|were) (?:\w+ly )?(?:used|tested|evaluated|trained|compared|reported|found|collected|measured)\b",
    re.IGNORECASE,
)
_CONTINUES = re.compile(
    r"^\W*(and|but|or|so|ok|okay|then|also|what about|how about|how so|more|tell me more|go on)\b", re.IGNORECASE
)
_ASKS = re.compile(
    r"\?|\b(?:what|which|who|whose|when|where|why|how|tell|more|go on|explain|else|other ones?)\b", re.IGNORECASE
)
_COUNTED = ("first", "second", "third", "fourth", "fifth")
_ORDINALS = {
    **{word: place for place, word in enumerate(_COUNTED)},
    **{word: place for place, word in enumerate(ONES[1:6])},
    "former": 0, "latter": 1, "last": -1,
}  # fmt: skip
_ORDINAL = re.compile(
    rf"""\b(?P<ordinal>(?:{"|".join(_COUNTED)}|last)(?={_OF_THE_LISTED})|former|latter)\b
      | (?:\bnumber|\bno\.|\bpaper|\#)\ ?(?P<cardinal>{spell_numbers(1, 5)}|[1-9])\b | \[(?P<marker>\d)\]""",
    re.IGNORECASE | re.VERBOSE,
)
_ENUMERATED = re.compile(r"(?:^|(?<=\s))(?:\(\d\)|\d[.)])\s+|^[-*•]\s+", re.MULTILINE)
_EITHER_OR = re.compile(
    r"\b(?:the )?(?:one|first|former|other|another|second|latter) (?:is|are|uses|studies|proposes)\b", re.IGNORECASE
)
_MARKER = re.compile(rf"\s?{MARKER.pattern}")
_SPECIFIC_SHARE = 0.01  # a word in fewer papers than this names something
# As many words of its own make a question of its own, whose "it" is mostly something it says itself. Of the 75
# questions asked after a conversation about something else, 0.71 are then hits (0.57 without this, 0.72 asked alone):
# tried once, before the rules below were narrowed; there is no result file yet.
_OWN_WORDS = 6
_MOST_NAMED = 3  # a question that names as many things of its own stands, whatever its "this" means
_FEW_OWN_WORDS = 4  # "how many abstracts were used for the joint embedding of X?" is cut short in nothing


async def condense_question(
    model: ChatModel, prompts: Prompts, question: str, history: Sequence[Turn], *, room: int, deadline: float
) -> tuple[str, Usage]:
    """Has the language model put the question as it would be without the conversation before it.

    Args:
        room: For the prompt, in tokens.
        deadline: On the monotonic clock.

    Raises:
        LLMError: The model failed.
    """
    asking = partial(prompts.condense, question)
    text, usage = await model.complete(asking(fit_turns(history, room, asking)), deadline)
    return text.strip()[:MOST_QUESTION_CHARS], usage


def find_context(question: str, history: Sequence[Turn], share_of_papers: Callable[[str], float]) -> str:
    """The text of the conversation that a question refers to; "" where it stands alone.

    Args:
        share_of_papers: For a word, the share of the library's papers that have it; 0 where none has.
    """
    if not history or not _leans_on(question, history, share_of_papers):
        return ""
    answer = next((turn for turn in reversed(history) if turn.role == "assistant"), Turn("assistant", ""))
    asked = next((turn.content for turn in reversed(history) if turn.role == "user"), "")
    said = _without_our_own(answer)
    if _turns_to_another(question, history, share_of_papers):
        asked = _without_names(asked)
        return asked if find_content_words(asked) else ""
    return _item(question, said) or " ".join(filter(None, (asked, said)))


def _without_our_own(answer: Turn) -> str:
    """What an answer says of papers, without its markers and the sentence that opens it on what they lack."""
    if answer.outcome is Outcome.NOT_IN_CORPUS:
        return ""
    said = _MARKER.sub("", answer.content)
    opening, _, rest = said.partition("\n\n")
    # Only a partial answer may open with it, but one of a language model does not, so that its words must tell.
    is_ours = answer.outcome is not Outcome.ANSWERED and opening.rstrip().endswith(NEAREST)
    return rest if is_ours else said


def _turns_to_another(question: str, history: Sequence[Turn], share_of_papers: Callable[[str], float]) -> bool:
    """Whether the same is asked of something else: "And Cybench?" after a question about TimeArena."""
    if not _CONTINUES.search(question) or _HAS_PRONOUN.search(question) or _POINTS_BACK.search(question):
        return False
    said_before = {word.lower() for turn in history for word in find_content_words(turn.content)}
    new = (name for name in find_asked_names(question) if name.lower() not in said_before)
    return any(share_of_papers(name) <= _SPECIFIC_SHARE for name in new)


def _without_names(question: str) -> str:
    names = list(find_asked_names(question))
    forms = [f"{name}{ending}" for name in names for ending in ("'s", "’s", "")]
    return " ".join(compile_words(forms).sub(" ", question).split()) if names else question


def _leans_on(question: str, history: Sequence[Turn], share_of_papers: Callable[[str], float]) -> bool:
    """Whether the question points back, continues, or names nothing of its own."""
    own = [word for word in find_content_words(_ORDINAL.sub("", question)) if not _POINTS_BACK.fullmatch(word)]
    # Words that no paper has: whatever it points at, no paper says it. No words: "thanks, that was great".
    if (
        not any(share_of_papers(word) for word in own)
        if own
        else not (_ASKS.search(question) or _ORDINAL.search(question))
    ):
        return False
    said_before = {word.lower() for turn in history for word in find_content_words(turn.content)}
    new = [word for word in own if word.lower() not in said_before]
    if len(new) >= _OWN_WORDS and not _ORDINAL.search(question):
        return False
    named = [word for word in new if 0 < share_of_papers(word) <= _SPECIFIC_SHARE]
    asked = _POINTS_AT_NOTHING.sub("", question)
    if _POINTS_BACK.search(asked) or _ORDINAL.search(asked):
        return len(named) < _MOST_NAMED
    if pronoun := _HAS_PRONOUN.search(asked):
        first, *later = _NEXT_CLAUSE.split(asked[: pronoun.start()], maxsplit=1)
        # "On MATH, how accurate is it?" says nothing of its "it".
        is_question = later and find_content_words(first) and (_VERB.search(first) or _ASKS.search(first))
        return (
            _leans_on(first, history, share_of_papers)
            if is_question
            else len(named) < _MOST_NAMED and not _OWN_SUBJECT.search(asked)
        )
    whole = bool(_VERB.search(asked) or _ASKS_WHO_DOES.search(asked))
    if _CONTINUES.search(asked):
        return len(named) < _MOST_NAMED and not (whole and any(word in named for word in find_asked_names(question)))
    return not named and len(new) < _FEW_OWN_WORDS and bool(_DONE_TO_SOMETHING.search(asked) or not whole)


def _item(question: str, said: str) -> str:
    """The item of the last answer that "the second one" means; "" where nothing is counted."""
    ordinal = _ORDINAL.search(question)
    if not ordinal:
        return ""
    items = _items(said)
    meant = ordinal[ordinal.lastgroup or 0].lower()
    position = int(meant) - 1 if meant.isdigit() else _ORDINALS[meant]
    return items[position] if len(items) > 1 and position < len(items) else ""


def _items(said: str) -> list[str]:
    """What an answer lists: paragraphs, numbered or bulleted items, "one is ..., the other is ...", or sentences."""
    paragraphs = [paragraph.strip() for paragraph in said.split("\n\n") if paragraph.strip()]
    if len(paragraphs) > 1:
        return paragraphs
    for separator in (_ENUMERATED, _EITHER_OR):
        starts = [found.start() for found in separator.finditer(said)]
        if len(starts) > 1:
            return [said[start:end].strip() for start, end in zip(starts, [*starts[1:], len(said)], strict=True)]
    return [said[start:end] for start, end in find_sentences(said)]
