"""What the chat shows before the first question."""

from __future__ import annotations

import re

from rag import Overview, Topic
from tests.ui.conftest import HOSTILE
from ui.chat.suggestions import draw_overview


def test_the_overview_says_what_is_in_the_library() -> None:
    found = Overview(1308, (("a", 800), ("b", 508)), (1987, 2024), tuple(Topic(f"T{n}", 9 - n) for n in range(8)))
    markup = draw_overview(found)
    assert "1,308 papers from 2 files, 1987 to 2024" in markup
    assert markup.count("<li>") == 7
    assert "and 2 more on the map" in markup
    assert draw_overview(Overview()) == ""
    hostile = draw_overview(Overview(1, (("a", 1),), None, (Topic(HOSTILE, 1),)))
    assert set(re.findall(r"<\s*/?\s*([a-zA-Z][a-zA-Z0-9]*)", hostile)) == {"div", "p", "ul", "li", "span"}
    assert "1 paper from 1 file<" in hostile
