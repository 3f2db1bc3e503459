"""An answer's text as safe HTML, with its markers [n] as links to the cards of the evidence panel."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from rag import Citation, find_markers
from ui.html.escaping import element, inert, shortened

_BOLD = re.compile(r"\*\*(\S.*?)\*\*")
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


def prose(text: str, cited: Cited, turn: int, remarks: Sequence[Remark] = ()) -> str:
    """Paragraphs, bulleted lists and bold words; a marker becomes a link where its paper is known."""
    return _Prose(cited, turn, tuple(remarks[:_MOST_REMARKS])).html(text)


@dataclass(slots=True)
class _Prose:
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

    def html(self, text: str) -> str:
        blocks = []
        for block in re.split(r"\n\s*\n", self._placed(text).strip()):
            for bulleted, lines in groupby(map(str.strip, block.splitlines()), lambda run: bool(_BULLET.match(run))):
                if bulleted:
                    items = (element("li", self._line(_BULLET.sub(r"\1", run))) for run in lines)
                    blocks.append(element("ul", "".join(items)))
                else:
                    blocks.append(element("p", "<br>".join(map(self._line, lines))))
        return "".join(blocks)

    def _placed(self, text: str) -> str:
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

    def _line(self, run: str) -> str:
        # What a paper says stands under its name where an answer draws on several.
        bare = _PRIVATE.sub("", run)
        labels = (citations[0].paper.label for citations in self.cited.values())
        if name := next((f"{label}:" for label in labels if bare.startswith(f"{label}: ")), ""):
            shown, left = "", name
            while left:  # the name with the characters that stand for remarks
                shown, left = shown + run[0], left[1:] if run[0] == left[0] else left
                run = run[1:]
            return element("strong", self._marked(shown)) + self._bold(run)
        return self._bold(run)

    def _bold(self, run: str) -> str:
        return "".join(
            element("strong", self._marked(part)) if place % 2 else self._marked(part)
            for place, part in enumerate(_BOLD.split(run))
        )

    def _marked(self, run: str) -> str:
        """A run of text without markup of its own, cut where a remark begins or ends."""
        pieces = []
        for part in _PRIVATE.split(run):
            if not _PRIVATE.fullmatch(part):
                pieces.append(self._underlined(self._linked(part)) if part.strip() else inert(part))
                continue
            number, is_end = divmod(ord(part) - _FIRST_PRIVATE, 2)
            remark = self.remarks[number]
            self.within = None if is_end else remark
            pieces.append(self._behind(remark) if is_end else "")
        return "".join(pieces)

    def _underlined(self, markup: str) -> str:
        remark = self.within
        return element("span", markup, f"fn-doubted {remark.css}", title=remark.why) if remark else markup

    def _linked(self, run: str) -> str:
        pieces, position = [], 0
        for match in find_markers(run):
            before = inert(run[position : match.start()])
            # A marker does not begin a line by itself.
            before = before[:-1] + "&nbsp;" if before.endswith(" ") else before
            pieces += [before, self._reference(int(match[1]))]
            position = match.end()
        return "".join(pieces) + inert(run[position:])

    def _behind(self, remark: Remark) -> str:
        shown = "".join(self._reference(number, remark.css) for number in remark.attributed)
        shown += (
            element("span", inert(remark.label), f"fn-doubt {remark.css}", title=remark.why) if remark.label else ""
        )
        return f"&nbsp;{shown}"

    def _reference(self, number: int, css: str = "") -> str:
        citations = self.cited.get(number)
        if not citations:  # while the answer streams, or a number that is none of a paper
            return inert(f"[{number}]") if self.cited else element("span", str(number), "fn-ref")
        own_id = "" if number in self.linked else f"fn-{self.turn}-{number}-from"
        self.linked.add(number)
        title = shortened(citations[0].paper.label, _LONGEST_TITLE)
        quotes = " … ".join(f"“{citation.quote}”" for citation in citations)
        # The brackets are the style's: a screen reader says "citation 2, <title>".
        name = (
            element("span", "citation ", "fn-unseen") + str(number) + element("span", ", " + inert(title), "fn-unseen")
        )
        return element("a", name, f"fn-ref {css}".strip(), href=f"#fn-{self.turn}-{number}", id=own_id,
                       title=f"{title}\n{quotes}")  # fmt: skip
