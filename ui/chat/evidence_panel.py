"""The evidence of an answer as safe HTML: a card for each cited paper, and what else was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rag import Answer, Citation, Filter, Outcome, Passage, Verdict, bibtex, reference
from ui.chat.answer_view import by_number
from ui.conversations.conversation import Exchange
from ui.html.escaping import element, inert, shortened
from ui.html.papers import about, abstract, scope_in_words

_REGION = {"aria-label": "Evidence"}
_LONGEST_HEADING = 300  # characters of a title

_Place = tuple[int, Passage]  # rank from 1, and the paper as it was found


def evidence(exchange: Exchange, turn: int) -> str:
    """The evidence panel of an exchange: cited papers first, whatever else was found folded below."""
    answer = exchange.answer
    heading = element("h2", "Evidence") + element("p", inert(exchange.question), "fn-for") + _asked_of(exchange.scope)
    if answer is None:
        title = "Found so far" if exchange.running else "Found, but the question was not answered"
        heading += _also_searched(exchange.searches)
        found = _found(list(enumerate(exchange.passages or (), start=1)), title, "", turn)
        return element("section", heading + (found or _empty_note(exchange)), "fn-turn", id=f"fn-{turn}", **_REGION)
    if answer.standalone_question.strip() not in ("", answer.question.strip()):
        searched = answer.standalone_question
        heading += element("p", "Searched for: " + inert(searched), "fn-searched", title=searched)
    heading += _also_searched(answer.searches)
    places = {passage.paper.id: (rank, passage) for rank, passage in enumerate(answer.passages, start=1)}
    cited = by_number(answer.citations)
    cards = "".join(_card(citations, answer, places, turn) for citations in cited.values())
    ids = {citation.paper.id for citation in answer.citations}
    rest = [place for paper_id, place in places.items() if paper_id not in ids]
    if answer.outcome is Outcome.NOT_IN_CORPUS:
        cards += _found(rest, "Nearest papers", "Near misses: none of them answers the question.", turn)
    elif rest:
        summary = element("summary", f"Also found ({len(rest)})")
        cards += element("details", summary + _found(rest, "", "Found, but not cited.", turn), "fn-also")
    return element("section", heading + cards, "fn-turn", id=f"fn-{turn}", **_REGION)


def no_evidence() -> str:
    """The evidence panel before the first question."""
    text = "The papers behind an answer appear here, with the quoted sentences marked in their abstracts."
    return element("section", element("h2", "Evidence") + element("p", text, "fn-empty"), "fn-turn", **_REGION)


def _asked_of(scope: Filter | None) -> str:
    return element("p", inert(f"Asked only of {scope_in_words(scope)}"), "fn-searched") if scope else ""


def _card(citations: Sequence[Citation], answer: Answer, places: Mapping[str, _Place], turn: int) -> str:
    paper, number = citations[0].paper, citations[0].number
    spans = [(citation.start, citation.end) for citation in citations]
    heading = element("span", str(number), "fn-number") + element("h3", inert(shortened(paper.label, _LONGEST_HEADING)))
    found = places.get(paper.id)
    quote = "\n".join(f"“{citation.quote}”" for citation in citations) + f"\n— {reference(paper)}"
    buttons = (
        _copier("Copy quote", quote) + _copier("Copy BibTeX", bibtex([paper]))
        + element("a", "Back to the answer", "fn-back", href=f"#fn-{turn}-{number}-from")
    )  # fmt: skip
    content = (
        element("header", heading)
        + about(paper)
        + element("p", _relevance(found, len(places)) + _support(number, answer), "fn-standing")
        + abstract(paper, spans, "fn-abstract")
        + element("div", buttons, "fn-buttons")
    )
    name = {"aria-label": f"Citation {number}: {shortened(paper.label, _LONGEST_HEADING)}"}
    return element("article", content, "fn-card", id=f"fn-{turn}-{number}", tabindex="-1", **name)


def _relevance(found: _Place | None, of: int) -> str:
    if found is None:
        return ""
    rank, passage = found
    likeness = passage.signals.get("cosine")
    told = f"Ranked {rank} of {of}" + ("" if likeness is None else f", similarity {likeness:.2f}")
    return element("span", told, "fn-relevance", title="Place among the papers found; cosine of question and text")


def _support(number: int, answer: Answer) -> str:
    """What the support ledger says of the sentences that this paper is cited for."""
    claims = [claim for claim in answer.claims if number in claim.citations and claim.verdict is not Verdict.NO_CLAIM]
    if not claims:
        return ""
    carried = sum(claim.verdict is Verdict.SUPPORTED for claim in claims)
    of = f"{len(claims)} sentence{'s' * (len(claims) > 1)}"
    if carried == len(claims):
        return element("span", f"✓ Supports {of} of the answer", "fn-support fn-answered")
    reasons = "; ".join(dict.fromkeys(reason for claim in claims for reason in claim.problems))
    told = f"Supports {carried} of {of}: {reasons}" if reasons else f"Supports {carried} of {of}"
    return element("span", inert(told), "fn-support fn-partial")


def _copier(label: str, text: str) -> str:
    return element("button", label, "fn-button", type="button", **{"data-copy": text})


def _found(found: Sequence[_Place], heading: str, note: str, turn: int) -> str:
    """Papers by name, each unfolding to its abstract with the best passage marked."""
    if not found:
        return ""
    items = "".join(
        element(
            "details",
            element("summary", inert(shortened(passage.paper.label, _LONGEST_HEADING)))
            + about(passage.paper)
            + abstract(passage.paper, [(passage.start, passage.end)], "fn-abstract fn-uncited"),
            "fn-found",
            id=f"fn-{turn}-found-{rank}",
        )
        for rank, passage in found
    )
    top = element("h3", heading, "fn-subhead") if heading else ""
    return top + (element("p", note, "fn-note") if note else "") + items


def _also_searched(searches: Sequence[str]) -> str:
    listed = "; ".join(searches)
    return element("p", "Also searched for: " + inert(listed), "fn-searched", title=listed) if searches else ""


def _empty_note(exchange: Exchange) -> str:
    text = "Searching the library…" if exchange.running else "This question was not answered, so nothing is cited."
    return element("p", text, "fn-empty")
