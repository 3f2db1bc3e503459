"""Answers and their evidence as safe HTML: pure functions; everything others wrote is made inert."""

from __future__ import annotations

from collections.abc import Sequence

from rag import Answer, Citation, Outcome, Paper, Passage, Usage, Verdict, instructions
from ui.conversation import Exchange
from ui.markup import element, highlighted, inert
from ui.prose import Remark, prose

WITHOUT_MODEL = "no language model: sentences quoted from the abstracts"
LONGEST_QUESTION = 2000  # characters shown; the engine says what it thinks of more
SUSPECT = "This abstract contains text that reads like instructions to an assistant; it was treated as data."
MADE_LABEL = "untitled; label made from its opening words"
WELCOME = (
    '<div class="fn-welcome"><h2>What do you want to know?</h2><p>Answers come only from the abstracts of '
    "this library. Each sentence carries a number: click it to read the quoted words in place.</p></div>"
)

ATTRIBUTED = "A dashed marker was not written by the model: the paper was found to carry the sentence."
_DOUBT_WORDS = 12  # of a sentence, by which a reader finds it again
_VERDICTS = {Verdict.PARTIAL: "partly supported", Verdict.UNSUPPORTED: "not supported"}
_BADGES = {
    Outcome.ANSWERED: "Answered",
    Outcome.PARTIAL: "Partly answered",
    Outcome.NOT_IN_CORPUS: "Not in this library",
}


def message(exchange: Exchange, turn: int, so_far: Usage | None = None) -> str:
    """What the chat shows as the reply to an exchange.

    Args:
        turn: Makes its ids unique on the page.
        so_far: What the language model took in the conversation until here.
    """
    if exchange.answer:
        return _block(_answer(exchange.answer, turn) + _cost(exchange.usage, so_far), "fn-answer")
    parts = [prose(exchange.text, {}, turn)] if exchange.text else []
    if exchange.error:
        parts.append(element("p", inert(exchange.error), "fn-error") + _cost(exchange.usage, so_far))
    elif exchange.stopped:
        parts.append(element("p", "Stopped before the answer was complete.", "fn-note"))
    else:
        parts += [element("p", inert(notice), "fn-note") for notice in exchange.notices]
        if not exchange.text:
            parts.append(element("p", _stage(exchange.passages), "fn-stage"))
    return _block("".join(parts), "fn-answer")


def question(text: str) -> str:
    """The reader's question as the chat shows it, an overlong one shortened."""
    shown = text if len(text) <= LONGEST_QUESTION else text[:LONGEST_QUESTION] + "…"
    return _block("<br>".join(inert(line) for line in shown.strip().splitlines()), "fn-question")


def evidence(exchange: Exchange, turn: int) -> str:
    """The evidence panel of an exchange: cited papers first, whatever else was found folded below."""
    answer = exchange.answer
    heading = element("h2", "Evidence") + element("p", inert(exchange.question), "fn-for")
    if answer is None:
        title = "Found so far" if exchange.running else "Found, but the question was not answered"
        heading += _also_searched(exchange.searches)
        found = _found(exchange.passages or (), title, "", turn)
        return element("section", heading + (found or _empty_note(exchange)), "fn-turn", id=f"fn-{turn}")
    if answer.standalone_question.strip() not in ("", answer.question.strip()):
        searched = answer.standalone_question
        heading += element("p", "Searched for: " + inert(searched), "fn-searched", title=searched)
    heading += _also_searched(answer.searches)
    cited = _by_paper(answer.citations)
    cards = "".join(_card(citations, turn) for citations in cited.values())
    rest = [passage for passage in answer.passages if passage.paper.id not in cited]
    if answer.outcome is Outcome.NOT_IN_CORPUS:
        cards += _found(rest, "Nearest papers", "Near misses: none of them answers the question.", turn)
    elif rest:
        summary = element("summary", f"Also found ({len(rest)})")
        cards += element("details", summary + _found(rest, "", "Found, but not cited.", turn), "fn-also")
    return element("section", heading + cards, "fn-turn", id=f"fn-{turn}")


def no_evidence() -> str:
    """The evidence panel before the first question."""
    text = "The papers behind an answer appear here, with the quoted sentences marked in their abstracts."
    return element("section", element("h2", "Evidence") + element("p", text, "fn-empty"), "fn-turn")


def header(model: str | None) -> str:
    """The page's top line; `model` is the language model's name or None."""
    how = f"Answers written by {inert(model)}" if model else WITHOUT_MODEL.capitalize()
    name = element("h1", "Footnote") + element("p", "Ask your paper abstracts; check every sentence.", "fn-tagline")
    return element("div", name, "fn-name") + element("p", how, "fn-model")


def _answer(answer: Answer, turn: int) -> str:
    papers = {citation.number: citation.paper for citation in answer.citations}
    notes = [element("p", "The answer broke off here; this is what had arrived.", "fn-note")] if answer.cut else []
    notes += [
        _doubts(answer),
        _listed(
            "Not stated in the papers that it read", answer.missing if answer.model else ()
        ),  # else the text says so itself
        _listed("Found nowhere in the library", [term for term in answer.unknown_terms if term not in answer.text]),
        _listed("Removed markers that name no passage", answer.removed_markers),
        *(element("p", inert(notice), "fn-note") for notice in answer.notices),
    ]
    return prose(answer.text, papers, turn, _remarks(answer)) + "".join(notes) + _foot(answer, len(papers), turn)


def _remarks(answer: Answer) -> dict[int, Remark]:
    """What the support ledger has to say behind sentences: whose support is lacking, and who lends it unasked."""
    remarks = {}
    for claim in answer.claims:
        if claim.attributed:
            remarks[claim.end] = Remark("fn-attributed", attributed=claim.citations)
        elif label := _VERDICTS.get(claim.verdict):
            remarks[claim.end] = Remark(f"fn-doubt fn-{claim.verdict}", label, "; ".join(claim.problems))
    return remarks


def _doubts(answer: Answer) -> str:
    """The reasons why sentences are not supported, and what an attributed marker is."""
    doubtful = [claim for claim in answer.claims if claim.verdict in _VERDICTS]
    lines = [
        element("li", element("q", inert(_shortened(answer.text[claim.start : claim.end]))) + " " + inert(reasons))
        for claim in doubtful
        if (reasons := "; ".join(claim.problems))
    ]
    listed = element("p", "Check before you rely on it:", "fn-note") + element("ul", "".join(lines), "fn-doubts")
    if any(claim.attributed for claim in answer.claims):
        listed = (listed if lines else "") + element("p", ATTRIBUTED, "fn-note")
    elif not lines:
        return ""
    return listed


def _shortened(sentence: str) -> str:
    words = sentence.split()
    return " ".join(words[:_DOUBT_WORDS]) + (" …" if len(words) > _DOUBT_WORDS else "")


def _foot(answer: Answer, cited: int, turn: int) -> str:
    badge = element("span", _BADGES[answer.outcome], f"fn-badge fn-{answer.outcome.replace('_', '-')}")
    count = f"{_papers(cited)} cited" if cited else f"{len(answer.passages)} nearest papers"
    link = element("a", count, "fn-open", href=f"#fn-{turn}", title="Show the evidence of this answer")
    how = inert(answer.model) if answer.model else WITHOUT_MODEL if cited else ""
    return element("p", f"{badge} {link} " + (element("span", how, "fn-how") if how else ""), "fn-foot")


def _cost(usage: Usage, so_far: Usage | None) -> str:
    """What an answer took, and the conversation where that is more; nothing where no language model was used."""
    if not usage.total_tokens:
        return ""
    told = str(usage) if so_far in (None, usage) else f"{usage} · conversation {so_far}"
    return element("p", inert(told), "fn-cost")


def _card(citations: Sequence[Citation], turn: int) -> str:
    paper, number = citations[0].paper, citations[0].number
    spans = [(citation.start, citation.end) for citation in citations]
    heading = element("span", str(number), "fn-number") + element("h3", inert(paper.label))
    back = element("a", "Back to the answer", "fn-back", href=f"#fn-{turn}-{number}-from")
    content = element("header", heading) + _about(paper) + _abstract(paper, spans, "fn-abstract") + back
    return element("article", content, "fn-card", id=f"fn-{turn}-{number}", tabindex="-1")


def _found(passages: Sequence[Passage], heading: str, note: str, turn: int) -> str:
    """Papers by name, each unfolding to its abstract with the best passage marked."""
    if not passages:
        return ""
    items = "".join(
        element(
            "details",
            element("summary", inert(passage.paper.label))
            + _about(passage.paper)
            + _abstract(passage.paper, [(passage.start, passage.end)], "fn-abstract fn-uncited"),
            "fn-found",
            id=f"fn-{turn}-found-{rank}",
        )
        for rank, passage in enumerate(passages, start=1)
    )
    top = element("h3", heading, "fn-subhead") if heading else ""
    return top + (element("p", note, "fn-note") if note else "") + items


def _abstract(paper: Paper, spans: Sequence[tuple[int, int]], css: str) -> str:
    """The abstract with these places marked, and with those that speak to an assistant marked in another way."""
    suspect = instructions(paper.abstract)
    warning = element("p", SUSPECT, "fn-warning") if suspect else ""
    return warning + element("p", highlighted(paper.abstract, spans, suspect=suspect), css)


def _about(paper: Paper) -> str:
    """Where the paper was found, and what its source says of it."""
    made = element("p", MADE_LABEL, "fn-made") if paper.label_is_made else ""
    bits = [", ".join(paper.authors), paper.venue, str(paper.year or "")]
    written = " · ".join(inert(bit) for bit in bits if bit)
    place = f"{inert(paper.source)}, line {paper.line}"
    if paper.also_in:
        place += "; also in " + ", ".join(f"{inert(source)}, line {line}" for source, line in paper.also_in)
    return made + (element("p", written, "fn-written") if written else "") + element("p", place, "fn-place")


def _also_searched(searches: Sequence[str]) -> str:
    listed = "; ".join(searches)
    return element("p", "Also searched for: " + inert(listed), "fn-searched", title=listed) if searches else ""


def _by_paper(citations: Sequence[Citation]) -> dict[str, list[Citation]]:
    papers: dict[str, list[Citation]] = {}
    for citation in citations:
        papers.setdefault(citation.paper.id, []).append(citation)
    return papers


def _listed(label: str, items: Sequence[str]) -> str:
    if not items:
        return ""
    return element("p", element("strong", f"{label}:") + " " + inert("; ".join(items)), "fn-note")


def _stage(passages: Sequence[Passage] | None) -> str:
    if passages is None:
        return "Searching the library…"
    return f"Found {_papers(len(passages))}; writing the answer…"


def _empty_note(exchange: Exchange) -> str:
    text = "Searching the library…" if exchange.running else "This question was not answered, so nothing is cited."
    return element("p", text, "fn-empty")


def _papers(count: int) -> str:
    return f"{count} paper" if count == 1 else f"{count} papers"


def _block(content: str, css: str) -> str:
    """A block that Markdown hands on as it is: it opens with a <div> and has no blank line inside."""
    return element("div", content, css)
