"""What readers think of answers: a line each, in the format of question files, so that `footnote eval` runs on it."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from rag.answering.question import MOST_QUESTION_CHARS, History, check_turns
from rag.errors import FeedbackError
from rag.files import make_private_folder, replace_file
from rag.share.provenance import hash_text
from rag.text.words import make_encodable, visible
from rag.types import Answer

FILE = "feedback.jsonl"
MOST_REASON_CHARS = 2_000
_MOST_TURNS = 20
_MOST_TURN_CHARS = 8_000
_MOST_BYTES = 64 << 20
_LOCK_WAIT_S = 5.0
_GOLD = re.compile(r".+:\d+")  # as question files have it: a file name may hold a line end


def record_feedback(
    home: Path, key: str, answer: Answer, *, liked: bool | None, reason: str = "", history: History = ()
) -> None:
    """Keeps what a reader thinks of an answer, in place of what they thought of it before.

    A liked answer is a question whose gold are the papers cited; a liked refusal one that the library does not answer.
    Of a disliked answer nobody said what is right.

    Args:
        home: Where the file is.
        key: Another one for every answer given; what is kept has a hash of it.
        liked: None takes back what was said.
        history: The turns before the question.

    Raises:
        FeedbackError: It cannot be written.
    """
    line_id = hash_text(key)
    if liked is None and not (home / FILE).exists():
        return
    said = [] if liked is None else [_make_line(line_id, answer, liked, reason, history)]
    path = home / FILE
    try:
        make_private_folder(home)
        with FileLock(home / "feedback.lock", timeout=_LOCK_WAIT_S):
            lines = [*(line for line in _read_lines(path) if _read_id(line) != line_id), *said]
            content = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
            replace_file(path, content, private=True, durable=True)  # private, for questions are
    except Timeout as error:
        raise FeedbackError(f"{path}: another program is writing it; try again.") from error
    except OSError as error:
        raise FeedbackError(f"{path}: it cannot be written ({error.strerror}); nothing in it was lost.") from error


def _make_line(line_id: str, answer: Answer, liked: bool, reason: str, history: History) -> str:
    turns = check_turns(history)[-_MOST_TURNS:]
    places = (f"{source}:{line}" for citation in answer.citations for source, line in citation.paper.places)
    cited = list(dict.fromkeys(place for place in places if _GOLD.fullmatch(place)))
    fields = {
        "id": line_id,
        "type": ("liked" if cited else "unanswerable") if liked else "disliked",
        "question": _cut(answer.question, MOST_QUESTION_CHARS),
        "history": [{"role": turn.role, "content": turn.content[:_MOST_TURN_CHARS]} for turn in turns],
        "gold": cited if liked else [],
        "gold_mode": "any",  # each was cited; that all are needed, nobody said
        "facts": [],
        "liked": liked,
        "reason": _cut(reason, MOST_REASON_CHARS),
        "outcome": answer.outcome.value,
        "cited": cited,
        "model": answer.model,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return json.dumps(fields, ensure_ascii=False)


def _cut(text: str, most_chars: int) -> str:
    return visible(make_encodable(text)).strip()[:most_chars].strip()


def _read_id(line: str) -> str:
    """The id of a line; "" for a line that is none of ours, which is left as it is."""
    with suppress(ValueError, RecursionError):
        row = json.loads(line)
        if isinstance(row, dict):
            return str(row.get("id", ""))
    return ""


def _read_lines(path: Path) -> list[str]:
    if not path.exists():
        return []
    if path.stat().st_size > _MOST_BYTES:
        raise FeedbackError(f"{path}: it is larger than {_MOST_BYTES:,} bytes; move it away to begin a new one.")
    # Not splitlines: JSON may hold other line ends, as themselves.
    return [line for line in path.read_text("utf-8", "surrogateescape").split("\n") if line.strip()]
