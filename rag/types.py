"""The shapes that travel through Footnote: plain frozen data, no third-party types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Paper:
    """One paper of the library; the same abstract seen in several places is one paper.

    Attributes:
        id: 16 hex digits of the SHA-256 of the abstract's letters and digits; the same on every machine.
        title: The title, cleaned for reading; empty when the source gives none.
        label: What to call the paper: its title, or opening words of its abstract where it has none.
        abstract: The abstract, cleaned for reading and search; citations are offsets into this text.
        source: Name of the file it was read from; with leading folders only where names would clash.
        line: 1-based line of the abstract's text in that file.
        also_in: Other places of the same abstract, as (source, line).
        authors: As the source names them; this and the following are empty where it does not say.
        url: Of http or https.
        doi: Without an address before it: 10.1000/182.
    """

    id: str
    title: str
    label: str
    abstract: str
    source: str
    line: int
    also_in: tuple[tuple[str, int], ...] = ()
    authors: tuple[str, ...] = ()
    year: int | None = None
    venue: str = ""
    url: str = ""
    doi: str = ""

    @property
    def label_is_made(self) -> bool:
        """Whether the label was made from the abstract because the source gives no title."""
        return not self.title

    @property
    def places(self) -> tuple[tuple[str, int], ...]:
        """Every place the abstract was seen, its first one first, as (source, line)."""
        return ((self.source, self.line), *self.also_in)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A run of whole sentences of one abstract: `paper.abstract[start:end] == text`."""

    paper_id: str
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Passage:
    """A paper as retrieval found it, best first in a ranking.

    Attributes:
        score: The fused relevance; comparable within one question only.
        start: Offset of the best chunk in the abstract.
        end: Offset after the best chunk in the abstract.
        signals: What each signal contributed, by name (`dense`, `lexical`, ...), before weighting.
    """

    paper: Paper
    score: float
    start: int
    end: int
    signals: Mapping[str, float] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The best chunk, verbatim."""
        return self.paper.abstract[self.start : self.end]


@dataclass(frozen=True, slots=True)
class Citation:
    """Evidence for an answer: `paper.abstract[start:end] == quote`, always.

    Attributes:
        number: The n of the markers [n] in the answer's text that point here; a paper has one number.
    """

    number: int
    paper: Paper
    quote: str
    start: int
    end: int


class Verdict(StrEnum):
    """What the cited passages say about a sentence of an answer."""

    SUPPORTED = "supported"
    PARTIAL = "partial"
    UNSUPPORTED = "unsupported"
    NO_CLAIM = "no_claim"


class CheckKind(StrEnum):
    """What a check of the support ledger looks at."""

    CITATION = "citation"
    VERBATIM = "verbatim"
    LANGUAGE = "language"
    WORDING = "wording"
    NUMBERS = "numbers"
    NAMES = "names"
    LINKS = "links"
    DIRECTION = "direction"
    NEGATION = "negation"
    ENTAILMENT = "entailment"


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a sentence against what it cites.

    Attributes:
        reason: What is wrong, readable, e.g. "41 % is not in [2]"; "" where it passed.
    """

    kind: CheckKind
    passed: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence of an answer and whether its citations carry it.

    Attributes:
        start: Offset of the sentence in `Answer.text`.
        end: Offset after the sentence in `Answer.text`.
        citations: Numbers of the citations that the sentence carries.
        checks: The support ledger: every check that was made, passed or failed.
        attributed: True when the sentence cites nothing, and `citations` names what was found to carry it.
    """

    start: int
    end: int
    citations: tuple[int, ...]
    verdict: Verdict
    checks: tuple[Check, ...] = ()
    attributed: bool = False

    @property
    def problems(self) -> tuple[str, ...]:
        """The reasons of the checks that failed."""
        return tuple(check.reason for check in self.checks if not check.passed)


class Outcome(StrEnum):
    """How a question ended."""

    ANSWERED = "answered"
    PARTIAL = "partial"
    NOT_IN_CORPUS = "not_in_corpus"


@dataclass(frozen=True, slots=True)
class Usage:
    """What the language model was given and gave, in tokens; zero where no model was called.

    Attributes:
        estimated: True when the server reported nothing and the counts are our estimate.
        price: In US dollars; None where the settings name no price for the model.
        cached_tokens: Prompt tokens the server took from its cache.
        cached: True when all of it came from our own cache: the tokens are what it took then, the price is 0.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    estimated: bool = False
    price: float | None = None
    cached: bool = False

    @property
    def total_tokens(self) -> int:
        """Given and written."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        """What both took. Nothing was spent on what is `cached`: it does not count beside what was.

        The price of the whole is known where that of both parts is.
        """
        if not other.total_tokens or (other.cached and not self.cached and self.total_tokens):
            return self
        if not self.total_tokens or (self.cached and not other.cached):
            return other
        known = self.price is not None and other.price is not None
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cached_tokens + other.cached_tokens,
            self.estimated or other.estimated,
            (self.price or 0.0) + (other.price or 0.0) if known else None,
            self.cached,
        )

    def __str__(self) -> str:
        """As a reader is told, e.g. "1,234 + 210 tokens, $0.0008"; empty where no model was called."""
        if not self.total_tokens:
            return ""
        tokens = f"{self.prompt_tokens:,} + {self.completion_tokens:,} tokens"
        if self.cached:
            return f"{tokens}, from the cache"
        price = "" if self.price is None else f", {_dollars(self.price)}"
        return f"{tokens}{price}{' (estimated)' if self.estimated else ''}"


def _dollars(amount: float) -> str:
    """Four decimals, for an answer is often a fraction of a cent."""
    return f"${amount:,.4f}" if amount >= 0.0001 else "under $0.0001" if amount else "$0"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer and all that is needed to check it.

    Attributes:
        standalone_question: The question with what it refers to spelled out; what was searched for.
        searches: In the field's own terms, by the language model: what was searched for besides.
        text: The answer with its markers [n].
        missing: What was asked and is not stated in the library.
        unknown_terms: Terms of the question that occur nowhere in the library.
        citations: In the order of their numbers; several quotes of one paper share its number.
        passages: The ranking, best first: at least 10 distinct papers where the library has them, also when
            the outcome is `not_in_corpus` (the near misses).
        removed_markers: Markers the model wrote that name no passage, as written.
        cut: True when the model's stream broke off and the text is what had arrived.
        model: Name of the language model, or "" for an answer without one.
        notices: What the reader should know beside the answer (seeds ingested, model failed, ...).
        timings_ms: Milliseconds by stage.
        searched: How many papers the question was asked of: all, or those that its filter admits.
    """

    question: str
    standalone_question: str
    text: str
    outcome: Outcome
    citations: tuple[Citation, ...] = ()
    passages: tuple[Passage, ...] = ()
    claims: tuple[Claim, ...] = ()
    missing: tuple[str, ...] = ()
    unknown_terms: tuple[str, ...] = ()
    removed_markers: tuple[str, ...] = ()
    cut: bool = False
    model: str = ""
    notices: tuple[str, ...] = ()
    usage: Usage = field(default_factory=Usage)
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    searches: tuple[str, ...] = ()
    searched: int = 0


@dataclass(frozen=True, slots=True)
class Turn:
    """An earlier turn of the conversation.

    Attributes:
        role: "user" or "assistant".
        outcome: How that answer ended; None where it is not known, or the turn is the user's.
        cited: The papers that the answer cites, where they are known.
    """

    role: str
    content: str
    outcome: Outcome | None = None
    cited: tuple[Paper, ...] = ()


@dataclass(frozen=True, slots=True)
class Filter:
    """Which papers a question may be answered from; an empty field does not restrict.

    Attributes:
        sources: Source names as in `Paper.source`; a paper matches by any of its places.
        years: First and last year, inclusive.
    """

    sources: tuple[str, ...] = ()
    paper_ids: tuple[str, ...] = ()
    years: tuple[int, int] | None = None
    venues: tuple[str, ...] = ()

    def admits(self, paper: Paper) -> bool:
        """Whether the paper passes every restriction."""
        return bool(self.among((paper,)))

    def among(self, papers: Iterable[Paper]) -> list[Paper]:
        """Those of the papers that pass every restriction, in their order; for many papers and many ids at once."""
        paper_ids = frozenset(self.paper_ids)
        return [
            paper
            for paper in papers
            if (not paper_ids or paper.id in paper_ids)
            and (not self.sources or any(source in self.sources for source, _ in paper.places))
            and (self.years is None or (paper.year is not None and self.years[0] <= paper.year <= self.years[1]))
            and (not self.venues or paper.venue in self.venues)
        ]


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the reader should know while waiting or beside the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Retrieved:
    """Retrieval is done: the ranking, best first; `searched` papers were looked at."""

    standalone_question: str
    passages: tuple[Passage, ...]
    searches: tuple[str, ...] = ()
    searched: int = 0


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the answer's text, in order; markers are already mapped to citations."""

    text: str


@dataclass(frozen=True, slots=True)
class Done:
    """The last event of every stream; the answer's text is authoritative."""

    answer: Answer


AnswerEvent = Notice | Retrieved | Token | Done


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file or entry that was not ingested: where, and why."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What a sync did to the library, in papers.

    Attributes:
        changed: Papers of whose text, title, authors, year, venue, url or DOI the same source now says something else.
        merged: Abstracts that were a further place of a paper already counted.
        skipped: Files or entries that could not be read; the rest was ingested all the same.
        kept: Papers that are in the library only from files that are gone or unreadable now.
        embedded: Texts (chunks and sentences) that were embedded.
        total: Papers in the library afterwards.
    """

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    merged: int = 0
    skipped: tuple[Skipped, ...] = ()
    kept: int = 0
    embedded: int = 0
    total: int = 0
