"""The evidence of an answer as safe HTML: a card for each cited paper, and what else was found."""

from __future__ import annotations

from collections.abc import Sequence

from rag import Answer, Citation, Verdict, reference
from ui.conversations.conversation import Exchange
from ui.html.paper_parts import group_by_number
from ui.html.templates import fill


def draw_evidence(exchange: Exchange, turn: int) -> str:
    """The evidence panel of an exchange: cited papers first, whatever else was found folded below."""
    answer = exchange.answer
    found = list(enumerate((answer.passages if answer else exchange.passages) or (), start=1))
    cited = group_by_number(answer.citations if answer else ())
    ids = {citations[0].paper.id for citations in cited.values()}
    return fill(
        "chat/evidence_panel.html",
        exchange=exchange,
        answer=answer,
        turn=turn,
        cited=cited,
        places={passage.paper.id: (rank, passage) for rank, passage in found},
        rest=[(rank, passage) for rank, passage in found if passage.paper.id not in ids],
        describe_support=_describe_support,
        spans_of=lambda citations: [(citation.start, citation.end) for citation in citations],
        write_quote=_write_quote,
    )


def draw_no_evidence() -> str:
    """The evidence panel before the first question."""
    text = "The papers behind an answer appear here, with the quoted sentences marked in their abstracts."
    return f'<section class="fn-turn" aria-label="Evidence"><h2>Evidence</h2><p class="fn-empty">{text}</p></section>'


def _write_quote(citations: Sequence[Citation]) -> str:
    return "\n".join(f"“{citation.quote}”" for citation in citations) + f"\n— {reference(citations[0].paper)}"


def _describe_support(number: int, answer: Answer) -> tuple[bool, str]:
    """What the support ledger says of the sentences that a paper is cited for, and whether it carries them all."""
    claims = [claim for claim in answer.claims if number in claim.citations and claim.verdict is not Verdict.NO_CLAIM]
    if not claims:
        return False, ""
    carried = sum(claim.verdict is Verdict.SUPPORTED for claim in claims)
    of = f"{len(claims)} sentence{'s' * (len(claims) > 1)}"
    if carried == len(claims):
        return True, f"✓ Supports {of} of the answer"
    reasons = "; ".join(dict.fromkeys(reason for claim in claims for reason in claim.problems))
    return False, f"Supports {carried} of {of}: {reasons}" if reasons else f"Supports {carried} of {of}"
