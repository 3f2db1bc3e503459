"""Questions and answers as the chat shows them: safe HTML that is left whole by the chat's own sanitizer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rag import Answer, Outcome, Usage, Verdict
from ui.conversations.conversation import Exchange, State
from ui.html.answer_text import Remark, draw_answer_text
from ui.html.escaping import draw_error, element, escape, shorten
from ui.html.paper_parts import count_papers, group_by_number

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


def draw_question(text: str, turn: int) -> str:
    """The reader's question, an overlong one shortened."""
    shown = shorten(text.strip(), _LONGEST_QUESTION)
    lines = "<br>".join(escape(line) for line in shown.splitlines())
    edit = _draw_action("Edit", "edit", "Ask this question differently", turn=turn)
    return element("div", element("p", lines) + edit, "fn-question")


def draw_reply(
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
    shown = ""
    if exchange.answer:
        shown += _draw_answer(exchange.answer, turn)
    elif exchange.text:
        shown += draw_answer_text(exchange.text, {}, turn)
    if exchange.error:
        shown += draw_error(exchange.error)
    elif exchange.state in _ENDS:
        shown += element("p", _ENDS[exchange.state], "fn-note fn-cut")
    elif exchange.running and not is_mine:
        shown += element("p", _ELSEWHERE, "fn-note")
    elif exchange.running:
        shown += _draw_notes(exchange.notices)
        if not exchange.text:
            shown += element("p", _name_stage(exchange, reading), "fn-stage")
    shown += _draw_foot(exchange, turn, so_far)
    if not exchange.running:
        shown += _draw_actions(exchange, turn, is_last=is_last)
    return element("div", shown, "fn-answer")


def _draw_answer(answer: Answer, turn: int) -> str:
    unknown = [term for term in answer.unknown_terms if term not in answer.text]
    return (
        draw_answer_text(answer.text, group_by_number(answer.citations), turn, list(_remark(answer)))
        + (element("p", _BROKE_OFF, "fn-note fn-cut") if answer.cut else "")
        + _draw_doubts(answer)
        # Without a model the text says so itself.
        + _draw_listed("Not stated in the papers that it read", answer.missing if answer.model else ())
        + _draw_listed("Found nowhere in the library", unknown)
        + _draw_listed("Removed markers that name no passage", answer.removed_markers)
        + _draw_notes(answer.notices)
    )


def _draw_notes(notices: Sequence[str]) -> str:
    return "".join(element("p", escape(notice), "fn-note") for notice in notices)


def _remark(answer: Answer) -> Iterator[Remark]:
    """What the support ledger has to say of sentences: whose support is lacking, and who lends it unasked."""
    for claim in answer.claims:
        if claim.attributed:
            yield Remark(claim.start, claim.end, "fn-attributed", why=ATTRIBUTED, attributed=claim.citations)
        elif label := _VERDICTS.get(claim.verdict):
            yield Remark(claim.start, claim.end, f"fn-{claim.verdict}", label, "; ".join(claim.problems))


def _draw_doubts(answer: Answer) -> str:
    """The reasons why sentences are not supported, and what an attributed marker is."""
    lines = ""
    for claim in answer.claims:
        if claim.verdict in _VERDICTS and not claim.attributed and claim.problems:
            words = answer.text[claim.start : claim.end].split()
            quoted = " ".join(words[:_DOUBT_WORDS]) + (" …" if len(words) > _DOUBT_WORDS else "")
            lines += element("li", f"{element('q', escape(quoted))} {escape('; '.join(claim.problems))}")
    listed = element("p", "Check before you rely on it:", "fn-note") + element("ul", lines, "fn-doubts")
    dashed = element("p", f"Dashed markers: {ATTRIBUTED[0].lower()}{ATTRIBUTED[1:]}", "fn-note")
    return (listed if lines else "") + (dashed if any(claim.attributed for claim in answer.claims) else "")


def _draw_foot(exchange: Exchange, turn: int, so_far: Usage | None) -> str:
    """How the question ended, the way to the evidence, and what it took."""
    answer, bits = exchange.answer, []
    if answer:
        restricted = exchange.scope is not None and answer.outcome is Outcome.NOT_IN_CORPUS
        badge = "Not in these papers" if restricted else _BADGES[answer.outcome]
        bits.append(element("span", badge, f"fn-badge fn-{answer.outcome.replace('_', '-')}"))
        cited = len(group_by_number(answer.citations))
        count = f"{count_papers(cited)} cited" if cited else f"{count_papers(len(answer.passages))} came nearest"
        bits.append(element("a", count, "fn-open", href=f"#fn-{turn}", title="Show the evidence of this answer"))
        bits.append(element("span", escape(answer.model or "no language model"), "fn-how"))
        if answer.searched:
            bits.append(element("span", f"{count_papers(answer.searched)} searched"))
        if total_ms := answer.timings_ms.get("total"):
            bits.append(element("span", f"{total_ms / 1000:.1f} s" if total_ms >= 950 else f"{total_ms:.0f} ms"))
    if exchange.usage.total_tokens:
        told = str(exchange.usage)
        bits.append(element("span", escape(told if so_far in (None, exchange.usage) else f"{told}; so far {so_far}")))
    return element("p", " ".join(bits), "fn-foot") if bits else ""


def _draw_actions(exchange: Exchange, turn: int, *, is_last: bool) -> str:
    answer = exchange.answer
    offered = [
        (answer, "Copy", "copy", "Copy this answer as Markdown with its references"),
        (is_last, "Retry", "retry", "Ask this question again"),
        (
            is_last and exchange.wants_another_way,
            "Answer without the language model", "without", "Sentences quoted from the abstracts",
        ),
        (answer and len(answer.passages) > 1, "Compare papers", "compare", "Aim, method and result, paper by paper"),
        (answer, "Passport", "passport", "Save this answer with all its evidence, to be verified later"),
        (answer, "Helpful", "like", "This answer helped"),
        (answer, "Not helpful", "dislike", "This answer did not help"),
    ]  # fmt: skip
    pressed = {True: "like", False: "dislike", None: ""}[exchange.liked]
    links = (_draw_action(*link, turn=turn, pressed=link[1] == pressed) for fits, *link in offered if fits)
    return element("p", " ".join(links), "fn-actions")


def _draw_action(label: str, name: str, title: str, *, turn: int, pressed: bool = False) -> str:
    """A link that the page's script makes a button: the chat's sanitizer lets no button through."""
    css = "fn-action fn-pressed" if pressed else "fn-action"
    return element("a", label, css, href=f"#fn-do-{name}-{turn}", title=title)


def _draw_listed(label: str, items: Sequence[str]) -> str:
    if not items:
        return ""
    return element("p", element("strong", f"{label}:") + " " + escape("; ".join(items)), "fn-note")


def _name_stage(exchange: Exchange, reading: int) -> str:
    if exchange.passages is None:
        return "Searching the library…"
    read = min(reading, len(exchange.passages)) if reading else len(exchange.passages)
    return f"Searched {count_papers(exchange.searched)}; reading the best {read}…"
