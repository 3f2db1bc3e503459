"""Questions and answers as the chat shows them: safe HTML that is left whole by the chat's own sanitizer."""

from __future__ import annotations

from collections.abc import Iterator

from rag import Answer, Outcome, Usage, Verdict
from ui.conversations.conversation import Exchange
from ui.html.answer_text import Remark, draw_answer_text
from ui.html.paper_parts import group_by_number
from ui.html.templates import fill

WITHOUT_MODEL = "no language model: sentences quoted from the abstracts"
ATTRIBUTED = "The model named no source here; Footnote found the paper that carries the sentence."
_LONGEST_QUESTION = 2000  # characters shown; the engine says what it thinks of more
_DOUBT_WORDS = 12  # of a sentence, by which a reader finds it again
_VERDICTS = {Verdict.PARTIAL: "partly supported", Verdict.UNSUPPORTED: "not supported"}
_BADGES = {
    Outcome.ANSWERED: "Answered",
    Outcome.PARTIAL: "Partly answered",
    Outcome.NOT_IN_CORPUS: "Not in this library",
}


def draw_question(text: str, turn: int) -> str:
    """The reader's question, an overlong one shortened."""
    return fill("chat/question.html", text=text, turn=turn, longest=_LONGEST_QUESTION)


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
    answer = exchange.answer
    cited = group_by_number(answer.citations if answer else ())
    text, remarks = (answer.text, list(_remark(answer))) if answer else (exchange.text, [])
    restricted = answer and answer.outcome is Outcome.NOT_IN_CORPUS and exchange.scope is not None
    return fill(
        "chat/reply.html",
        exchange=exchange,
        answer=answer,
        turn=turn,
        text=draw_answer_text(text, cited, turn, remarks),
        doubts=list(_doubt(answer)) if answer else (),
        attributed=ATTRIBUTED,
        badge="Not in these papers" if restricted else _BADGES[answer.outcome] if answer else "",
        cited=len(cited),
        so_far=so_far,
        reading=reading,
        is_mine=is_mine,
        actions=_list_actions(exchange, is_last=is_last),
        pressed={True: "like", False: "dislike", None: ""}[exchange.liked],
    )


def _remark(answer: Answer) -> Iterator[Remark]:
    """What the support ledger has to say of sentences: whose support is lacking, and who lends it unasked."""
    for claim in answer.claims:
        if claim.attributed:
            yield Remark(claim.start, claim.end, "fn-attributed", why=ATTRIBUTED, attributed=claim.citations)
        elif label := _VERDICTS.get(claim.verdict):
            yield Remark(claim.start, claim.end, f"fn-{claim.verdict}", label, "; ".join(claim.problems))


def _doubt(answer: Answer) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The opening words of each sentence that is not supported, and the reasons."""
    for claim in answer.claims:
        if claim.verdict in _VERDICTS and not claim.attributed and claim.problems:
            words = answer.text[claim.start : claim.end].split()
            yield " ".join(words[:_DOUBT_WORDS]) + (" …" if len(words) > _DOUBT_WORDS else ""), claim.problems


def _list_actions(exchange: Exchange, *, is_last: bool) -> list[tuple[str, str, str]]:
    """What can be done with the exchange: label, name and title of each action."""
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
    return [(label, name, title) for fits, label, name, title in offered if fits]
