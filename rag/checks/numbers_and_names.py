"""What a sentence of an answer states by figures and names, against what its sources state there; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rag.checks.evidence import FIT_BONUS, Evidence, Sentence, Slot, Source, compare_surroundings
from rag.text.names import join_name, remove_prefix, split_name
from rag.text.words import fold, stem
from rag.types import Check, CheckKind

# All values below: tests/bench/results/ledger.json.
_FIGURE_ALIKE, _FIGURE_MARGIN = 0.2, 0.15
_NAME_ALIKE, _NAME_MARGIN = 0.5, 0.3
_REPLACED_ALIKE = 0.45
_ALIGNED = 3  # sentences, those that fit best, in which something may stand in the place of a name
_INTRODUCTION = 60  # characters before a bracket that may be what a name in it is short for
_MOST_LONGER = 2  # letters: BRCA is BRCA1, AMP is AMPK
_NUMBERED_WORD = re.compile(r"(?<!\w)[\d_]*([^\W\d_])\w*\s(\d++)(?!\S*\d)")  # "interleukin 6", not "page 6-9"
_LABEL = re.compile(r"[a-z]{0,4}(\d+)")  # behind its letter: "IL6"
_LINK = re.compile(r"https?://[^\s)\]>\"']+", re.IGNORECASE)
_KIND = re.compile(r"[A-Z]{2,6}s")  # "LLMs" may well stand where the paper has the name of one
_ACRONYM = re.compile(r"[A-Z][A-Za-z0-9]{0,5}[A-Z0-9]")


def check_numbers(claim: Sentence, sources: Sequence[Source], evidence: Evidence) -> Check | None:
    """Whether every figure is in the sources, with its unit, and in its place; None where there is none."""
    wrong = []
    theirs = [(source, slot) for source in sources for slot in source.sentence.figure_slots]
    for slot in claim.figure_slots:
        if not any(slot.is_as(there) for _, there in theirs):
            if _is_label(slot, claim, evidence):
                continue
            wrong.append(f"{slot.written} is not in {evidence.cited}")
        elif rival := _rival(slot, theirs, _FIGURE_ALIKE, _FIGURE_MARGIN):
            wrong.append(f"[{rival[0].number}] has {rival[1].written} where this has {slot.written}")
    return Check(CheckKind.NUMBERS, not wrong, "; ".join(wrong)) if claim.figure_slots else None


def check_names(claim: Sentence, sources: Sequence[Source], evidence: Evidence) -> Check | None:
    """Whether every name is in the sources and in its place; None where there is none.

    A name that is not in them fails where something else stands in its place. Where nothing does, it may be
    another word for what they name: that is said, and passes.
    """
    wrong: list[str] = []
    unheard: list[str] = []
    theirs = [(source, slot) for source in sources for slot in source.sentence.name_slots]
    # A name that has a place of its own in the claim is not the one that was replaced; nor is a kind of things.
    free = [
        (source, there) for source, there in theirs
        if not _KIND.fullmatch(there.written) and not any(there.is_as(own) for own in claim.name_slots)
    ]  # fmt: skip
    for slot in claim.name_slots:
        if not _is_named(slot.written, claim, evidence):
            (wrong if _is_replaced(slot, claim, sources) else unheard).append(
                f"“{slot.written}” is not in {evidence.cited}"
            )
        elif _KIND.fullmatch(slot.written):
            continue
        elif rival := _rival(slot, _without_company(slot, theirs, free), _NAME_ALIKE, _NAME_MARGIN):
            wrong.append(f"[{rival[0].number}] has “{rival[1].written}” where this has “{slot.written}”")
    return Check(CheckKind.NAMES, not wrong, "; ".join(wrong or unheard)) if claim.name_slots else None


def check_links(claim: Sentence, evidence: Evidence) -> Check | None:
    """Whether every web address is in the sources; None where there is none."""
    found = [link.rstrip(".,;:!?") for link in _LINK.findall(claim.text)]
    wrong = [f"the link {link} is not in {evidence.cited}" for link in found if link not in evidence.text]
    return Check(CheckKind.LINKS, not wrong, "; ".join(wrong)) if found else None


def _is_label(slot: Slot, claim: Sentence, evidence: Evidence) -> bool:
    """Whether a figure numbers the word before it, and the sources have both as one name: interleukin 6, IL-6."""
    number = slot.written
    letter = next((fold(word[1]) for word in _NUMBERED_WORD.finditer(claim.text) if word[2] == number), "")
    labels = (_LABEL.match(run, len(letter)) for run in evidence.runs if letter and run.startswith(letter))
    return any(label and label[1] == number for label in labels)


def _without_company(
    slot: Slot, theirs: Sequence[tuple[Source, Slot]], free: Sequence[tuple[Source, Slot]]
) -> list[tuple[Source, Slot]]:
    """The names that are as this one, and those that may stand for it: not where it stands itself, in a sentence."""
    own = [each for each in theirs if each[1].is_as(slot)]
    at_home = {id(source.sentence) for source, _ in own}
    return own + [each for each in free if id(each[0].sentence) not in at_home]


def _rival(
    slot: Slot, theirs: Sequence[tuple[Source, Slot]], least_alike: float, margin: float
) -> tuple[Source, Slot] | None:
    """What the sources have in the place of a figure or name, if its surroundings fit clearly better."""
    same, other, rival = 0.0, 0.0, None
    for source, there in theirs:
        near = compare_surroundings(slot.around, there.around)
        score = near + FIT_BONUS * source.fit
        if slot.is_as(there):
            same = max(same, score)
        elif score > other and near >= least_alike and slot.may_stand_for(there):
            other, rival = score, (source, there)
    return rival if other > same + margin else None


def _is_replaced(slot: Slot, claim: Sentence, sources: Sequence[Source]) -> bool:
    """Whether a word that the claim does not have stands among the same words in a source."""
    return any(
        stemmed not in claim.stems
        and compare_surroundings(slot.around, source.sentence.around(place)) >= _REPLACED_ALIKE
        for source in sources[:_ALIGNED]
        for place, stemmed in enumerate(source.sentence.stems)
    )


def _is_named(name: str, claim: Sentence, evidence: Evidence) -> bool:
    """Whether a name occurs: as it is, joined in another way, written out, or short for what is written out."""
    parts = split_name(name)
    if _occurs(name, evidence):
        return True
    if parts and parts != [name]:
        return all(_is_named(part, claim, evidence) for part in parts)
    return _is_short_for(name, claim, evidence) or any(name in run for run in _written_out(claim, evidence.acronyms))


def _occurs(name: str, evidence: Evidence) -> bool:
    key = join_name(name)
    return (
        key in evidence.runs
        or stem(fold(name)) in evidence.stems
        or join_name(remove_prefix(name)) in evidence.runs
        or any(each.startswith(key) and len(each) - len(key) <= _MOST_LONGER for each in evidence.runs if len(key) > 2)
    )


def _is_short_for(name: str, claim: Sentence, evidence: Evidence) -> bool:
    """Whether a name is made of the first letters of words of the sources or, introduced in brackets, of the claim."""
    bare = remove_prefix(name).removesuffix("s")
    bracket = claim.text.find(f"({name}")
    if bracket > 0:
        letters = iter(join_name(claim.text[max(0, bracket - _INTRODUCTION) : bracket]))
        if all(letter in letters for letter in join_name(name)):
            return True
    if not _ACRONYM.fullmatch(bare):
        return False
    letters_of = fold(bare)
    return any(letters_of in each for each in (*evidence.initials, *claim.initials)) or any(
        letters_of[1:] in each for each in evidence.initials if len(letters_of) > 2
    )


def _written_out(claim: Sentence, acronyms: frozenset[str]) -> Iterator[list[str]]:
    """Runs of words of the claim that an acronym stands for."""
    for acronym in acronyms:
        at = claim.initials[0].find(acronym)
        while at >= 0:
            yield [token[0] for token in claim.tokens[at : at + len(acronym)]]
            at = claim.initials[0].find(acronym, at + 1)
