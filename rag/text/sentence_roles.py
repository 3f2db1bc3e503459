"""Which sentence of an abstract says its aim, its method, its result: by the words it is put in and by its place; pure.

Cue phrases with the place in the text are the classic signals (Teufel and Moens 2002, argumentative zoning). What they
are worth here: tests/bench/results/roles.json.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from rag.text import cues

ROLES = ("aim", "method", "result")
LEAST = 0.5  # of a score, for a sentence to be shown in a role

_FLAGS = re.IGNORECASE | re.VERBOSE
_OURS = (
    r"(?:we|i|this\ (?:paper|work|study|article|survey|review|report)|the\ (?:present|current)\ (?:paper|study|work))"
)
# Headings of structured abstracts, as medicine has them.
_HEADINGS = {
    "aim": r"^(?:objectives?|aims?|purpose|goals?)\b(?=[:.]|\ [A-Z])",
    "method": r"""^(?:(?:materials?\ and\ )?methods?|design|setting|participants|interventions?
        |procedures?)\b(?=[:.,]|\ [A-Z])""",
    "result": r"^(?:results?|(?:main\ |principal\ )?findings|conclusions?|interpretation)\b(?=[:.]|\ [A-Z])",
}
# By role: what speaks for it, each with its weight; the weights of all that are found add up.
_CUES: Mapping[str, tuple[tuple[float, str], ...]] = {
    "aim": (
        (1.0, _HEADINGS["aim"]),
        (
            0.7,
            rf"""\b{_OURS}\b.{{0,40}}?\b(?:propos|introduc|present|stud(?:y|ied)|investigat|explor|examin
                |address|consider
                |develop|aim|ask|seek|search|tackle|describe|analy[sz]e|provide|argue|review|formulat|survey|bring)""",
        ),
        (
            0.5,
            r"""\b(?:in|with)\ this\ (?:paper|work|study|article|survey|report|letter)\b|^(?:here
                |this\ (?:paper|work|study|survey))\b""",
        ),
        (0.6, r"\b(?:the|our|main|primary)\ (?:\w+\ )?(?:aim|goal|objective|purpose)s?\ (?:of|is|was|are|were)\b"),
        (
            0.3,
            r"""^(?:to\ (?:this\ end|address|tackle|bridge|overcome|mitigate|fill|solve|answer)|motivated\ by
                |inspired\ by)\b""",
        ),
        (
            0.4,
            r"""\b(?:novel|new|first)\b.{0,60}\b(?:framework|method|approach|model|benchmark|dataset|algorithm
                |task|system)""",
        ),
        (
            0.5,
            r"""\b(?:is|are|was|were|has\ been|have\ been)\ (?:\w+\ )?(?:presented|investigated|studied
                |examined|considered|proposed|described|undertaken)\b""",
        ),
    ),
    "method": (
        (1.0, _HEADINGS["method"]),
        (
            0.6,
            rf"""\b(?:{_OURS}|then|next)\b.{{0,30}}?\b(?:us(?:e|ed)\b|train|design|combin|construct|employ
                |leverag|integrat|formulat
                |build|built|creat|collect|adopt|devis|appl(?:y|ied)|learn\b|measur|model\b|finetune|fine-tune
                    |adapt|compar
                |optimi[sz]|decompos|enrolled|recruited|categori[sz]e)""",
        ),
        (
            0.6,
            r"""\b(?:our|the\ proposed|this)\ (?:\w+\ )?(?:method|approach|framework|model|algorithm|system
                |technique|pipeline|architecture)\b.{0,25}
                \b(?:us|learn|combin|consist|integrat|is\ based|employ|leverag|operat|rel(?:y|ies)|chooses
                    |build|decompos)""",
        ),
        (
            0.4,
            r"\b(?:by|via|through)\ (?:\w+ly\ )?\w+ing\b|\bbased\ on\b|\bconsists?\ of\b|\b(?:in\ which|where)\ we\b",
        ),
        (
            0.3,
            r"""^(?:specifically|in\ particular|more\ specifically|first|then|next|concretely
                |to\ achieve\ this|to\ do\ so|central\ to)\b""",
        ),
        (0.3, r"\bus(?:es|ing)\b|\bconditioned\ on\b|\bobjective\b|\bencod|\bmodule\b"),
        (
            0.4,
            r"""\b(?:was|were|is|are)\ (?:then\ )?(?:used|measured|trained|applied|obtained\ by|computed
                |derived|assessed|performed|analy[sz]ed|conducted)\b""",
        ),
    ),
    "result": (
        (1.0, _HEADINGS["result"]),
        (
            0.7,
            r"""\b(?:we|results?|experiments?|evaluations?|findings?|analys[ei]s|evidence|it\ (?:is|was))\b.{0,60}?
                \b(?:show|shown|find|found|demonstrat|observ|reveal|indicat|suggest|confirm|conclude|achiev
                    |prove[ds]?\b|identify)""",
        ),
        (
            0.5,
            r"""\b(?:out-?perform|surpass|superior|exceed|state[-\ ]of[-\ ]the[-\ ]art|better\ than
                |compared\ (?:to|with)|comparable|competitive)""",
        ),
        (
            0.4,
            r"""\b(?:significant(?:ly)?|improv(?:es?|ed|ing|ements?)|achiev(?:es?|ed|ing)|increas(?:e[sd]?
                |ing)|reduc(?:e[sd]?|ing|tions?)|effective(?:ly)?)\b""",
        ),
        (0.4, r"\d(?:\.\d+)?\s?(?:%|x\b|×|points\b|percent|times\b)|\bp\s?[<=]"),
        (
            0.3,
            r"""^(?:finally|additionally|moreover|further(?:more)?|notably|remarkably|surprisingly
                |interestingly|importantly|empirically|experimentally)\b""",
        ),
    ),
}
_COMPILED = {role: tuple((weight, re.compile(cue, _FLAGS)) for weight, cue in found) for role, found in _CUES.items()}
# Where in an abstract a role is at home, 0 its first sentence and 1 its last; and how much being there counts.
_HOME = {"aim": 0.3, "method": 0.5, "result": 0.9}
_PLACE = {"aim": 0.5, "method": 0.4, "result": 0.5}
_FOLLOWS = 0.55  # for a method: right behind the aim, less with every sentence further
_FADES = 0.1
_FOUND = 0.6  # of what speaks for a result, against a method
_MOTIVATION = 0.5
_POINTER = 1.0


def role_scores(sentences: Sequence[str]) -> dict[str, list[float]]:
    """For each role how well each sentence fills it; see `LEAST`.

    An abstract tells how it was done and what came of it after it has said what it is about.
    """
    last = max(1, len(sentences) - 1)
    said = {role: [_said(sentence, role) for sentence in sentences] for role in ROLES}
    aims = [score and score + _at_home("aim", place / last) for place, score in enumerate(said["aim"])]
    aim = max(range(len(aims)), key=lambda place: aims[place], default=0)
    aim = aim if aims and aims[aim] >= LEAST else 0
    methods, results = [], []
    for place, (how, found) in enumerate(zip(said["method"], said["result"], strict=True)):
        near = _FOLLOWS - _FADES * max(0, place - aim - 1) + _at_home("method", place / last)
        methods.append(how + near - _FOUND * max(0.0, found) if place >= aim and how >= 0 else 0.0)
        results.append(found + _at_home("result", place / last) if place >= aim and found > 0 else 0.0)
    return {"aim": aims, "method": methods, "result": results}


def _said(sentence: str, role: str) -> float:
    """What the wording of a sentence says for a role, or against any."""
    if not sentence or cues.is_pointer(sentence):
        return -_POINTER
    said = sum(weight for weight, cue in _COMPILED[role] if cue.search(sentence))
    return said - _MOTIVATION * cues.is_motivation(sentence)


def _at_home(role: str, place: float) -> float:
    return _PLACE[role] * (1 - abs(place - _HOME[role]))
