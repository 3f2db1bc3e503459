"""Which way a sentence points: what it negates, and whether things go up or down, by its words; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple


class Direction(NamedTuple):
    """A word that points one of two ways along a scale; `sign` is 1 or -1."""

    scale: str
    sign: int


_NEGATORS = frozenset(
    """not no never none nothing nobody neither nor cannot without hardly barely scarcely fail fails failed failing
    unable don doesn didn isn aren wasn weren won wouldn couldn shouldn can't
    cant dont doesnt didnt isnt arent wasnt werent wont nowhere""".split()
)
# Beside the negators: words that deny in their own way, so that a negation may stand for them.
_DENYING = re.compile(
    r"un(?!der|i|til|less)\w{4,}|non\w{3,}|mis(?!t|sion)\w{4,}|im(?:possib|perfect|practic|material)\w*|irrelevan\w*"
    r"|in(?:ability|accura|adequa|capab|complet|consist|correct|depend|effect|effici|feasib|frequ|sensitiv|signific|stab"
    r"|suffici|varian)\w*|dis(?:abl|agree|allow|appear|connect|continu|courag|entangl|like|miss|prov|regard|similar)\w*"
    r"|\w+less|little|few|only|limited|rather|hard|difficult|avoid\w*|prevent\w*|eliminat\w*|remov\w*|exclud\w*|except"
    r"|free|struggl\w*|neglect\w*|ignor\w*|overlook\w*|reject\w*|contrary|zero|loss|unlike|instead|lack|lacks|lacking"
    r"|lacked|absence|absent|same|similar\w*|scarce|minimal|negligible|bypass\w*|obviat\w*|omit\w*|drop|drops|forgo\w*"
    r"|agnostic"
)
# Scale by scale the words up and the words down, as regular expressions of whole words.
_SCALES: dict[str, tuple[str, str]] = {
    "amount": (
        r"increas\w*|rais(?:e|es|ed|ing)|ris(?:e|es|ing|en)|rose|grow(?:s|n|ing|th)?|grew|higher|greater|more|larger|bigger"
        r"|upregulat\w*|up-regulat\w*|elevat\w*|boost\w*|amplif\w*|longer|deeper|wider|exceed\w*|maxim\w+|highest"
        r"|largest|most|richer|heavier|stronger|strengthen\w*|intensif\w*|widen\w*|enhanc\w*|gain(?:s|ed|ing)?",
        r"decreas\w*|reduc\w*|lower(?:s|ed|ing)?|fewer|less|smaller|declin\w*|drop(?:s|ped|ping)?|fall(?:s|ing|en)?|fell"
        r"|shrink\w*|shrank|diminish\w*|downregulat\w*|down-regulat\w*|attenuat\w*|shorter|shallower|narrower|minim\w+"
        r"|lowest|smallest|least|fewest|lighter|weaker|weaken\w*|narrow(?:s|ed|ing)|cut(?:s|ting)?|lessen\w*|los(?:e|es|ing)|halv\w*|half",
    ),
    "quality": (
        r"better|improv\w*|outperform\w*|surpass\w*|beat(?:s|ing|en)?|superior|best|exceed\w*|outshin\w*|enhanc\w*"
        r"|excel(?:s|led|ling)?|advantage\w*",
        r"worse|worsen\w*|degrad\w*|underperform\w*|inferior|deteriorat\w*|worst|hurt\w*|harm\w*|trail(?:s|ed|ing)?"
        r"|lag(?:s|ged|ging)?|disadvantage\w*|impair\w*",
    ),
    "speed": (
        r"faster|fastest|accelerat\w*|quicker|speed-?ups?|speed(?:s|ed|ing)?",
        r"slower|slowest|slow(?:s|ed|ing)?|decelerat\w*|slowdowns?",
    ),
    "level": (r"above|over|exceed\w*", r"below|under|beneath"),
    "order": (r"before|prior|preced\w*|earlier|first", r"after|following|follow(?:s|ed)|later|last|subsequent\w*"),
    "cost": (r"cheaper|cheapest|inexpensive", r"costlier|dearer|expensive"),
    "effort": (r"easier|easy|easily|simpler|simple|simplif\w*", r"harder|hard|difficult\w*|complicat\w*"),
    "degree": (r"high|highly|strong\w*|large|many|much|rich|abundant|frequent\w*",
               r"low|weak|weakly|small|few|little|poor|scarce\w*|rare\w*"),
    "charge": (r"positiv\w*", r"negativ\w*"),
    "effect": (r"activat\w*|promot\w*|stimulat\w*|induc\w*|enabl\w*|facilitat\w*|allow\w*|support\w*",
               r"inhibit\w*|suppress\w*|block\w*|prevent\w*|disabl\w*|hinder\w*|imped\w*|hamper\w*|prohibit\w*"),
    "presence": (r"with|includ\w*|presence|contain\w*|add(?:s|ed|ing)?", r"without|exclud\w*|absence|remov\w*"),
    "bound": (r"at least|more than|over|minimum", r"at most|up to|less than|fewer than|no more than|maximum|within"),
    "success": (r"succe(?:ss\w*|ed\w*)", r"fail\w*"),
    "alike": (r"similar\w*|same|alike|identical\w*|consistent\w*",
              r"different\w*|differ\w*|unlike|instead|dissimilar\w*|inconsistent\w*"),
    "generality": (r"general|broad\w*|universal\w*", r"specific|specialized|specialised|narrow"),
    "scope": (r"all|every|always|any", r"none|never"),
    "wish": (r"benefit\w*|helpful|useful|gain\w*|beneficial", r"detriment\w*|harmful|useless|costs?"),
}  # fmt: skip
_POINTING = {
    Direction(scale, sign): re.compile(rf"\b(?:{words})(?!\w)", re.IGNORECASE)
    for scale, both in _SCALES.items()
    for sign, words in zip((1, -1), both, strict=True)
}


def negates(word: str) -> bool:
    """Whether a word negates what follows it."""
    lower = word.lower().replace("’", "'")
    return lower in _NEGATORS or lower.endswith("n't")


def denies(word: str) -> bool:
    """Whether a word negates, or says in another way that something is not, hardly or no longer so."""
    return negates(word) or _DENYING.fullmatch(word.lower()) is not None


def directions(text: str) -> Iterator[tuple[int, Direction]]:
    """The words of a text that point one of two ways, as (start, which way); a word may do so on several scales."""
    for direction, pattern in _POINTING.items():
        for found in pattern.finditer(text):
            yield found.start(), direction
