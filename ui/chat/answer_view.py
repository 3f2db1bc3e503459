"""Questions and answers as the chat shows them: safe HTML that is left whole by the chat's own sanitizer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rag import Answer, Citation, Outcome, Usage, Verdict
from ui.conversations.conversation import Exchange, State
from ui.html.escaping import element, inert, papers, shortened
from ui.html.prose import Remark, prose

WITHOUT_MODEL = "no language model: sentences quoted from the abstracts"
ATTRIBUTED = "The model named no source here; Footnote found the paper that carries the sentence."
_LONGEST_QUESTION = 2000  # characters shown; the engine says what it thinks of more
_DOUBT_WORDS = 12  # of a sentence, by which a reader finds it again
_ELSEWHERE = "This is being answered in another tab; open the conversation again to see the answer."
_BROKE_OFF = "The answer broke off here; this is what had arrived."
_VERDICTS = {Verdict.PARTIAL: "partly supported", Verdict.UNSUPPORTED: "not supported"}
_BADGES = {
    Outcome.ANSWERED: "Answered",
    Outcome.PARTIAL: "Partly answered",
    Outcome.NOT_IN_CORPUS: "Not in this library",
}
_ENDS = {
    State.STOPPED: "Stopped before the answer was complete.",
    State.CUT: "Cut: the server ended before the answer was complete. This is what had arrived.",
}


def question(text: str, turn: int) -> str:
    """The reader's question, an overlong one shortened."""
    shown = shortened(text.strip(), _LONGEST_QUESTION)
    lines = "<br>".join(inert(line) for line in shown.splitlines())
    return element("div", element("p", lines) + _action("Edit", "edit", turn, "Ask this question differently"),
                   "fn-question")  # fmt: skip


def message(
    exchange: Exchange,
    turn: int,
    *,
    is_last: bool = True,
    so_far: Usage | None = None,
    reading: int = 0,
    is_mine: bool = True,
) -> str:
    """What the chat shows as the reply to an exchange: a block that Markdown hands on as it is.

    Args:
        turn: Makes its ids unique on the page.
        is_last: Whether nothing was asked since.
        so_far: What the language model took in the conversation until here.
        reading: Papers that the language model is given to read at most; 0 without one.
        is_mine: Whether this tab asked it, if it is still running.
    """
    parts: list[str] = []
    if exchange.answer:
        parts.append(_answer(exchange.answer, turn))
    elif exchange.text:
        parts.append(prose(exchange.text, {}, turn))
    if exchange.error:
        parts.append(element("p", inert(exchange.error), "fn-error"))
    elif exchange.state in _ENDS:
        parts.append(element("p", _ENDS[exchange.state], "fn-note fn-cut"))
    elif exchange.running and not is_mine:
        parts.append(element("p", _ELSEWHERE, "fn-note"))
    elif exchange.running:
        parts += [element("p", inert(notice), "fn-note") for notice in exchange.notices]
        if not exchange.text:
            parts.append(element("p", _stage(exchange, reading), "fn-stage"))
    parts.append(_foot(exchange, turn, so_far))
    if not exchange.running:
        parts.append(_actions(exchange, turn, is_last=is_last))
    return element("div", "".join(parts), "fn-answer")


def _answer(answer: Answer, turn: int) -> str:
    notes = [element("p", _BROKE_OFF, "fn-note fn-cut")] if answer.cut else []
    notes += [
        _doubts(answer),
        # Without a model the text says so itself.
        _listed("Not stated in the papers that it read", answer.missing if answer.model else ()),
        _listed("Found nowhere in the library", [term for term in answer.unknown_terms if term not in answer.text]),
        _listed("Removed markers that name no passage", answer.removed_markers),
        *(element("p", inert(notice), "fn-note") for notice in answer.notices),
    ]
    return prose(answer.text, by_number(answer.citations), turn, list(_remarks(answer))) + "".join(notes)


def by_number(citations: Sequence[Citation]) -> dict[int, list[Citation]]:
    """The citations of a paper together, in the order of the papers' numbers."""
    found: dict[int, list[Citation]] = {}
    for citation in citations:
        found.setdefault(citation.number, []).append(citation)
    return dict(sorted(found.items()))


def _remarks(answer: Answer) -> Iterator[Remark]:
    """What the support ledger has to say of sentences: whose support is lacking, and who lends it unasked."""
    for claim in answer.claims:
        if claim.attributed:
            yield Remark(claim.start, claim.end, "fn-attributed", why=ATTRIBUTED, attributed=claim.citations)
        elif label := _VERDICTS.get(claim.verdict):
            yield Remark(claim.start, claim.end, f"fn-{claim.verdict}", label, "; ".join(claim.problems))


def _doubts(answer: Answer) -> str:
    """The reasons why sentences are not supported, and what an attributed marker is."""
    lines = [
        element("li", element("q", inert(_shortened(answer.text[claim.start : claim.end]))) + " " + inert(reasons))
        for claim in answer.claims
        if claim.verdict in _VERDICTS and not claim.attributed and (reasons := "; ".join(claim.problems))
    ]
    listed = element("p", "Check before you rely on it:", "fn-note") + element("ul", "".join(lines), "fn-doubts")
    dashed = element("p", f"Dashed markers: {ATTRIBUTED[0].lower()}{ATTRIBUTED[1:]}", "fn-note")
    return (listed if lines else "") + (dashed if any(claim.attributed for claim in answer.claims) else "")


def _shortened(sentence: str) -> str:
    words = sentence.split()
    return " ".join(words[:_DOUBT_WORDS]) + (" …" if len(words) > _DOUBT_WORDS else "")


def _foot(exchange: Exchange, turn: int, so_far: Usage | None) -> str:
    """How the question ended, the way to the evidence, and what it took."""
    answer, bits = exchange.answer, []
    if answer:
        restricted = exchange.scope is not None and answer.outcome is Outcome.NOT_IN_CORPUS
        badge = "Not in these papers" if restricted else _BADGES[answer.outcome]
        bits.append(element("span", badge, f"fn-badge fn-{answer.outcome.replace('_', '-')}"))
        cited = len(by_number(answer.citations))
        count = f"{papers(cited)} cited" if cited else f"{papers(len(answer.passages))} came nearest"
        bits.append(element("a", count, "fn-open", href=f"#fn-{turn}", title="Show the evidence of this answer"))
        bits.append(element("span", inert(answer.model or "no language model"), "fn-how"))
        if answer.searched:
            bits.append(element("span", f"{papers(answer.searched)} searched"))
        if total_ms := answer.timings_ms.get("total"):
            bits.append(element("span", f"{total_ms / 1000:.1f} s" if total_ms >= 950 else f"{total_ms:.0f} ms"))
    if exchange.usage.total_tokens:
        told = str(exchange.usage)
        bits.append(element("span", inert(told if so_far in (None, exchange.usage) else f"{told}; so far {so_far}")))
    return element("p", " ".join(bits), "fn-foot") if bits else ""


def _actions(exchange: Exchange, turn: int, *, is_last: bool) -> str:
    answer = exchange.answer
    liked, disliked = exchange.liked is True, exchange.liked is False
    bits = [
        _action("Copy", "copy", turn, "Copy this answer as Markdown with its references") if answer else "",
        _action("Retry", "retry", turn, "Ask this question again") if is_last else "",
    ]
    if is_last and exchange.wants_another_way:
        title = "Sentences quoted from the abstracts"
        bits.append(_action("Answer without the language model", "without", turn, title))
    if answer:
        several = len(answer.passages) > 1
        bits += [
            _action("Compare papers", "compare", turn, "Aim, method and result, paper by paper") if several else "",
            _action("Passport", "passport", turn, "Save this answer with all its evidence, to be verified later"),
            _action("Helpful", "like", turn, "This answer helped", pressed=liked),
            _action("Not helpful", "dislike", turn, "This answer did not help", pressed=disliked),
        ]
    return element("p", " ".join(filter(None, bits)), "fn-actions")


def _action(label: str, name: str, turn: int, title: str, *, pressed: bool = False) -> str:
    """A link that the page's script makes a button: the chat's sanitizer lets no button through."""
    css = "fn-action fn-pressed" if pressed else "fn-action"
    return element("a", label, css, href=f"#fn-do-{name}-{turn}", title=title)


def _listed(label: str, items: Sequence[str]) -> str:
    if not items:
        return ""
    return element("p", element("strong", f"{label}:") + " " + inert("; ".join(items)), "fn-note")


def _stage(exchange: Exchange, reading: int) -> str:
    if exchange.passages is None:
        return "Searching the library…"
    read = min(reading, len(exchange.passages)) if reading else len(exchange.passages)
    return f"Searched {papers(exchange.searched)}; reading the best {read}…"
