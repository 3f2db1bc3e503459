"""Questions that are offered, as safe HTML: a button each."""

from __future__ import annotations

from collections.abc import Sequence

from ui.html.escaping import element, inert


def suggested(questions: Sequence[str], heading: str = "") -> str:
    """The questions under a heading; nothing where there are none."""
    buttons = "".join(
        element("button", inert(question), "fn-suggested", type="button", data_question=question)
        for question in questions
    )
    return (element("h2", heading, "fn-label") if heading else "") + buttons if buttons else ""
