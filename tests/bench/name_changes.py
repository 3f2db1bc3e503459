"""Sentences with one name (a method, a data set, a model, an organisation) swapped for another."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_WORD = r"[A-Za-z][\w]*(?:[-/.][\w]+)*(?:\+\+|\+)?"
_PHRASE = r"[A-Z][A-Za-z]*[a-z](?:-[A-Za-z]+)*(?: [A-Z][A-Za-z]*[a-z](?:-[A-Za-z]+)*)+"
_CANDIDATE = re.compile(rf"(?<![\w\-/.@\\_$])(?:{_PHRASE}|{_WORD})(?![\w\-/\\_@$])")
_STRONG = re.compile(r"^(?=.*[A-Z].*(?:[A-Z]|\d)|.*[a-z][A-Z]|.*[A-Z].*\d)[\w\-/.+]{2,}$")
_VERSION = re.compile(r"(?P<stem>[A-Za-z]+[- ]?)(?P<digits>\d{1,3})(?P<rest>(?:\.\d)?)$")
# Said of most papers here, or with so many spellings that another may mean the same.
_GENERIC = frozenset(
    """
    ai ml nlp llm lm slm plm lmm llms-based rl drl sota llm-based transformer transformers internet gpu gpus api apis
    language-model large language models i we url pdf github us uk codes code can is are this these that our their
    llm-driven llm-powered llm-generated lm-based transformer-based rl-agent human-ai agi artificial intelligence dnn
    reinforcement-learning dl cv vs large-scale computer science figure table section 1d 2d 3d 2d/3d https http
    """.split()
)
_GENERIC_PHRASE = re.compile(
    r"(?:Language|Vision|Foundation|Multimodal|Neural) (?:Models?|Networks?)|^(?:Artificial|Natural|Machine|Deep|Reinforcement)"
    r"|^(?:We|In|On|The|This|Our|For|To|With|By|An?|As|At|It|However|Moreover|Finally|Using|From|Results?|Can|While)\s"
)
# Authors of references, words with capitals for an acronym's sake, and parts of longer names.
_NO_NAME = frozenset(
    """
    burns wang wei xie yang ippolito peebles padmakumar callison-burch behavior contrastive changes matter networks patch
    token parameters pretraining egocentric score-based stick stretch law wild none flag pro opus verb freezing sonnet revenge
    violation catalog catalogue executor plurality authenticity indistinguishability informatics rotary cet ile-ife ilesa
    homme-machine francophones médicaux r_y l_2 ids iphones us/nih u.s ais questioner roleplayer hugging simpletom mapping attention
    """.split()
)
_PLACES = frozenset(
    "canada denmark england france poland london paris nigerian chinese english japanese french german united kingdom".split()
)
_PEOPLE = frozenset(
    "bayes bayesian boltzmann brownian faraday fourier gaussian hebbian koopman krippendorff markov ohm pareto spearman "
    "wasserstein kullback-leibler".split()
)
_SETTING = re.compile(r"(?:\bon|\bacross|datasets?|benchmarks?|environments?|games?)(?:\sthe)?\s$")
_OF_SETTING = re.compile(r"^\s(?:\w+\s)?(?:datasets?|benchmarks?|environments?|suite|tasks?|games?|challenge)\b")
_COMPOUND = re.compile(r"-(?:based|generated|augmented|simulated|driven|discovered|like|enabled|centric)$")
_SHARE_OF_PAPERS = 8  # a name in more papers than this is a field's word, not a name


@dataclass(frozen=True, slots=True)
class Names:
    """The names of a corpus, those of each abstract by paper id, and those that methods are tried on."""

    everywhere: tuple[str, ...]
    by_paper: dict[str, tuple[str, ...]]
    settings: frozenset[str]

    @classmethod
    def of(cls, abstracts: dict[str, str]) -> Names:
        """Reads them from abstracts by paper id."""
        lower = set(re.findall(r"(?<![\w.])[a-z][a-z\-]+", " ".join(abstracts.values())))
        found = {paper_id: _names(abstract, lower) for paper_id, abstract in sorted(abstracts.items())}
        papers = Counter(
            _key(name) for names in found.values() for name in {_key(each): each for each in names}.values()
        )
        kept = {
            paper_id: tuple(name for name in names if papers[_key(name)] <= _SHARE_OF_PAPERS)
            for paper_id, names in found.items()
        }
        everywhere = sorted({name for names in kept.values() for name in names})
        return cls(tuple(everywhere), kept, frozenset(_tried_on(everywhere, "\n".join(abstracts.values()))))

    def role(self, name: str) -> str:
        """Names of one role can stand in each other's place."""
        if name.lower() in _PLACES or name.lower() in _PEOPLE:
            return "place" if name.lower() in _PLACES else "person"
        return "setting" if name in self.settings else "method"


def name_changes(
    sentence: str, paper_id: str, abstract: str, names: Names, drawing: random.Random
) -> Iterator[tuple[str, str, str]]:
    """Changed sentences as (subkind, sentence, change): foreign, own and version."""
    own = names.by_paper[paper_id]
    here = [name for name in own if _stands_alone(sentence, name)]
    if not here:
        return
    name = drawing.choice(here)
    lowered = abstract.lower()
    foreign = [
        each
        for each in names.everywhere
        if _shape(each) == _shape(name) and names.role(each) == names.role(name) and _key(each) not in lowered and not _same(each, name, abstract)
        and not any(_same(each, other, abstract) for other in own)
    ]  # fmt: skip
    if foreign:
        yield "foreign", *_swapped(sentence, name, drawing.choice(foreign))
    pairs = [
        (name, other)
        for name in here
        for other in own
        if _key(other) not in sentence.lower() and not _same(name, other, abstract) and _numerus(name) == _numerus(other)
        and names.role(name) == names.role(other)
        and not _spelled_out(other, sentence, abstract) and not _spelled_out(name, sentence, abstract)
    ]  # fmt: skip
    if pairs:
        yield "own", *_swapped(sentence, *drawing.choice(pairs))
    for name in here:
        other = _other_version(name, sentence, lowered, drawing)
        if other:
            yield "version", *_swapped(sentence, name, other)
            break


def _names(abstract: str, lower: set[str]) -> tuple[str, ...]:
    """In order of the alphabet; a phrase counts where it does not open a sentence."""
    found = set()
    for match in _CANDIDATE.finditer(abstract):
        name = match.group().rstrip(".")
        opens = match.start() == 0 or re.search(r"[.!?:;\"“”]\s*[\"“(]?$", abstract[: match.start()][-4:])
        if (
            {_key(name), name.lower()} & (_GENERIC | _NO_NAME)
            or _COMPOUND.search(name)
            or _GENERIC_PHRASE.search(name)
            or "/" in name
            or len(name) < 3
        ):
            continue
        if _STRONG.match(name) or (
            not opens and name[0].isupper() and (" " in name or name.lower() not in lower) and "-" not in name
        ):
            found.add(name)
    return tuple(sorted(found))


def _tried_on(names: Sequence[str], text: str) -> Iterator[str]:
    for name in names:
        found = list(_occurrences(text, name))
        hits = sum(
            bool(
                _SETTING.search(text[max(0, match.start() - 20) : match.start()])
                or _OF_SETTING.match(text[match.end() :][:40])
            )
            for match in found
        )
        if 2 * hits > len(found):
            yield name


def _key(name: str) -> str:
    lowered = name.lower()
    return lowered[:-1] if lowered.endswith("s") and len(lowered) > 3 else lowered


def _numerus(name: str) -> bool:
    return name.endswith("s") and not name.isupper()


def _shape(name: str) -> str:
    if " " in name:
        return "phrase"
    kind = "capitals" if name.upper() == name else "camel" if _STRONG.match(name) else "word"
    return f"{kind}{'s' if _numerus(name) else ''}{'-' if '-' in name and not any(map(str.isdigit, name)) else ''}"


def _stands_alone(sentence: str, name: str) -> bool:
    """The name occurs as a word of its own, and neither gives nor is given its long form in brackets."""
    found = list(_occurrences(sentence, name))
    return bool(found) and not any(
        sentence[match.end() :].startswith((" (", ")", "'s alpha", " et al"))
        or sentence[: match.start()].endswith("(")
        or re.match(r"\s[A-Z0-9]", sentence[match.end() :])
        or (re.search(r"(?<![.:?!])\s?[A-Z][\w\-]*\s$", sentence[: match.start()]) and " " not in name and match.start() > 12)
        for match in found
    )  # fmt: skip


def _occurrences(sentence: str, name: str) -> Iterator[re.Match[str]]:
    return re.finditer(rf"(?<![\w\-/.]){re.escape(name)}(?![\w\-/+]|\.\w)", sentence)


def _swapped(sentence: str, name: str, other: str) -> tuple[str, str]:
    changed = re.sub(rf"(?<![\w\-/.]){re.escape(name)}(?![\w\-/+]|\.\w)", lambda _: other, sentence)
    return changed, f"{name} -> {other}"


def _same(one: str, other: str, abstract: str) -> bool:
    """Whether two names may mean the same: part of each other, an acronym and its words, one defined by the other."""
    a, b = _key(one), _key(other)
    plain_a, plain_b = (re.sub(r"[^a-z]", "", each) for each in (a, b))
    if a in b or b in a or (plain_a and plain_b and (plain_a in plain_b or plain_b in plain_a)):
        return True
    if len(plain_a) > 4 and plain_a[:4] == plain_b[:4]:
        return True
    if any(
        len(words) > 1 and all(word.lower().startswith(part.lower()) for word, part in zip(words, parts, strict=False))
        for words, parts in ((x.split(), re.findall(r"[A-Z][a-z]+", y)) for x, y in ((one, other), (other, one)))
        if len(parts) > 1
    ):
        return True  # MoCap and Motion Capture
    return any(
        _initials(long).startswith(short) or short.startswith(_initials(long))
        for long, short in ((one, plain_b), (other, plain_a))
        if len(re.split(r"[ \-]", long)) > 1
    ) or any(
        f"{x} ({y}" in abstract or f"{x} {y}" in abstract or (f"{x}, {y}" in abstract and "i.e" in abstract)
        for x, y in ((one, other), (other, one))
    )


def _initials(phrase: str) -> str:
    return "".join(word[0] for word in re.split(r"[ \-]", phrase) if word).lower()


def _spelled_out(name: str, sentence: str, abstract: str) -> bool:
    """Whether the words that the acronym stands for are in the sentence."""
    defined = re.search(rf"((?:[\w\-]+\s){{1,6}})\({re.escape(name)}s?\)", abstract)
    return bool(defined) and defined[1].split()[-1].lower()[:6] in sentence.lower()


def _other_version(name: str, sentence: str, abstract: str, drawing: random.Random) -> str:
    """The name with another version number, one that the abstract does not have."""
    match = _VERSION.match(name)
    if not match or match["stem"].lower() in ("l", "l-", "f", "r", "p", "o", "top-"):
        return ""
    digits = int(match["digits"])
    choices = [number for number in (digits - 1, digits + 1) if number > 0] if digits < 10 else [digits * 10]
    others = [other for number in choices if (other := f"{match['stem']}{number}").lower() not in abstract]
    return drawing.choice(others) if others else ""
