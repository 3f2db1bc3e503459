"""Whether a passport holds: its page, data and markers by themselves, its papers and quotes beside the library."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rag.errors import QuestionError
from rag.markers.citation_forms import find_markers
from rag.share.passports.data import Passport, read_page
from rag.share.passports.page import write_page
from rag.share.provenance import hash_papers
from rag.types import Answer, Citation, Claim, Paper, Passage

Search = Callable[..., Sequence[Passage]]  # as `Assistant.search`
_DETAILS = ("title", "places", "authors", "year", "venue", "url", "doi")


@dataclass(frozen=True, slots=True)
class VerifyCheck:
    """One thing that was looked at.

    Attributes:
        passed: None where there is nothing to pass: what a reader should know.
    """

    name: str
    passed: bool | None
    detail: str


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """The outcome of every check, and the answer that the passport's data hold."""

    checks: tuple[VerifyCheck, ...]
    answer: Answer

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return all(check.passed is not False for check in self.checks)


def verify_passport(text: str, papers: Iterable[Paper], search: Search | None = None) -> VerifyReport:
    """Checks the text of a passport against the papers of a library.

    Args:
        search: `Assistant.search`, to compare the ranking with today's; None leaves that out.

    Raises:
        PassportError: The text is no passport.
    """
    passport, stated = read_page(text)
    library = {paper.id: paper for paper in papers}
    checks = [_check_data(passport, stated), _check_page(passport, text), _check_markers(passport.answer)]
    checks += [*_check_cited(passport.answer, library), _check_offsets(passport.answer), *_note(passport, library)]
    if search:
        checks.append(_note_ranking(passport, search))
    return VerifyReport(tuple(checks), passport.answer)


def _note_ranking(passport: Passport, search: Search) -> VerifyCheck:
    """How the ranking of today compares with that of the answer."""
    answer = passport.answer
    if answer.searches:
        return VerifyCheck("ranking", None, "not tried: the language model had searched in other words, too")
    then = [passage.paper.id for passage in answer.passages]
    try:
        found = search(answer.standalone_question, k=len(then), where=passport.where)
    except QuestionError as error:
        return VerifyCheck("ranking", None, f"not tried: {error}")
    now = [passage.paper.id for passage in found]
    if then == now:
        return VerifyCheck("ranking", None, f"the same {len(then)} papers in the same order")
    pairs = enumerate(zip(then, now, strict=False), start=1)
    first = next((rank for rank, (one, other) in pairs if one != other), min(len(then), len(now)) + 1)
    told = f"{len(set(then) & set(now))} of its {len(then)} papers are found today; differs from rank {first}"
    return VerifyCheck("ranking", None, told)


def _check_data(passport: Passport, stated: str) -> VerifyCheck:
    if passport.digest == stated:
        return VerifyCheck("data", True, f"they have the digest that is stated, {stated[:16]}…")
    return VerifyCheck("data", False, "they are not those that the digest was made of: something in them was changed")


def _check_page(passport: Passport, text: str) -> VerifyCheck:
    """The page made again must be the file: what a reader sees is then what was checked."""
    expected = write_page(passport)
    if text == expected:
        return VerifyCheck("page", True, "it shows these data, to the letter")
    pairs = zip(text.split("\n"), expected.split("\n"), strict=False)
    line = next((number for number, (one, other) in enumerate(pairs, start=1) if one != other), "the last")
    was = "it was changed, or saved by a browser rather than copied"
    return VerifyCheck("page", False, f"it is not what Footnote makes of these data, first in line {line}: {was}")


def _check_markers(answer: Answer) -> VerifyCheck:
    cited = {citation.number for citation in answer.citations}
    text = answer.text
    for citation in answer.citations:
        text = text.replace(citation.quote, "")  # an abstract may have brackets of its own
    by_ledger = {number for claim in answer.claims for number in claim.citations}
    used, wanted = ({int(found[1]) for found in find_markers(each)} | by_ledger for each in (answer.text, text))
    faults = [f"[{number}] cites nothing" for number in sorted(wanted - cited)]
    faults += [f"[{number}] is in no sentence" for number in sorted(cited - used)]
    faults += [f"[{number}] stands for several papers" for number in sorted(_ambiguous(answer))]
    return _check("markers", faults, f"{_count(len(cited), 'number')}, each with its citation")


def _ambiguous(answer: Answer) -> set[int]:
    papers: dict[int, str] = {}
    return {each.number for each in answer.citations if papers.setdefault(each.number, each.paper.id) != each.paper.id}


def _check_cited(answer: Answer, library: Mapping[str, Paper]) -> Iterator[VerifyCheck]:
    """Papers and quotes, as the library has them now."""
    numbers = {each.paper.id: each.number for each in answer.citations}
    abstracts = {key: library[key].abstract for key in numbers if key in library}
    altered = {each.paper.id for each in answer.citations if each.paper.abstract != abstracts.get(each.paper.id)}
    faults = [
        f"[{number}] {key} {'has another abstract' if key in abstracts else 'is not'} in the library"
        for key, number in numbers.items()
        if key in altered
    ]
    yield _check("papers", faults, f"{_count(len(numbers), 'cited paper')} in the library, with these abstracts")
    wrong = [
        f"[{each.number}] does not stand at {each.start}-{each.end}"
        for each in answer.citations
        if not _lies_in(each, abstract := abstracts.get(each.paper.id, ""))
        or abstract[each.start : each.end] != each.quote
    ]
    quotes = _count(len(answer.citations), "quote")
    yield _check("quotes", wrong, f"{quotes} in the library's abstracts, letter for letter where stated")


def _check_offsets(answer: Answer) -> VerifyCheck:
    far = [rank for rank, each in enumerate(answer.passages, start=1) if not _lies_in(each, each.paper.abstract)]
    far += [number for number, each in enumerate(answer.claims, start=1) if not _lies_in(each, answer.text)]
    return _check("offsets", [f"number {each} lies outside its text" for each in far], "all within their texts")


def _lies_in(span: Citation | Claim | Passage, text: str) -> bool:
    return 0 <= span.start < span.end <= len(text)


def _note(passport: Passport, library: Mapping[str, Paper]) -> Iterator[VerifyCheck]:
    """What may differ without fault: a library grows, files move, details are corrected."""
    same = hash_papers(library) == passport.library_hash
    grown = f"{passport.library_papers:,} papers then, {len(library):,} now, not the same"
    yield VerifyCheck("library", None, f"the same {len(library):,} papers as then" if same else grown)
    differing: dict[int, set[str]] = {}
    for citation in passport.answer.citations:
        if now := library.get(citation.paper.id):
            names = {name for name in _DETAILS if getattr(citation.paper, name) != getattr(now, name)}
            differing[citation.number] = differing.get(citation.number, set()) | names
    for number, names in differing.items():
        if names:
            told = ", ".join(name for name in _DETAILS if name in names)
            yield VerifyCheck("details", None, f"of [{number}] the library now says otherwise: {told}")


def _check(name: str, faults: Sequence[str], fine: str) -> VerifyCheck:
    return VerifyCheck(name, not faults, "; ".join(faults) or fine)


def _count(count: int, of: str) -> str:
    return f"1 {of}" if count == 1 else f"{count} {of}s"
