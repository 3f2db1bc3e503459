"""An answer's text as safe HTML, with its markers [n] as links to the cards of the evidence panel."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby

from rag import Paper
from ui.markup import element, inert

_MARKER = re.compile(r"(?<![A-Za-z0-9_])\[(\d{1,3})\]")  # not arr[1]
_BOLD = re.compile(r"\*\*(\S.*?)\*\*")
_BULLET = re.compile(r"^[-*•] +")
# Characters that no text has a use for: they hold the places of remarks until the text is markup.
_PRIVATE = re.compile("[\ue000-\uf8ff]")
_FIRST_PRIVATE = 0xE000


@dataclass(frozen=True, slots=True)
class Remark:
    """What is put behind a sentence: a word of ours with its reason, or markers that the text itself does not have."""

    css: str
    label: str = ""
    why: str = ""
    attributed: tuple[int, ...] = ()


def prose(text: str, papers: Mapping[int, Paper], turn: int, remarks: Mapping[int, Remark] | None = None) -> str:
    """Paragraphs, bulleted lists and bold words; a marker becomes a link where its paper is known.

    Args:
        remarks: What to put behind sentences, by the offset in the text at which they end.
    """
    linked: set[int] = set()
    placed = dict(enumerate((remarks or {}).items(), start=_FIRST_PRIVATE))
    text = _PRIVATE.sub("\ufffd", text)
    for code, (end, _) in reversed(placed.items()):
        text = text[:end] + chr(code) + text[end:]

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
    html = "".join(blocks)
    for code, (_, remark) in placed.items():
        shown = "".join(_reference(number, papers, turn, linked, remark.css) for number in remark.attributed)
        shown += element("span", inert(remark.label), remark.css, title=remark.why) if remark.label else ""
        html = html.replace(f"&#{code};", f"&nbsp;{shown}")
    return html


def _reference(number: int, papers: Mapping[int, Paper], turn: int, linked: set[int], css: str = "") -> str:
    label = f"[{number}]"
    if number not in papers:
        return element("span", inert(label), "fn-ref") if not papers else inert(label)
    own_id = "" if number in linked else f"fn-{turn}-{number}-from"
    linked.add(number)
    css = f"fn-ref {css}".strip()
    return element("a", inert(label), css, href=f"#fn-{turn}-{number}", id=own_id, title=papers[number].label)
