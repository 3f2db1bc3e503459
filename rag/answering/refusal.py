"""The refusal: what an answer says where the library holds no evidence, and how such a text is recognised."""

from __future__ import annotations

import re
from dataclasses import replace

from rag.library.library import Library
from rag.llm.prompts import declines
from rag.text.words import join_words
from rag.types import Answer, Outcome

_NO_ANSWER = "answers this question."
_REFUSAL = re.compile(rf"(?:None of the [\d,]+ papers in the library|No paper that the filter admits) {_NO_ANSWER}")


def is_refusal(text: str) -> bool:
    """Whether an answer only says that there is none."""
    return bool(_REFUSAL.match(text)) or declines(text)


def refuse(draft: Answer, library: Library, *, filtered: bool) -> Answer:
    """What is not there, in plain words; the passages of the draft are the near misses."""
    where = "No paper that the filter admits" if filtered else f"None of the {library.size:,} papers in the library"
    text = f"{where} {_NO_ANSWER}"
    if draft.unknown_terms:
        text += f" No abstract of the library mentions {join_words(draft.unknown_terms)}."
    return replace(draft, text=text, outcome=Outcome.NOT_IN_CORPUS)
