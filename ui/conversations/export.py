"""Answers and conversations to take away: Markdown, with Pandoc's citation keys, and JSON; pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from rag import Answer, Citation, Outcome, Paper, answer_to_json, citation_keys, find_markers, reference, visible
from ui.conversations.conversation import list_cited_papers
from ui.html.answer_text import BLANK_LINES, BOLD
from ui.html.paper_parts import group_by_number


class Said(NamedTuple):
    """A question and what came of it; `note` says why there is no answer, or what else is to know."""

    question: str
    answer: Answer | None
    note: str = ""


_OUTCOMES = {
    Outcome.ANSWERED: "",
    Outcome.PARTIAL: "Partly answered: the library states some of it.",
    Outcome.NOT_IN_CORPUS: "Not in this library.",
}
_BULLET = re.compile(r"[-*•] +")
_SPECIAL = re.compile(r"[\\`*_{}\[\]<>#|~^$@&]|!(?=\[|$)|:(?=//)|(?<=www)\.", re.IGNORECASE)
# What makes a list, a rule, a heading or a definition of a line that it begins.
_OPENING = re.compile(r"(?P<sign>[-+=:%(])|(?:\d{1,9}|[a-z]|[ivxlcdm]{2,6})(?P<end>[.)])(?=\s|$)", re.IGNORECASE)
Cite = Callable[[Sequence[int]], str]
_ADDRESS = re.compile(r"https?://[A-Za-z0-9][A-Za-z0-9./_~%?=&:#+,;()-]*")


def answer_to_markdown(answer: Answer) -> str:
    """One answer with its markers [n], and below it what they stand for."""
    lines = [_text(answer.text, _plain, {citation.number for citation in answer.citations}), *_remarks(answer)]
    for number, cited in group_by_number(answer.citations).items():
        lines.append(f"[{number}] {_reference(cited[0].paper)}")
        lines += [_quote(each) for each in cited]
    return "\n\n".join(filter(None, lines)) + "\n"


def conversation_to_markdown(title: str, said: Sequence[Said]) -> str:
    """The whole conversation; markers are Pandoc's citations, with the keys of `bibtex` for all that it cites."""
    keys = citation_keys(list_cited_papers(answer for _, answer, _ in said))
    lines = [f"# {escaped(title)}"]
    for question, answer, note in said:
        lines.append(f"## {escaped(question)}")
        if answer:
            cites = {citation.number: keys[citation.paper.id] for citation in answer.citations}
            lines += [_text(answer.text, _citing(cites), cites), *_remarks(answer)]
        lines.append(f"*{escaped(note)}*" if note.strip() else "")
    return "\n\n".join(filter(None, [*lines, *_bibliography(said, keys)])) + "\n"


def conversation_to_json(title: str, said: Sequence[Said]) -> str:
    """All that is kept of it; each answer as `answer_to_json` has it."""
    exchanges: list[dict[str, Any]] = [
        {"question": question, "note": note, "answer": json.loads(answer_to_json(answer)) if answer else None}
        for question, answer, note in said
    ]
    return json.dumps({"title": title, "exchanges": exchanges}, ensure_ascii=False, indent=1) + "\n"


def escaped(text: str) -> str:
    """Text of others on one line, in which Markdown of any kind finds nothing to do."""
    return _begun(_inline(" ".join(visible(text).split())))


def _inline(text: str) -> str:
    return _SPECIAL.sub(lambda found: f"\\{found[0]}", text)


def _begun(line: str) -> str:
    """A line that begins no list, rule, heading or definition."""
    found = _OPENING.match(line)
    if found is None:
        return line
    at = found.start("end") if found["end"] else 0
    return f"{line[:at]}\\{line[at:]}"


def _text(text: str, cite: Cite, known: Container[int]) -> str:
    """Paragraphs, bulleted lists and bold words of an answer; all else in it is text."""
    blocks = []
    for block in BLANK_LINES.split(visible(text).strip()):
        lines = [line.strip() for line in block.splitlines() if line.strip()]
        for bulleted, run in groupby(lines, lambda line: bool(_BULLET.match(line))):
            written = [_begun(_line(_BULLET.sub("", line, count=1) if bulleted else line, cite, known)) for line in run]
            blocks.append("\n".join(f"- {line}" for line in written) if bulleted else "  \n".join(written))
    return "\n\n".join(blocks)


def _line(line: str, cite: Cite, known: Container[int]) -> str:
    pieces, position = [], 0
    for start, end, numbers in _find_marker_runs(line):
        ours, others = [n for n in numbers if n in known], [n for n in numbers if n not in known]
        shown = (cite(ours) if ours else "") + _inline("".join(f"[{number}]" for number in others))
        pieces += [_after_marker(line[position:start], position), shown]
        position = end
    return "".join((*pieces, _after_marker(line[position:], position)))


def _find_marker_runs(line: str) -> list[tuple[int, int, list[int]]]:
    """The markers of a line, those that stand together as one: (start, end, numbers)."""
    runs: list[tuple[int, int, list[int]]] = []
    for found in find_markers(line):
        start, numbers = found.start(), [int(found[1])]
        if runs and not line[runs[-1][1] : start].strip(" ,"):
            start, _, before = runs.pop()
            numbers = before + numbers
        runs.append((start, found.end(), numbers))
    return runs


def _after_marker(text: str, position: int) -> str:
    """A piece of a line; behind a marker, "(" would make it a link, and ":" the target of all like it."""
    parts = enumerate(BOLD.split(text))
    written = "".join(_bold(part) if place % 2 else _inline(part) for place, part in parts)
    return f"\\{written}" if position and text[:1] in ("(", ":") else written


def _bold(text: str) -> str:
    bare = text.rstrip()  # Markdown knows no bold that ends in a blank
    return f"**{_inline(bare)}**{text[len(bare) :]}"


def _citing(keys: Mapping[int, str]) -> Cite:
    return lambda numbers: f"[{'; '.join(f'@{keys[number]}' for number in numbers)}]"


def _plain(numbers: Sequence[int]) -> str:
    return "".join(f"[{number}]" for number in numbers)


def _remarks(answer: Answer) -> Iterator[str]:
    """What a reader must know beside the text."""
    told = {
        "": (_OUTCOMES[answer.outcome],),
        "Missing: ": answer.missing,
        "Nowhere in the library: ": answer.unknown_terms,
        "Cut: ": ("the language model broke off; this is what had arrived.",) if answer.cut else (),
        "Check before you rely on it: ": tuple(problem for claim in answer.claims for problem in claim.problems),
    }
    yield from (f"*{name}{escaped('; '.join(items))}*" for name, items in told.items() if any(items))


def _bibliography(said: Sequence[Said], keys: Mapping[str, str]) -> Iterator[str]:
    """The cited papers by their keys, each with every sentence that was quoted from it."""
    quotes: dict[str, dict[str, Citation]] = {}
    for _, answer, _ in said:
        for citation in answer.citations if answer else ():
            quotes.setdefault(citation.paper.id, {}).setdefault(citation.quote, citation)
    if quotes:
        yield "## References"
    for paper_id, cited in quotes.items():
        first, *_ = cited.values()
        yield f"`{keys[paper_id]}`: {_reference(first.paper)}"
        yield from map(_quote, cited.values())


def _quote(citation: Citation) -> str:
    return f"> {escaped(citation.quote)}"


def _reference(paper: Paper) -> str:
    """The paper's line, its address as a link where it is a plain one."""
    line = reference(paper)
    address = next((found[0] for found in _ADDRESS.finditer(line) if _is_its_own(found[0], paper)), "")
    if not address:
        return escaped(line)
    before, _, after = line.rpartition(address)
    return f"{escaped(before)} <{address}> {escaped(after)}"


def _is_its_own(address: str, paper: Paper) -> bool:
    """Not one that stands in a title."""
    return address in (paper.url, f"https://doi.org/{paper.doi}")
