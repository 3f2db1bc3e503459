"""An answer's text as safe HTML, with its markers [n] as links to the cards of the evidence panel."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from rag import Citation, find_markers
from ui.html.escaping import element, escape, shorten

BLANK_LINES = re.compile(r"\n\s*\n")
BOLD = re.compile(r"\*\*(\S.*?)\*\*")
_BULLET = re.compile("^([\ue000-\uf8ff]*)[-*•] +")
# Characters that no text has a use for: they hold the places of remarks until the text is markup.
_PRIVATE = re.compile("([\ue000-\uf8ff])")
_FIRST_PRIVATE = 0xE000
_MOST_REMARKS = (0xF8FF - _FIRST_PRIVATE) // 2
_LONGEST_TITLE = 200  # characters of a title that a marker is read out with

Cited = Mapping[int, Sequence[Citation]]


@dataclass(frozen=True, slots=True)
class Remark:
    """What is said of a sentence `text[start:end]`: it is underlined, with a label or our own markers behind it."""

    start: int
    end: int
    css: str
    label: str = ""
    why: str = ""
    attributed: tuple[int, ...] = ()


def draw_answer_text(text: str, cited: Cited, turn: int, remarks: Sequence[Remark] = ()) -> str:
    """Paragraphs, bulleted lists and bold words; a marker becomes a link where its paper is known."""
    return _Drawing(cited, turn, tuple(remarks[:_MOST_REMARKS])).draw(text)


@dataclass(slots=True)
class _Drawing:
    """One text on its way to markup.

    Attributes:
        within: The remark whose sentence is being written; a sentence may begin and end anywhere in a line.
        linked: Numbers that a marker has carried already.
    """

    cited: Cited
    turn: int
    remarks: tuple[Remark, ...]
    within: Remark | None = None
    linked: set[int] = field(default_factory=set)

    def draw(self, text: str) -> str:
        blocks = []
        for block in BLANK_LINES.split(self._place_remarks(text).strip()):
            for bulleted, lines in groupby(map(str.strip, block.splitlines()), lambda run: bool(_BULLET.match(run))):
                if bulleted:
                    items = (element("li", self._draw_line(_BULLET.sub(r"\1", run))) for run in lines)
                    blocks.append(element("ul", "".join(items)))
                else:
                    blocks.append(element("p", "<br>".join(map(self._draw_line, lines))))
        return "".join(blocks)

    def _place_remarks(self, text: str) -> str:
        """The text with a character at the beginning and at the end of every sentence that is remarked on."""
        text = _PRIVATE.sub("\ufffd", text)
        places = [
            (place, chr(_FIRST_PRIVATE + 2 * number + is_end))
            for number, remark in enumerate(self.remarks)
            for is_end, place in enumerate((remark.start, remark.end))
        ]
        # At the same place an end goes before a beginning.
        for place, character in sorted(places, key=lambda at: (-at[0], -(ord(at[1]) % 2 == 0))):
            text = text[:place] + character + text[place:]
        return text

    def _draw_line(self, run: str) -> str:
        # What a paper says stands under its name where an answer draws on several.
        bare = _PRIVATE.sub("", run)
        labels = (citations[0].paper.label for citations in self.cited.values())
        if name := next((f"{label}:" for label in labels if bare.startswith(f"{label}: ")), ""):
            shown, left = "", name
            while left:  # the name with the characters that stand for remarks
                shown, left = shown + run[0], left[1:] if run[0] == left[0] else left
                run = run[1:]
            return element("strong", self._draw_run(shown)) + self._draw_bold(run)
        return self._draw_bold(run)

    def _draw_bold(self, run: str) -> str:
        return "".join(
            element("strong", self._draw_run(part)) if place % 2 else self._draw_run(part)
            for place, part in enumerate(BOLD.split(run))
        )

    def _draw_run(self, run: str) -> str:
        """A run of text without markup of its own, cut where a remark begins or ends."""
        pieces = []
        for part in _PRIVATE.split(run):
            if not _PRIVATE.fullmatch(part):
                pieces.append(self._underline(self._link_markers(part)) if part.strip() else escape(part))
                continue
            number, is_end = divmod(ord(part) - _FIRST_PRIVATE, 2)
            remark = self.remarks[number]
            self.within = None if is_end else remark
            pieces.append(self._draw_behind(remark) if is_end else "")
        return "".join(pieces)

    def _underline(self, markup: str) -> str:
        remark = self.within
        return element("span", markup, f"fn-doubted {remark.css}", title=remark.why) if remark else markup

    def _link_markers(self, run: str) -> str:
        pieces, position = [], 0
        for match in find_markers(run):
            before = escape(run[position : match.start()])
            # A marker does not begin a line by itself.
            before = before[:-1] + "&nbsp;" if before.endswith(" ") else before
            pieces += [before, self._draw_marker(int(match[1]))]
            position = match.end()
        return "".join(pieces) + escape(run[position:])

    def _draw_behind(self, remark: Remark) -> str:
        shown = "&nbsp;" + "".join(self._draw_marker(number, remark.css) for number in remark.attributed)
        if remark.label:
            shown += element("span", escape(remark.label), f"fn-doubt {remark.css}", title=remark.why)
        return shown

    def _draw_marker(self, number: int, css: str = "") -> str:
        citations = self.cited.get(number)
        if not citations:  # while the answer streams, or a number that is none of a paper
            return escape(f"[{number}]") if self.cited else element("span", str(number), "fn-ref")
        own_id = "" if number in self.linked else f"fn-{self.turn}-{number}-from"
        self.linked.add(number)
        title = shorten(citations[0].paper.label, _LONGEST_TITLE)
        quotes = " … ".join(f"“{citation.quote}”" for citation in citations)
        # The brackets are the style's: a screen reader says "citation 2, <title>".
        before, behind = (element("span", text, "fn-unseen") for text in ("citation ", ", " + escape(title)))
        name, target = f"{before}{number}{behind}", f"#fn-{self.turn}-{number}"
        return element("a", name, f"fn-ref {css}".strip(), href=target, id=own_id, title=f"{title}\n{quotes}")
