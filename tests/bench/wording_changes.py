"""Sentences with a negation added or removed, or with the direction of a comparison or change turned round."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence

from tests.bench.number_changes import numbers

_ALREADY = r"not|n't|never|no|without|neither|nor|cannot|only|hardly|barely|few|unless|rather"
_NOT_BEFORE = (
    "not|only|also|both|either|still|yet|all|mostly|thus|therefore|then|often|usually|typically|always|no|now|already|just|"
    "primarily|largely|sometimes|even|never|currently|crucial|likely|instead|further|generally|commonly|increasingly|either"
)
_NEXT = rf"(?=\s(?!(?:{_NOT_BEFORE})\b)[a-z])"
_SURELY = r"(?:significantly|consistently|substantially|greatly|largely|often|also|even|still|generally|further)"
_BASE = {
    "outperforms": "outperform", "improves": "improve", "achieves": "achieve", "enables": "enable", "requires": "require",
    "allows": "allow", "reduces": "reduce", "increases": "increase", "provides": "provide", "enhances": "enhance",
    "yields": "yield", "leads": "lead", "exhibits": "exhibit", "generalizes": "generalize",
    "captures": "capture", "learns": "learn", "incorporates": "incorporate",
    "contains": "contain", "includes": "include", "surpasses": "surpass", "suffers": "suffer",
    "addresses": "address", "depends": "depend", "offers": "offer", "consists": "consist",
    "leverages": "leverage", "remains": "remain", "produces": "produce", "makes": "make",
    "performs": "perform", "helps": "help", "relies": "rely",
    "combines": "combine", "facilitates": "facilitate", "demonstrates": "demonstrate",
}  # fmt: skip
_ADDED: Sequence[tuple[str, str]] = (
    (rf"\bis{_NEXT}(?! that\b| to\b)", "is not"),
    (rf"\bis{_NEXT}(?! that\b| to\b)(?=\s\w+ed\b|\s\w+able\b)", "is no longer"),
    (rf"\bare{_NEXT}(?! that\b| to\b)", "are not"),
    (rf"\bcan{_NEXT}", "cannot"),
    (rf"\bhas been{_NEXT}", "has not been"),
    (rf"\bhave been{_NEXT}", "have not been"),
    (rf"\bwas{_NEXT}", "was not"),
    (rf"\bwere{_NEXT}", "were not"),
    (r"\bby(?=\s(?:leveraging|using|incorporating|learning|training|introducing|combining|exploiting|modeling|adding)\b)", "without"),
    (r"(?<=\w)(?<! compared)(?<! along)(?<! together)(?<! consistent)(?<! associated)(?<! interact)(?<! deal)\s"
     r"with(?=\s(?:a|an|minimal|few|additional|human|little|high|strong|large|expert|different)\s\w+)", " without"),
    (rf"\b(?:{_SURELY}\s)?(?:{'|'.join(_BASE)})(?=\s(?:a|an|the|to|on|in|over|of|state|existing|prior|previous|all|several|and|better|from|significant|strong|\w+ing|\w+ed|performance|\w+s)\b)", "*"),
)  # fmt: skip
_REMOVED: Sequence[tuple[str, str]] = (
    (r"\b(do|does|did) not (?:necessarily |yet )?(?!only)", r"\1 "),
    (
        r"\b(is|are|was|were|has|have|had|can|could|may|should|would) not (?:yet |necessarily )?(?!only\b|limited\b)",
        r"\1 ",
    ),
    (r"\bcannot (?!only)", "can "),
    (r"\b(?:(?:all )?while )?without (?=(?:\w+ly )?(?:being |having )?\w+ing\b)", "while "),
    (r"\bwithout (?!\w+(?:ing|ly)\b|any\b)(?=[a-z]+\b)", "with "),
    (r"\bfails to\b", "manages to"),
    (r"\bfail to\b", "manage to"),
    (r"\bfailed to\b", "managed to"),
    (r"\bunable to\b", "able to"),
    (r"\b(is|are) no longer\b", r"\1 still"),
    (r"\b(requires?|requiring|needs?|with|have|has|needing) no (?=[a-z]{4,})", r"\1 "),
    (r"\blacks\b", "has"),
    (r"\bnever\b", "always"),
    (r"\brarely\b", "often"),
    (r"\bunlikely\b", "likely"),
    (r"\bimpossible\b", "possible"),
)
_ADJECTIVE = (
    r"(?=\s(?:robust|complex|likely|accurate|diverse|general|stable|relevant|important|powerful|suitable|precise|practical|"
    r"similar|nuanced|human-like|challenging|computationally|closely|\w+(?:able|ible|ive|ent|ant|ful|ous|ate|ly))\b)"
)
_FLIPS: Sequence[tuple[str, str]] = (
    (r"outperforms", "underperforms"), (r"outperform", "underperform"), (r"outperforming", "underperforming"),
    (r"outperformed", "underperformed"), (r"surpasses", "falls short of"), (r"surpass", "fall short of"),
    (r"surpassing", "falling short of"), (r"exceeds", "stays below"), (r"exceed", "stay below"), (r"exceeding", "staying below"),
    (r"higher", "lower"), (r"lower", "higher"), (r"fewer", "more"), (r"less(?=\s\w)", "more"), (rf"more{_ADJECTIVE}", "less"),
    (r"(?<!no )more than", "less than"), (r"increases", "decreases"), (r"increase", "decrease"), (r"increasing", "decreasing"),
    (r"increased", "decreased"), (r"decreases", "increases"), (r"decreasing", "increasing"), (r"decreased", "increased"),
    (r"improves", "worsens"), (r"improve", "worsen"), (r"improving", "worsening"), (r"improved", "degraded"),
    (r"an improvement", "a decline"), (r"improvements", "declines"), (r"improvement", "decline"),
    (r"(?<!to )better(?!\s(?:understand|align|than chance))", "worse"), (r"worse", "better"), (r"faster", "slower"),
    (r"slower", "faster"), (r"reduces", "increases"), (r"reduce", "increase"), (r"reducing", "increasing"),
    (r"reduced(?! order)", "increased"), (r"a reduction", "an increase"), (r"reduction", "increase"), (r"larger", "smaller"),
    (r"smaller", "larger"), (r"greater", "smaller"), (r"above(?=\s(?:chance|\d|random|human))", "below"),
    (r"below(?=\s(?:chance|\d|random|human))", "above"), (r"at least(?=\s\d|\s\w+)", "at most"), (r"at most", "at least"),
    (r"up to(?=\s\$?\d)", "at least"), (r"after(?=\s[a-z])", "before"), (r"before(?=\s[a-z])", "after"),
    (r"superior", "inferior"), (r"inferior", "superior"), (r"stronger", "weaker"), (r"weaker", "stronger"),
    (r"(?<!no )longer(?=\s[a-z])", "shorter"), (r"shorter", "longer"), (r"enhances", "impairs"), (r"enhance", "impair"),
    (r"enhancing", "impairing"), (r"boosts", "lowers"), (r"boosting", "lowering"), (r"gains", "losses"), (r"drops", "rises"),
    (r"highest", "lowest"), (r"lowest", "highest"), (r"difficult", "easy"), (r"deeper", "shallower"), (r"positively", "negatively"),
    (r"maximizes", "minimizes"), (r"maximizing", "minimizing"), (r"minimizing", "maximizing"), (r"majority", "minority"),
    (r"mitigates", "aggravates"), (r"mitigate", "aggravate"), (r"accelerates", "slows down"), (r"accelerate", "slow down"),
    (r"strong(?=\s(?:performance|results|correlation|improvement|evidence))", "weak"),
    (r"best(?=\s(?:performance|performing|results|model|overall|baseline))", "worst"), (r"cheaper", "costlier"),
)  # fmt: skip
_ADVERBS = rf"(?:{_SURELY}\s(?:and\s(?={_SURELY}))?)*"
_EXCHANGED: Sequence[tuple[str, str]] = (
    (rf"{_ADVERBS}outperforms", "is outperformed by"),
    (rf"(to|can|may|could|will|would|should) {_ADVERBS}outperform", r"\1 be outperformed by"),
    (rf"(?<!to )(?<!can )(?<!may )(?<!ould )(?<!will )(?<!not ){_ADVERBS}outperform", "are outperformed by"),
    (rf"{_ADVERBS}surpasses", "is surpassed by"),
    (rf"(to|can|may|could|will|would|should) {_ADVERBS}surpass", r"\1 be surpassed by"),
    (rf"{_ADVERBS}exceeds", "is exceeded by"),
)
_NO_CLAIM = re.compile(r"\b(?:[Tt]his is because|[Ii]t is our|[Oo]ur hope|available at|[Ww]e hope)\b")


def negation_changes(sentence: str, drawing: random.Random) -> Iterator[tuple[str, str, str]]:
    """Changed sentences as (subkind, sentence, change): added and removed."""
    if (
        "?" in sentence
        or _NO_CLAIM.search(sentence)
        or re.search(r"\b(?:not only|whether or not|not just|not merely)\b", sentence)
    ):
        return
    removed = _found(_REMOVED, sentence)
    if removed:
        match, pattern, new = drawing.choice(removed)
        put = re.sub(pattern, new, match.group(), flags=re.IGNORECASE) if "\\" in new else new
        yield "removed", *_changed(sentence, match, put)
    if re.search(rf"\b(?:{_ALREADY})\b", sentence):
        return  # two negations may be none
    added = _found(_ADDED, sentence)
    if added:
        match, _, new = drawing.choice(added)
        if new == "*":
            new = f"{drawing.choice(('does not', 'fails to'))} {_BASE[match.group().split()[-1].lower()]}"
        yield "added", *_changed(sentence, match, new)


def direction_changes(sentence: str, drawing: random.Random) -> Iterator[tuple[str, str, str]]:
    """Changed sentences as (subkind, sentence, change): flipped and exchanged."""
    if re.search(
        r"\b(?:more (?:and|or) (?:more|less)|better or|higher or|lower or|or (?:lower|higher|better|worse))\b", sentence
    ):
        return
    flips = _found([(rf"(?<![\w-]){word}(?![\w-])", new) for word, new in _FLIPS], sentence)
    if flips:
        match, _, new = drawing.choice(flips)
        yield "flipped", *_changed(sentence, match, new)
    exchanged = _found(
        [(rf"(?<![\w-]){word}(?=\s(?!by\b|or\b|others\b)\w)", new) for word, new in _EXCHANGED], sentence
    )
    exchanged = [each for each in exchanged if not re.search(r"\bor\s$", sentence[: each[0].start()])]
    if exchanged:
        match, _, new = exchanged[0]
        yield "exchanged", *_changed(sentence, match, match.expand(new))
    for one in numbers(sentence):
        for two in numbers(sentence):
            ranging = re.search(r"\b(?:rang|vary|scal|span)\w*\sfrom\s$", sentence[: one.start])
            if sentence[: one.start].endswith("from ") and sentence[one.end : two.start] == " to " and not ranging:
                first, last = sentence[one.start : one.end], sentence[two.start : two.end]
                if first != last:
                    changed = f"{sentence[: one.start]}{last} to {first}{sentence[two.end :]}"
                    yield "exchanged", changed, f"from {first} to {last} -> from {last} to {first}"


def _found(rules: Sequence[tuple[str, str]], sentence: str) -> list[tuple[re.Match[str], str, str]]:
    return [(match, pattern, new) for pattern, new in rules for match in re.finditer(pattern, sentence)]


def _changed(sentence: str, match: re.Match[str], new: str) -> tuple[str, str]:
    changed = sentence[: match.start()] + new + sentence[match.end() :]
    return changed, f"{match.group().strip()} -> {new.strip() or 'nothing'}"
