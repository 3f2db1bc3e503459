"""Words of a question: which carry its meaning, and which only hold it together."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache

from rag.text.word_lists import read_lines, read_words

_WORD = re.compile(r"\w+(?:[-'’.]\w+)*")
TOKEN = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")  # the parts of hyphenated words apart
LETTERS = r"[^\W\d_]+"
LETTER_RUN = re.compile(LETTERS)
ALNUM_RUN = re.compile(r"[^\W_]+")
_MOST_LISTED = 8  # a sentence that lists more is not read
# Letters that a joiner between them changes: the Arabic scripts and those of India and its neighbours.
_JOINED = "\u0600-\u061b\u061d-\u08ff\u0900-\u0dff\u1000-\u109f\u1780-\u17b3\u17b6-\u17ff\ufb50-\ufdff\ufe70-\ufefc"
# Controls but for line ends and tabs; soft hyphens; and what has no width, turns the direction of the text around it,
# picks a glyph or tags a language (Unicode 16, chapter 23): nobody misses them, and they can hide text.
_UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    rf"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]|(?<![{_JOINED}])[\u200c\u200d]"
)


def fold(text: str) -> str:
    """Lower case without accents, as the lexical index sees it: `Tülu` -> `tulu`."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def keep_letters(text: str) -> str:
    """The letters and digits alone, written together: `Arm-Y 2` -> `ArmY2`."""
    return "".join(filter(str.isalnum, text))


def is_stop_word(word: str) -> bool:
    """Whether a word only holds a text together, or only asks and chats: "the", "tell", "thanks"."""
    return fold(word) in read_words("stop_words")


def split_words(text: str) -> list[str]:
    """The words of a text as written, hyphenated ones whole."""
    return [found[0] for found in _WORD.finditer(text)]


def compile_words(words: Iterable[str]) -> re.Pattern[str]:
    """A pattern of any of the words as they are written, where they stand for themselves.

    This and `compile_start` alone make patterns of what papers or people write: escaped, they stay linear.
    """
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, words))})(?!\w)")


def compile_start(*parts: str) -> re.Pattern[str]:
    """A pattern of what begins a word: the parts one after another, whatever signs and blanks between them."""
    return re.compile(r"(?<![^\W_])" + r"[\W_]*".join(map(re.escape, parts)))


def join_words(items: Sequence[str]) -> str:
    """The items in words: "x, y or z"; of many, the first few and how many more there are."""
    if len(items) > _MOST_LISTED:
        items = (*items[:_MOST_LISTED], f"{len(items) - _MOST_LISTED:,} others")
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} or {items[-1]}"


def find_content_words(text: str) -> list[str]:
    """The words that carry meaning, as written, in order, each once."""
    kept = {fold(word): word for word in reversed(split_words(text)) if not is_stop_word(word.replace("’", "'"))}
    return list(reversed(kept.values()))


def find_forms(word: str) -> tuple[str, ...]:
    """The word, and where it has an irregular plural, or is one, the other of the two: child, children."""
    other = _other_numbers().get(fold(word))
    return (word, other) if other else (word,)


@cache
def _other_numbers() -> dict[str, str]:
    """The singular of every irregular plural, and the other way round."""
    pairs = [(one, many) for one, many in map(str.split, read_lines("irregular_plurals"))]
    return dict(pairs) | {many: one for one, many in pairs}


def make_encodable(text: str) -> str:
    """Bytes that are no text, which Python keeps as lone surrogates and no tokenizer or server takes, as "?"."""
    return text.encode("utf-8", "replace").decode("utf-8")


def visible(text: str) -> str:
    """The text without the characters that show nothing; joiners stay behind the letters that they shape.

    What becomes of a character hangs on the one before it alone: a text may be read piece by piece.
    """
    return _UNSEEN.sub("", text)


def stem(word: str) -> str:
    """A crude stem, the same for improve, improves, improved and improving."""
    for ending in ("ing", "ies", "ed", "es", "s", "e", "y"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word
