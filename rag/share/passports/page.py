"""A passport as one page for people: no script, nothing from elsewhere, and every text of others as text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files

from rag.corpus.details import web_address
from rag.markers.citation_forms import find_markers
from rag.share.passports.data import Passport, write_element
from rag.text.words import visible
from rag.types import Answer, Citation, Claim, Filter, Outcome, Paper, Passage, Verdict

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
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
_HOW_TO_CHECK = (
    "Save this file as it is and run “footnote verify FILE” where the library is. It checks, without a network, that"
    " page and data belong together, and that every quote stands in its abstract at the place given. The digest shows"
    " that something was changed; as anyone can compute one, it does not show who made this page."
)


def write_page(passport: Passport) -> str:
    """The whole file; the same passport gives the same bytes."""
    answer = passport.answer
    outcome = _element("p", _OUTCOMES[answer.outcome], f"outcome {answer.outcome.value.replace('_', '-')}")
    title = _element("p", "Footnote · evidence passport", "kind") + _element("h1", _escape(answer.question))
    digest = _element("p", f"SHA-256 of the data: <code>{passport.digest}</code>")
    sections = {
        "Answer": _write_answer(answer),
        "Sentence by sentence": _write_claims(answer),
        "Quotes": _write_quotes(answer),
        "Ranking": _write_ranking(answer),
        "How it was made": _write_origin(passport),
        "How to check it": _element("p", _HOW_TO_CHECK) + digest,
    }
    listed = (_element("section", _element("h2", name) + content) for name, content in sections.items() if content)
    body = _element("header", title + outcome) + "".join(listed)
    style = files("rag.share.passports").joinpath("page.css").read_text("utf-8")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"<title>{_escape(answer.question)} – evidence passport</title>\n<style>\n{style}</style>\n</head>\n"
        f"<body>\n<main>\n{body}</main>\n{write_element(passport)}\n</body>\n</html>\n"
    )


def _write_answer(answer: Answer) -> str:
    known = {citation.number for citation in answer.citations}
    pieces, position = [], 0
    for marker in find_markers(answer.text):
        shown = f'<a href="#cited-{marker[1]}">[{marker[1]}]</a>' if int(marker[1]) in known else marker[0]
        pieces += [_escape(answer.text[position : marker.start()]), shown]
        position = marker.end()
    said = _element("p", "".join(pieces) + _escape(answer.text[position:]), "text")
    remarks = {
        "Missing": answer.missing,
        "Nowhere in the library": answer.unknown_terms,
        "Markers of the model that name no passage, removed": answer.removed_markers,
        "Note": answer.notices,
        "Cut": ("the model broke off; this is what had arrived",) if answer.cut else (),
    }
    return said + "".join(
        _element("p", f"{name}: {_escape('; '.join(items))}", "remark") for name, items in remarks.items() if items
    )


def _write_claims(answer: Answer) -> str:
    rows = (_write_claim(answer.text[claim.start : claim.end], claim) for claim in answer.claims)
    return _table(("Sentence", "Cites", "Verdict"), rows) if answer.claims else ""


def _write_claim(sentence: str, claim: Claim) -> tuple[str, str, str]:
    cites = " ".join(f'<a href="#cited-{number}">[{number}]</a>' for number in claim.citations)
    by_us = "<br>attributed by Footnote, not by the text" if claim.attributed else ""
    passed = ", ".join(check.kind.value for check in claim.checks if check.passed)
    failed = "".join(
        f"<br>{_escape(check.kind.value)} failed: {_escape(check.reason)}" for check in claim.checks if not check.passed
    )
    looked_at = f"<br><small>passed: {_escape(passed)}</small>" if passed else ""
    return _escape(sentence), cites + by_us, f"<strong>{_VERDICTS[claim.verdict]}</strong>{failed}{looked_at}"


def _write_quotes(answer: Answer) -> str:
    by_number: dict[int, list[Citation]] = {}
    for citation in answer.citations:
        by_number.setdefault(citation.number, []).append(citation)
    ranks = {passage.paper.id: rank for rank, passage in enumerate(answer.passages, start=1)}
    cards = (_write_card(number, cited, ranks) for number, cited in by_number.items())
    return "".join(cards) or _element("p", "Nothing is cited.")


def _write_card(number: int, citations: Sequence[Citation], ranks: dict[str, int]) -> str:
    paper = citations[0].paper
    quotes = "".join(
        _element("blockquote", _escape(each.quote))
        + _element("p", f"characters {each.start:,} to {each.end:,} of the abstract", "place")
        for each in citations
    )
    rank = f", rank {ranks[paper.id]}" if paper.id in ranks else ""
    untitled = "untitled; the heading is the opening words of its abstract" if paper.label_is_made else ""
    doi = f"doi:{paper.doi}" if paper.doi else ""
    known = ", ".join(filter(None, (*paper.authors, paper.venue, str(paper.year or ""), doi, untitled)))
    place = f"read from {_write_places(paper)}; paper {_escape(paper.id)}{rank}"
    about = _element("p", f"{_escape(known)}<br>{place}" if known else place, "place")
    link = web_address(paper.url)
    about += _element("p", f'<a href="{escape(link)}" rel="noreferrer noopener">{_escape(link)}</a>') if link else ""
    abstract = _element("p", _mark_quotes(paper.abstract, [(each.start, each.end) for each in citations]))
    folded = _element("details", _element("summary", "The whole abstract, quotes marked") + abstract)
    return f'<article id="cited-{number}"><h3>[{number}] {_escape(paper.label)}</h3>{about}{quotes}{folded}</article>\n'


def _mark_quotes(abstract: str, spans: Iterable[tuple[int, int]]) -> str:
    pieces, position = [], 0
    for start, end in sorted(spans):
        if position <= start < end <= len(abstract):  # a quote within one that is marked is marked with it
            pieces += [_escape(abstract[position:start]), _element("mark", _escape(abstract[start:end]))]
            position = end
    return "".join(pieces) + _escape(abstract[position:])


def _write_ranking(answer: Answer) -> str:
    numbers = {citation.paper.id: citation.number for citation in answer.citations}
    rows = (_write_passage(rank, passage, numbers) for rank, passage in enumerate(answer.passages, start=1))
    return (
        _table(("Rank", "Paper", "Score", "Cited as"), rows) if answer.passages else _element("p", "Nothing was found.")
    )


def _write_passage(rank: int, passage: Passage, numbers: dict[str, int]) -> tuple[str, ...]:
    paper = passage.paper
    signals = ", ".join(f"{_escape(name)} {value:.3f}" for name, value in passage.signals.items())
    best = f"best passage: characters {passage.start:,} to {passage.end:,}"
    number = f'<a href="#cited-{numbers[paper.id]}">[{numbers[paper.id]}]</a>' if paper.id in numbers else ""
    told = f"{_escape(paper.label)}<br><small>{_write_places(paper)}; {best}<br>{signals}</small>"
    return str(rank), told, f"{passage.score:.3f}", number


def _write_origin(passport: Passport) -> str:
    answer = passport.answer
    rows = {
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
    table = "".join(
        f'<tr><th scope="row">{name}</th><td>{_escape(value)}</td></tr>\n' for name, value in rows.items() if value
    )
    settings = _escape(json.dumps(passport.settings, ensure_ascii=False, indent=1, sort_keys=True))
    return _element("table", table, "origin") + _element(
        "details", _element("summary", "Settings when this page was made") + _element("pre", settings)
    )


def _write_restriction(where: Filter | None) -> str:
    if where is None:
        return ""
    years = f"years {where.years[0]} to {where.years[1]}" if where.years else ""
    listed = {"files": where.sources, "papers": where.paper_ids, "venues": where.venues}
    return "; ".join(filter(None, (*(f"{name} {', '.join(of)}" for name, of in listed.items() if of), years)))


def _write_places(paper: Paper) -> str:
    return ", ".join(f"{_escape(source)}:{line}" for source, line in paper.places)


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    titles = "".join(f'<th scope="col">{title}</th>' for title in head)
    listed = "".join(_element("tr", "".join(_element("td", cell) for cell in row)) for row in rows)
    return _element("table", _element("thead", _element("tr", titles)) + _element("tbody", listed))


def _element(tag: str, content: str, css: str = "") -> str:
    named = f' class="{css}"' if css else ""
    return f"<{tag}{named}>{content}</{tag}>\n"


def _escape(text: str) -> str:
    return escape(visible(text))
