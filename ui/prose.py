"""An answer's text as safe HTML, with its markers [n] as links to the cards of the evidence panel."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import groupby

from rag import Paper
from ui.markup import element, inert

_MARKER = re.compile(r"(?<!\w)\[(\d{1,3})\]")  # not arr[1]
_BOLD = re.compile(r"\*\*(\S.*?)\*\*")
_BULLET = re.compile(r"^[-*•] +")


def prose(text: str, papers: Mapping[int, Paper], turn: int) -> str:
    """Paragraphs, bulleted lists and bold words; a marker becomes a link where its paper is known."""
    linked: set[int] = set()

    def marked(run: str) -> str:
        pieces, position = [], 0
        for match in _MARKER.finditer(run):
            before = inert(run[position : match.start()])
            # A marker does not begin a line by itself.
            before = before[:-1] + "&nbsp;" if before.endswith(" ") else before
            pieces += [before, _reference(int(match[1]), papers, turn, linked)]
            position = match.end()
        return "".join(pieces) + inert(run[position:])

    def line(run: str) -> str:
        # What a paper says stands under its name where an answer draws on several.
        name = next((f"{paper.label}:" for paper in papers.values() if run.startswith(f"{paper.label}: ")), "")
        parts = enumerate(_BOLD.split(run.removeprefix(name)))
        return (element("strong", inert(name)) if name else "") + "".join(
            element("strong", marked(part)) if place % 2 else marked(part) for place, part in parts
        )

    blocks = []
    for block in re.split(r"\n\s*\n", text.strip()):
        for bulleted, lines in groupby(map(str.strip, block.splitlines()), lambda run: bool(_BULLET.match(run))):
            if bulleted:
                items = (element("li", line(_BULLET.sub("", run))) for run in lines)
                blocks.append(element("ul", "".join(items)))
            else:
                blocks.append(element("p", "<br>".join(map(line, lines))))
    return "".join(blocks)


def _reference(number: int, papers: Mapping[int, Paper], turn: int, linked: set[int]) -> str:
    label = f"[{number}]"
    if number not in papers:
        return element("span", inert(label), "fn-ref") if not papers else inert(label)
    own_id = "" if number in linked else f"fn-{turn}-{number}-from"
    linked.add(number)
    return element("a", inert(label), "fn-ref", href=f"#fn-{turn}-{number}", id=own_id, title=papers[number].label)
