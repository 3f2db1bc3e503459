"""The evidence of an answer as safe HTML: a card for each cited paper, and what else was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rag import Answer, Citation, Outcome, Passage, Verdict, bibtex, reference
from ui.conversations.conversation import Exchange
from ui.html.escaping import button, element, escape
from ui.html.paper_parts import describe_filter, draw_abstract, draw_origin, group_by_number, shorten_heading

_Place = tuple[int, Passage]  # rank from 1, and the paper as it was found


def draw_evidence(exchange: Exchange, turn: int) -> str:
    """The evidence panel of an exchange: cited papers first, whatever else was found folded below."""
    answer = exchange.answer
    heading = element("h2", "Evidence") + element("p", escape(exchange.question), "fn-for")
    if exchange.scope:
        heading += element("p", escape(f"Asked only of {describe_filter(exchange.scope)}"), "fn-searched")
    if answer is None:
        title = "Found so far" if exchange.running else "Found, but the question was not answered"
        heading += _draw_searches(exchange.searches)
        found = _draw_found(list(enumerate(exchange.passages or (), start=1)), title, "", turn)
        return _draw_panel(heading + (found or _draw_empty_note(exchange)), turn)
    if answer.standalone_question.strip() not in ("", answer.question.strip()):
        searched = answer.standalone_question
        heading += element("p", "Searched for: " + escape(searched), "fn-searched", title=searched)
    heading += _draw_searches(answer.searches)
    places = {passage.paper.id: (rank, passage) for rank, passage in enumerate(answer.passages, start=1)}
    cited = group_by_number(answer.citations)
    cards = "".join(_draw_card(citations, answer, places, turn) for citations in cited.values())
    ids = {citation.paper.id for citation in answer.citations}
    rest = [place for paper_id, place in places.items() if paper_id not in ids]
    if answer.outcome is Outcome.NOT_IN_CORPUS:
        cards += _draw_found(rest, "Nearest papers", "Near misses: none of them answers the question.", turn)
    elif rest:
        summary = element("summary", f"Also found ({len(rest)})")
        cards += element("details", summary + _draw_found(rest, "", "Found, but not cited.", turn), "fn-also")
    return _draw_panel(heading + cards, turn)


def draw_no_evidence() -> str:
    """The evidence panel before the first question."""
    text = "The papers behind an answer appear here, with the quoted sentences marked in their abstracts."
    return _draw_panel(element("h2", "Evidence") + element("p", text, "fn-empty"))


def _draw_panel(content: str, turn: int | None = None) -> str:
    own_id = "" if turn is None else f"fn-{turn}"
    return element("section", content, "fn-turn", id=own_id, aria_label="Evidence")


def _draw_card(citations: Sequence[Citation], answer: Answer, places: Mapping[str, _Place], turn: int) -> str:
    paper, number = citations[0].paper, citations[0].number
    spans = [(citation.start, citation.end) for citation in citations]
    title = shorten_heading(paper.label)
    heading = element("span", str(number), "fn-number") + element("h3", escape(title))
    found = places.get(paper.id)
    quote = "\n".join(f"“{citation.quote}”" for citation in citations) + f"\n— {reference(paper)}"
    buttons = button("Copy quote", "fn-button", data_copy=quote)
    buttons += button("Copy BibTeX", "fn-button", data_copy=bibtex([paper]))
    buttons += element("a", "Back to the answer", "fn-back", href=f"#fn-{turn}-{number}-from")
    content = (
        element("header", heading)
        + draw_origin(paper)
        + element("p", _draw_relevance(found, len(places)) + _draw_support(number, answer), "fn-standing")
        + draw_abstract(paper, spans)
        + element("div", buttons, "fn-buttons")
    )
    name = f"Citation {number}: {title}"
    return element("article", content, "fn-card", id=f"fn-{turn}-{number}", tabindex="-1", aria_label=name)


def _draw_relevance(found: _Place | None, of: int) -> str:
    if found is None:
        return ""
    rank, passage = found
    likeness = passage.signals.get("cosine")
    told = f"Ranked {rank} of {of}" + ("" if likeness is None else f", similarity {likeness:.2f}")
    return element("span", told, "fn-relevance", title="Place among the papers found; cosine of question and text")


def _draw_support(number: int, answer: Answer) -> str:
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
    return element("span", escape(told), "fn-support fn-partial")


def _draw_found(found: Sequence[_Place], heading: str, note: str, turn: int) -> str:
    """Papers by name, each unfolding to its abstract with the best passage marked."""
    if not found:
        return ""
    items = "".join(
        element(
            "details",
            element("summary", escape(shorten_heading(passage.paper.label)))
            + draw_origin(passage.paper)
            + draw_abstract(passage.paper, [(passage.start, passage.end)], "fn-abstract fn-uncited"),
            "fn-found",
            id=f"fn-{turn}-found-{rank}",
        )
        for rank, passage in found
    )
    top = element("h3", heading, "fn-subhead") if heading else ""
    return top + (element("p", note, "fn-note") if note else "") + items


def _draw_searches(searches: Sequence[str]) -> str:
    listed = "; ".join(searches)
    return element("p", "Also searched for: " + escape(listed), "fn-searched", title=listed) if searches else ""


def _draw_empty_note(exchange: Exchange) -> str:
    text = "Searching the library…" if exchange.running else "This question was not answered, so nothing is cited."
    return element("p", text, "fn-empty")
