"""An answer with no language model: the sentences that answer the question, verbatim, each with its marker."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rag.records import Record
from rag.retrieval import Ranking
from rag.types import Citation, Claim, Passage, Verdict

# Figures that chose these values: tests/bench/results/answers.json. The weights lie on a plateau: a third more or
# less of any one moves no figure by more than 0.03.
_MOST_SENTENCES = 4  # of one paper; a list that is broken over sentences may add to them
_MOST_IN_ALL = 6  # where several papers answer
_MOST_PAPERS = 4
_PAPER_MARGIN = 0.80  # of the best paper's score, for a further paper of an answer from several
_SENTENCE_MARGIN = 0.70  # of the best sentence's score, for a further sentence
_REPEATS = 0.82  # cosine above which a sentence says the same again

_COSINE_WEIGHT, _WORDS_WEIGHT = 0.7, 0.6
_NUMBER_BONUS, _NAME_BONUS, _FINDING_BONUS, _MOTIVATION_MALUS, _POINTER_MALUS = 0.20, 0.15, 0.15, 0.12, 0.25
_LATE_BONUS = 0.10  # abstracts open with what is known and end with what was found

_SEVERAL = re.compile(
    r"""\b(?:which|what|any|list|these|several|other|all|two|three|do\ the)\s+(?:\w+[\s-]){0,3}?
        (?:papers|works|studies|articles|abstracts|approaches|methods|benchmarks|datasets\ are\ there|ways)\b
      | \bcompar(?:e|ed|ing|ison)\b.*\b(?:and|with|to|between|versus|vs)\b
      | ^\W*compare\b | \b(?:each\ one|how\ (?:is|are|does|do|big\ is)\ each)\b
      | \bwho\ (?:else|uses|studies|works\ on)\b | \bboth\ claims\b | \bdifferent\ (?:papers|works|approaches)\b
      | \b(?:papers|studies|works)\b.*\b(?:agree|disagree|differ|contradict)""",
    re.IGNORECASE | re.VERBOSE,
)
_ASKS_NUMBER = re.compile(
    r"\bhow (?:many|much|often|long|big|large|far|fast|cheap|old|high|accurate)\b|\bwhat (?:percentage|share|fraction|score|"
    r"accuracy|rate|number|factor|frequency|proportion)\b|\b(?:percentage|accuracy|speed-?up|by what factor|success rate|at what)\b",
    re.IGNORECASE,
)
_HAS_NUMBER = re.compile(r"\d|\b(?:two|three|four|five|six|seven|eight|nine|ten|twelve|dozen|hundred|thousand|million|half|twice)\b", re.IGNORECASE)
_ASKS_NAME = re.compile(
    r"\b(?:called|names?|named|stands? for|which|who|what (?:dataset|benchmark|metric|model|method|algorithm|task|tool|platform|simulator))\b",
    re.IGNORECASE,
)
_NAME = re.compile(r"(?<=[\w,(] )[\"'(]?[A-Z][\w-]*")  # capitals within a sentence
_LIST_ITEM = re.compile(r"\(?(?:\d|i{1,3}|iv|v)\)\s", re.IGNORECASE)
_FINDING = re.compile(
    r"\b(?:we|our|this (?:paper|work|study)|results?|experiments?)\b.{0,60}\b(?:show|find|found|propose|introduce|present|demonstrate|"
    r"achieve|outperform|reveal|observe|report|develop|develops|identify|conclude|improve|reach)",
    re.IGNORECASE,
)
_MOTIVATION = re.compile(
    r"^(?:however|despite|although|while|recent(?:ly)?|existing|traditional|previous|prior|conventional|many|most|in recent years|"
    r"unfortunately|yet)\b|\b(?:remains? (?:unclear|a|an|challenging|elusive)|have been (?:widely|extensively)|has gained|"
    r"existing (?:methods|approaches|work)|little is known)\b",
    re.IGNORECASE,
)


_POINTER = re.compile(
    r"https?://|\b(?:code|website|videos?|datasets?|models?|demos?)\b.{0,80}\b(?:available|released|found at|open-sourced?)\b|^we (?:release|open-source)\b",
    re.IGNORECASE,
)
_ASKS_POINTER = re.compile(r"\b(?:where|code|website|url|link|download|available|released?|open[- ]?source[ds]?|public(?:ly)?)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Extract:
    """The text with its markers, what they cite, and a claim for every sentence."""

    text: str
    citations: tuple[Citation, ...]
    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True)
class _Chosen:
    passage: Passage
    spans: tuple[tuple[int, int], ...]


def extract(question: str, ranking: Ranking, *, terms: Callable[[str], Sequence[str]], idf: Callable[[str], float]) -> Extract:
    """The sentences of the best papers that answer the question, in the papers' own order.

    Args:
        ranking: At least one passage.
        terms: The index terms of a text.
        idf: Inverse document frequency of an index term.
    """
    weights = {term: idf(term) for term in terms(question)}
    several = bool(_SEVERAL.search(question))
    papers = _papers(ranking, several=several)
    limit = _MOST_SENTENCES if len(papers) == 1 else _MOST_IN_ALL // len(papers)
    chosen = []
    for passage in papers:
        record = ranking.records[passage.paper.id]
        scores = _scores(question, record, ranking, weights, terms)
        chosen.append(_Chosen(passage, _best_sentences(record, scores, limit)))
    return _written(chosen)


def _papers(ranking: Ranking, *, several: bool) -> Sequence[Passage]:
    """The best paper; where the question asks for several, all that come close to it."""
    best = ranking.passages[0]
    if not several:
        return [best]
    return [passage for passage in ranking.passages[:_MOST_PAPERS] if passage.score >= _PAPER_MARGIN * best.score]


def _scores(
    question: str, record: Record, ranking: Ranking, weights: dict[str, float], terms: Callable[[str], Sequence[str]]
) -> list[float]:
    """How well each sentence of a paper answers the question, higher is better."""
    cosines = record.sentence_vectors @ ranking.question_vector
    named = set(terms(record.paper.title))
    left = {term: weight for term, weight in weights.items() if term not in named} or weights
    total = sum(left.values()) or 1.0
    asks_number, asks_name = bool(_ASKS_NUMBER.search(question)), bool(_ASKS_NAME.search(question))
    asks_pointer = bool(_ASKS_POINTER.search(question))
    scores = []
    for position, ((start, end), cosine) in enumerate(zip(record.sentences, cosines, strict=True)):
        sentence = record.paper.abstract[start:end]
        shared = sum(left.get(term, 0.0) for term in set(terms(sentence))) / total
        score = _COSINE_WEIGHT * float(cosine) + _WORDS_WEIGHT * shared
        score += _NUMBER_BONUS * (asks_number and bool(_HAS_NUMBER.search(sentence)))
        score += _NAME_BONUS * asks_name * min(2, len(_NAME.findall(sentence))) / 2
        score += _LATE_BONUS * position / max(1, len(record.sentences) - 1)
        score += _FINDING_BONUS * bool(_FINDING.search(sentence))
        score -= _MOTIVATION_MALUS * bool(_MOTIVATION.search(sentence))
        score -= _POINTER_MALUS * (not asks_pointer and bool(_POINTER.search(sentence)))
        scores.append(score)
    return scores


def _best_sentences(record: Record, scores: Sequence[float], limit: int) -> tuple[tuple[int, int], ...]:
    """The best sentences that come close to the best one and do not repeat another, in the paper's order."""
    order = sorted(range(len(scores)), key=lambda index: -scores[index])
    limit = min(limit, max(2, len(order) - 1))  # a short abstract is not given whole
    taken: list[int] = []
    for index in order:
        if len(taken) == limit or (taken and scores[index] < _SENTENCE_MARGIN * scores[order[0]]):
            break
        vector = record.sentence_vectors[index]
        if all(float(np.dot(vector, record.sentence_vectors[other])) < _REPEATS for other in taken):
            taken.append(index)
    return tuple(record.sentences[index] for index in sorted({*taken, *_rest_of_lists(record, taken)}))


def _rest_of_lists(record: Record, taken: Sequence[int]) -> Iterator[int]:
    """The items around a chosen sentence of a list that goes on over sentences: "(1) ...", "(2) ..."."""

    def is_item(index: int) -> bool:
        start, end = record.sentences[index]
        return bool(_LIST_ITEM.match(record.paper.abstract[start:end]))

    for index in taken:
        after = index + 1
        while after < len(record.sentences) and is_item(after):
            yield after
            after += 1
        while index > 0 and is_item(index):
            index -= 1  # noqa: PLW2901 (walks back to the sentence that opens the list)
            yield index


def _written(chosen: Sequence[_Chosen]) -> Extract:
    """One paper: its sentences as a paragraph. Several: a paragraph a paper, under its name."""
    text = ""
    citations, claims = [], []
    for number, (passage, spans) in enumerate(((each.passage, each.spans) for each in chosen), start=1):
        text += "\n\n" if text else ""
        if len(chosen) > 1:
            text += f"{passage.paper.label}:"
        for start, end in spans:
            quote = passage.paper.abstract[start:end]
            text += " " if text and not text.endswith("\n") else ""
            claims.append(Claim(len(text), len(text) + len(quote), (number,), Verdict.SUPPORTED, ("verbatim",)))
            text += f"{quote} [{number}]"
            citations.append(Citation(number, passage.paper, quote, start, end))
    return Extract(text, tuple(citations), tuple(claims))
