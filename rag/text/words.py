"""Words of a question: which carry its meaning, and which only hold it together."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

_WORD = re.compile(r"\w+(?:[-'’.]\w+)*")
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

# Function words, and the words people ask and chat with ("tell", "paper", "thanks"): they match everywhere, and say
# nothing about what is asked.
STOP_WORDS = frozenset(
    """
    a about above after again against all along also although am among an and any anyone anybody anything are around
    as at be became because been before being below between both but by can cannot could did do does doing done down
    during each either else even ever every few for from further get gets getting give given go got had happen
    happens has have having he hence her here hers him his how however i if in instead into is it its itself just
    know let like make makes many may me might more most much must my near neither no nor not now of off ok okay on
    once one ones only onto or other others our out over own per please pls quite rather really same say says shall
    she should show since so some somebody someone something still such tell than that the their them themselves
    then there these they thing things this those though through thus to too toward towards under until up upon us
    use used uses using very via want was way we well were what whatever when where whether which while who whole
    whom whose why will with within without won would yes yet you your dont don't doesn't isn't can't what's whats
    it's i've i'm im i'd there's who's that's let's s t re ve ll d m thanks thank thx great cool nice hello hi hey
    lol bye sorry welcome perfect awesome paper papers abstract abstracts author authors study studies work works
    article articles corpus library
    """.split()
)

# Nouns whose plural no stemmer brings together with them: singular, plural.
_IRREGULAR = [pair.split() for pair in """
    analysis analyses, axis axes, bacterium bacteria, basis bases, child children, corpus corpora, crisis crises,
    criterion criteria, datum data, diagnosis diagnoses, foot feet, genus genera, goose geese, grandchild grandchildren,
    hypothesis hypotheses, larva larvae, locus loci, man men, matrix matrices, medium media, metastasis metastases,
    mitochondrion mitochondria, mouse mice, nucleus nuclei, ovum ova, ox oxen, person people, phenomenon phenomena,
    prognosis prognoses, schoolchild schoolchildren, spectrum spectra, stimulus stimuli, stratum strata,
    synthesis syntheses, thesis theses, tooth teeth, vertex vertices, woman women
""".split(",")]  # fmt: skip
_OTHER_NUMBER = dict(_IRREGULAR) | {plural: singular for singular, plural in _IRREGULAR}


def fold(text: str) -> str:
    """Lower case without accents, as the lexical index sees it: `Tülu` -> `tulu`."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def words(text: str) -> list[str]:
    """The words of a text as written, hyphenated ones whole."""
    return [found[0] for found in _WORD.finditer(text)]


def listed(items: Sequence[str]) -> str:
    """The items in words: "x, y or z"; of many, the first few and how many more there are."""
    if len(items) > _MOST_LISTED:
        items = (*items[:_MOST_LISTED], f"{len(items) - _MOST_LISTED:,} others")
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} or {items[-1]}"


def content_words(text: str) -> list[str]:
    """The words that carry meaning, as written, in order, each once."""
    kept = {fold(word): word for word in reversed(words(text)) if fold(word).replace("’", "'") not in STOP_WORDS}
    return list(reversed(kept.values()))


def forms(word: str) -> tuple[str, ...]:
    """The word, and where it has an irregular plural, or is one, the other of the two: child, children."""
    other = _OTHER_NUMBER.get(fold(word))
    return (word, other) if other else (word,)


def encodable(text: str) -> str:
    """Bytes that are no text, which Python keeps as lone surrogates and no tokenizer or server takes, as "?"."""
    return text.encode("utf-8", "replace").decode("utf-8")


def visible(text: str) -> str:
    """The text without the characters that show nothing; joiners stay behind the letters that they shape.

    What becomes of a character hangs on the one before it alone: a text may be read piece by piece.
    """
    return _UNSEEN.sub("", text)
