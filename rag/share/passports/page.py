"""A passport as one page for people: no script, nothing from elsewhere, and every text of others as text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from html import escape

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from rag.corpus.details import web_address
from rag.markers.citation_forms import find_markers
from rag.share.passports.data import Passport, write_element
from rag.text.words import visible
from rag.types import Answer, Citation, Filter, Outcome, Paper, Verdict

_OUTCOMES = {
    Outcome.ANSWERED: "Answered from the library",
    Outcome.PARTIAL: "Partly answered from the library",
    Outcome.NOT_IN_CORPUS: "Not answered: the library does not say",
}
_VERDICTS = {
    Verdict.SUPPORTED: "supported",
    Verdict.PARTIAL: "partly supported",
    Verdict.UNSUPPORTED: "not supported",
    Verdict.NO_CLAIM: "claims nothing",
}


def write_page(passport: Passport) -> str:
    """The whole file; the same passport gives the same bytes."""
    answer = passport.answer
    quotes: dict[int, list[Citation]] = {}
    for citation in answer.citations:
        quotes.setdefault(citation.number, []).append(citation)
    return _PAGES.get_template("page.html").render(
        passport=passport,
        answer=answer,
        outcomes=_OUTCOMES,
        verdicts=_VERDICTS,
        said=_split_at_markers(answer),
        remarks={
            "Missing": answer.missing,
            "Nowhere in the library": answer.unknown_terms,
            "Markers of the model that name no passage, removed": answer.removed_markers,
            "Note": answer.notices,
            "Cut": ("the model broke off; this is what had arrived",) if answer.cut else (),
        },
        quotes=quotes,
        describe=_describe,
        web_address=web_address,
        mark_quotes=_mark_quotes,
        ranks={passage.paper.id: rank for rank, passage in enumerate(answer.passages, start=1)},
        numbers={citation.paper.id: citation.number for citation in answer.citations},
        origin=_list_origin(passport),
        settings=json.dumps(passport.settings, ensure_ascii=False, indent=1, sort_keys=True),
        element=Markup(write_element(passport)),  # noqa: S704 - made inert there
    )


def _split_at_markers(answer: Answer) -> Iterator[tuple[str, str]]:
    """The text in pieces, each with the number of the marker behind it; "" where no quote has that number."""
    known, position = {citation.number for citation in answer.citations}, 0
    for marker in find_markers(answer.text):
        if int(marker[1]) in known:
            yield answer.text[position : marker.start()], marker[1]
            position = marker.end()
    yield answer.text[position:], ""


def _describe(paper: Paper) -> str:
    """What is known of the paper beside its label."""
    untitled = "untitled; the heading is the opening words of its abstract" if paper.label_is_made else ""
    doi = f"doi:{paper.doi}" if paper.doi else ""
    return ", ".join(filter(None, (*paper.authors, paper.venue, str(paper.year or ""), doi, untitled)))


def _mark_quotes(abstract: str, citations: Sequence[Citation]) -> Iterator[tuple[str, bool]]:
    """The abstract in pieces, each with whether it is quoted; a quote within another one is marked with that."""
    position = 0
    for start, end in sorted((each.start, each.end) for each in citations):
        if position <= start < end <= len(abstract):
            yield abstract[position:start], False
            yield abstract[start:end], True
            position = end
    yield abstract[position:], False


def _list_origin(passport: Passport) -> dict[str, str]:
    answer = passport.answer
    return {
        "Searched for": "; ".join((answer.standalone_question, *answer.searches)),
        "Restricted to": _write_restriction(passport.where),
        "Written by": answer.model or "no language model: sentences quoted from the abstracts",
        "Tokens": str(answer.usage),
        "Library": f"{passport.library_papers:,} papers, hash {passport.library_hash}, when this page was made",
        "Ranking by": passport.embedding_model,
        "Footnote": passport.footnote,
        "This page made": passport.made,
        "Time": ", ".join(f"{name} {ms:,.0f} ms" for name, ms in answer.timings_ms.items()),
    }


def _write_restriction(where: Filter | None) -> str:
    if where is None:
        return ""
    years = f"years {where.years[0]} to {where.years[1]}" if where.years else ""
    listed = {"files": where.sources, "papers": where.paper_ids, "venues": where.venues}
    return "; ".join(filter(None, (*(f"{name} {', '.join(of)}" for name, of in listed.items() if of), years)))


def _escape(value: object) -> Markup:
    return value if isinstance(value, Markup) else Markup(escape(visible(str(value))))  # noqa: S704


# Not Jinja's own escaping, which writes quotation marks otherwise: a page is compared with the one made again.
_PAGES = Environment(
    loader=PackageLoader("rag.share.passports", ""), autoescape=True, undefined=StrictUndefined, finalize=_escape,
    trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
)  # fmt: skip
