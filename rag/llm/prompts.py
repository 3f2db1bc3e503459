"""The prompt files, checked when they are loaded, and the messages made from them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

from rag.errors import PromptError
from rag.files import bundled
from rag.text.words import keep_letters
from rag.types import Passage, Turn

CANNOT_ANSWER = "The given papers do not state the answer to this question."

Message = tuple[str, str]

_PLACEHOLDERS = {
    "answer.md": frozenset({"passages", "question", "cannot_answer"}),
    "condense.md": frozenset({"history", "question"}),
    "expand.md": frozenset({"question"}),
}
_IN_BRACKETS = re.compile(r"\[[^\]]*\]")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_HEADING = re.compile(r"^##[ \t]+(system|user)[ \t]*$", re.IGNORECASE | re.MULTILINE)
# Long conversations are cut: what a follow-up refers to was said lately, and the model's context is finite.
MOST_TURNS, _TURN_CHARS_READ = 8, 2_000

# A tag of ours in any dress: other brackets, spaces or invisible characters in between.
_GAP = r"[\s\u00ad\u200b-\u200f\u2060\ufeff]*"
_TAG = re.compile(rf"[<＜‹〈⟨](?={_GAP}[/／]?{_GAP}passage)", re.IGNORECASE)
# What would read as a citation of ours: bracketed numbers. (An interval such as [0.5, 1] is none.)
_MARKER = re.compile(r"[\[【［](\s*\^?\d{1,3}(?:\s*[,;–—-]\s*\d{1,3})*\s*)[\]】］]")


@dataclass(frozen=True, slots=True)
class Prompts:
    """The checked prompt files; each is a list of (role, template) in the order of the file."""

    answer_parts: tuple[Message, ...]
    condense_parts: tuple[Message, ...]
    expand_parts: tuple[Message, ...]

    def answer(self, question: str, passages: Sequence[Passage]) -> list[Message]:
        """The messages that ask for an answer; passages are numbered from 1 in the order given."""
        numbered = "\n\n".join(_delimited(n, passage) for n, passage in enumerate(passages, start=1))
        return _filled(
            self.answer_parts,
            {"passages": numbered, "question": _untagged(question.strip()), "cannot_answer": CANNOT_ANSWER},
        )

    def condense(self, question: str, history: Sequence[Turn]) -> list[Message]:
        """The messages that ask for the question as it would be without the conversation before it."""
        turns = "\n".join(
            f"{turn.role}: {_one_line(turn.content)[:_TURN_CHARS_READ]}" for turn in history[-MOST_TURNS:]
        )
        return _filled(self.condense_parts, {"history": turns, "question": _one_line(question)})

    def expand(self, question: str) -> list[Message]:
        """The messages that ask for searches in the field's own terms."""
        return _filled(self.expand_parts, {"question": _one_line(question)})


def load_prompts(folder: Path | None = None) -> Prompts:
    """Reads and checks the prompt files of a folder, or of the shipped one.

    Raises:
        PromptError: A file is missing or unreadable, lacks a placeholder or has one that nobody fills.
    """
    where = bundled("prompts") if folder is None else folder
    return Prompts(*(_parts(where / name) for name in ("answer.md", "condense.md", "expand.md")))


def declines(text: str) -> bool:
    """Whether a model's reply is the agreed refusal, give or take punctuation and markers."""
    said = _IN_BRACKETS.sub("", text)
    return keep_letters(said.casefold()) == keep_letters(CANNOT_ANSWER.casefold())


def _parts(file: Path) -> tuple[Message, ...]:
    text = _COMMENT.sub("", _text(file))
    if "<!--" in text:
        raise PromptError(f"{file}: a comment is not closed; end it with -->.")
    _check_placeholders(file, text)
    before, *rest = _HEADING.split(text)
    if before.strip():
        raise PromptError(f"{file}: text stands before the first heading; move it below `## system` or `## user`.")
    roles = [heading.lower() for heading in rest[::2]]
    bodies = [body.strip() for body in rest[1::2]]
    if "user" not in roles:
        raise PromptError(f"{file}: there is no `## user` part; add that line above what the user is to say.")
    if not all(bodies):
        raise PromptError(f"{file}: a part is empty; write something below its heading or remove it.")
    return tuple(zip(roles, bodies, strict=True))


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise PromptError(
            f"{file}: there is no such prompt file; copy the shipped one from {bundled('prompts')},"
            " or unset RAG_PROMPTS to use the shipped ones."
        ) from error
    except UnicodeDecodeError as error:
        raise PromptError(f"{file}: is not UTF-8 (byte {error.start}); save it as UTF-8.") from error
    except OSError as error:
        reason = error.strerror or "unknown reason"
        raise PromptError(f"{file}: cannot be read ({reason}); mend that or unset RAG_PROMPTS.") from error


def _check_placeholders(file: Path, text: str) -> None:
    known = _PLACEHOLDERS[file.name]
    found = set()
    for match in Template.pattern.finditer(text):
        name = match["named"] or match["braced"]
        if match["invalid"] is not None:
            line = text[text.rfind("\n", 0, match.start()) + 1 :].splitlines()[0].strip()[:60]
            raise PromptError(f"{file}: a lone $ in the line {line!r}; write $$ for a dollar sign.")
        if name and name not in known:
            those = ", ".join(f"${name}" for name in sorted(known))
            raise PromptError(f"{file}: the placeholder ${name} is unknown; those that are filled: {those}.")
        found.add(name)
    for name in sorted(known - found):
        raise PromptError(f"{file}: the placeholder ${name} is missing; add it where its text is to stand.")


def _filled(parts: Sequence[Message], values: Mapping[str, str]) -> list[Message]:
    return [(role, Template(body).substitute(values)) for role, body in parts]


def _delimited(number: int, passage: Passage) -> str:
    paper = passage.paper
    label, abstract = _unmarked(_one_line(paper.label)), _unmarked(_untagged(paper.abstract.strip()))
    return f'<passage number="{number}">\n{label}\n{abstract}\n</passage>'


def _untagged(text: str) -> str:
    """The text with nothing in it that could open or close a passage."""
    return _TAG.sub("(", text)


def _unmarked(text: str) -> str:
    """The text with its own reference numbers, `[3]`, written `(3)`: square brackets are for our numbers."""
    return _MARKER.sub(r"(\1)", text)


def _one_line(text: str) -> str:
    return _untagged(" ".join(text.split()))
