"""Cleans text that people copied from the web: LaTeX, mark-up and the boilerplate of sites go."""

from __future__ import annotations

import html
import re
import unicodedata

from rag.text.word_lists import read_table
from rag.text.words import visible

_BOILERPLATE = re.compile(
    r"""
    new | abstract | subscribe | sign\ up | log\ in | upvote
    | get\ trending\ papers\ in\ your\ email\ inbox(\ once\ a\ day)?!?
    | by\ ?ak\ and\ the\ research\ community
    | (jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?\ \d{1,2}(,?\ \d{4})?
    | \d{4}-\d{2}-\d{2}
    """,
    re.IGNORECASE | re.VERBOSE,
)

_ACCENTS = {"'": "\u0301", "`": "\u0300", '"': "\u0308", "^": "\u0302", "~": "\u0303", "=": "\u0304",
            "c": "\u0327", "v": "\u030c", "u": "\u0306", "H": "\u030b", "r": "\u030a"}  # fmt: skip
# An accent mark may touch its letter; an accent named by a letter needs a brace or a space before it.
_ACCENTED = re.compile(
    r"""\{?\\(?:(['`"^~=])\s?(?:\{\\?([A-Za-z])\}|\\?([A-Za-z]))|([cvuHr])(?:\{([A-Za-z])\}|\s([A-Za-z])))\}?"""
)

_COMMAND = re.compile(r"\\([A-Za-z]+)")
_HREF = re.compile(r"\\href\s*\{[^{}]*\}\s*\{([^{}]*)\}")
_WRAPPED = re.compile(r"\\(?!href\b)[A-Za-z]+\*?\s*\{([^{}]*)\}")  # \emph{x}, \textbf{x}, \url{x}
_SWITCHED = re.compile(r"\{\\(?:em|it|bf|tt|sc|sl|rm)\s++([^{}]*)\}")  # {\em x}
_MATH = re.compile(r"\$([^$]{1,200})\$")
_MATH_SIGNS = re.compile(r"[\\^_{}]")
_MARKDOWN_STRONG = re.compile(r"\*\*(?=\S)((?:[^*]|\*(?!\*))+)(?<=\S)\*\*")
# "&#x2014;" after a scraper ate "&#": dashes, quotes, the ellipsis. Not all code points: "1024 x2048" is a size.
_BARE_CODE_POINT = re.compile(r"(?<![\w&#])x(201[0-5]|201[89cdCD]|2026)(?!\w)")
_TIE = re.compile(r"(?<=[\w.,)\]])~(?=[\w(\[])")  # "w.r.t.~the", but not "covering ~4x"
_DASHES = re.compile(r"(?<=\w)-{2,4}(?=\w)|(?<=\s)-{2,4}(?=\s)")
_SPACES = re.compile(r"\s+")
_ESCAPED_AGAIN = re.compile(r"&(?:amp;)+")
_ESCAPED_SIGN = re.compile(r"\\([%_&#{}])")
_MOST_ROUNDS = 20  # of unescaping, or of commands within commands: what is nested deeper was made to be


def is_boilerplate(line: str) -> bool:
    """Whether a line is a site's furniture (sign-up box, byline, date): neither title nor abstract."""
    return _BOILERPLATE.fullmatch(line.strip()) is not None


def clean_text(text: str) -> str:
    """One line of readable text; a no-op on text that has no leftovers, and on what it returned before.

    Only what is nested or escaped more than 20 times, on purpose, is not brought to its end.
    """
    for _ in range(_MOST_ROUNDS):
        before, text = text, visible(html.unescape(_ESCAPED_AGAIN.sub("&amp;", text)))
        if text == before:
            break
    text = _BARE_CODE_POINT.sub(lambda found: chr(int(found[1], 16)), text)
    if "\\" in text or "$" in text:
        text = _without_latex(text)
    text = text.replace("``", '"').replace("''", '"')
    text = _MARKDOWN_STRONG.sub(r"\1", text)
    text = _TIE.sub(" ", text)
    text = _DASHES.sub(lambda found: "–" if len(found[0]) == 2 else "—", text)
    return unicodedata.normalize("NFC", _SPACES.sub(" ", text).strip())


def _without_latex(text: str) -> str:
    text = _ACCENTED.sub(_accented, text)
    text = _COMMAND.sub(lambda found: read_table("latex_symbols").get(found[1], (found[0],))[0], text)
    text = _SWITCHED.sub(r"\1", text)
    for _ in range(_MOST_ROUNDS):
        before, text = text, _HREF.sub(r"\1", _WRAPPED.sub(r"\1", text))
        if text == before:
            break
    text = _ESCAPED_SIGN.sub(r"\1", text)
    return _MATH.sub(_plain_math, text).replace("\\$", "$")


def _accented(found: re.Match[str]) -> str:
    mark = found[1] or found[4]
    letter = found[2] or found[3] or found[5] or found[6]
    return unicodedata.normalize("NFC", letter + _ACCENTS[mark])


def _plain_math(found: re.Match[str]) -> str:
    """`$x^2$` -> `x^2`; but "$5 to $10" is money and stays."""
    inside = found[1]
    looks_like_math = _MATH_SIGNS.search(inside) or len(inside.split()) == 1 or not inside[0].isdigit()
    return inside.strip() if looks_like_math and inside == inside.strip() else found[0]
