"""The checks of the support ledger: what a sentence of an answer says against what its sources say; pure.

Each returns None where the sentence has nothing to check.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rag.evidence import Evidence, Source
from rag.slots import Sentence, Slot, alike, core, joined, stem, without_prefix
from rag.types import Check, CheckKind
from rag.words import STOP_WORDS, fold

_ALIGNED = 2
_SENTENCE_BONUS = 0.5
_FIGURE_MARGIN, _NAME_MARGIN, _DIRECTION_MARGIN = 0.15, 0.3, 0.1
_FIGURE_ALIKE, _NAME_ALIKE, _DIRECTION_ALIKE = 0.2, 0.5, 0.2
_SCOPE = 4  # words behind a negator that it negates
_ACRONYM = re.compile(r"[A-Z][A-Za-z0-9]{0,5}[A-Z0-9]")


def numbers(claim: Sentence, sources: Sequence[Source], evidence: Evidence) -> Check | None:
    if not claim.figures:
        return None
    wrong = []
    theirs = [(source, slot) for source in sources for slot in source.sentence.figure_slots]
    for slot in claim.figure_slots:
        same, other, best = 0.0, 0.0, None
        found = False
        for source, there in theirs:
            near = alike(slot.around, there.around)
            score = near + _SENTENCE_BONUS * source.fit
            assert slot.figure and there.figure
            if slot.figure.is_as(there.figure):
                found, same = True, max(same, score)
            elif score > other and near >= _FIGURE_ALIKE and slot.figure.unit == there.figure.unit:
                other, best = score, (source, there)
        if not found:
            wrong.append(f"{slot.written} is not in {evidence.cited}")
        elif best and other > same + _FIGURE_MARGIN:
            wrong.append(f"[{best[0].number}] has {best[1].written} where this has {slot.written}")
    return Check(CheckKind.NUMBERS, not wrong, "; ".join(wrong))


def names(claim: Sentence, sources: Sequence[Source], evidence: Evidence) -> Check | None:
    slots = claim.name_slots
    if not slots:
        return None
    wrong = []
    theirs = [(source, slot) for source in sources for slot in source.sentence.name_slots]
    for slot in slots:
        if not _is_named(slot, claim, evidence):
            wrong.append(f"“{slot.written}” is not in {evidence.cited}")
            continue
        same, other, best = 0.0, 0.0, None
        for source, there in theirs:
            score = alike(slot.around, there.around) + _SENTENCE_BONUS * source.fit
            if there.key in slot.key or slot.key in there.key:
                same = max(same, score)
            elif score > other and alike(slot.around, there.around) >= _NAME_ALIKE:
                other, best = score, (source, there)
        if best and other > same + _NAME_MARGIN:
            wrong.append(f"[{best[0].number}] has “{best[1].written}” where this has “{slot.written}”")
    return Check(CheckKind.NAMES, not wrong, "; ".join(wrong))


def _is_named(slot: Slot, claim: Sentence, evidence: Evidence) -> bool:
    """Whether a name occurs: as it is, joined in another way, written out, or as an acronym of what is written out."""
    if slot.key in evidence.runs or slot.key in evidence.stems:
        return True
    if len(slot.key) >= 3 and any(
        each.startswith(slot.key) and len(each) - len(slot.key) <= 2 for each in evidence.runs
    ):
        return True
    parts = core(slot.written)
    if len(parts) > 1 or (parts and parts[0] != slot.written):
        return all(_is_named(Slot(joined(part), part, {}), claim, evidence) for part in parts)
    if stem(fold(slot.written)) in evidence.stems:
        return True
    bare = without_prefix(slot.written).removesuffix("s")
    if joined(bare) in evidence.runs or _is_alias(slot.written, claim):
        return True
    if _ACRONYM.fullmatch(bare):
        letters = fold(bare)
        if any(letters in each or (len(letters) > 2 and letters[1:] in each) for each in evidence.initials):
            return True
        return any(letters in each for each in claim.initials)  # written out in the claim itself
    return any(slot.written in words for words in _written_out(claim, evidence.acronyms))


def _is_alias(name: str, claim: Sentence) -> bool:
    """Whether the claim itself introduces the name behind what it stands for: "mottle virus (ComYMV)"."""
    found = re.search(rf"((?:[\w-]+\s+){{1,6}})\({re.escape(name)}s?\)", claim.text)
    if not found:
        return False
    letters = iter(joined(found[1]))
    return all(letter in letters for letter in joined(name))


def _written_out(claim: Sentence, acronyms: frozenset[str]) -> Iterator[list[str]]:
    """Runs of words of the claim that an acronym stands for."""
    initials = claim.initials[0]
    for acronym in acronyms:
        for found in re.finditer(f"(?={re.escape(acronym)})", initials):
            yield [token[0] for token in claim.tokens[found.start() : found.start() + len(acronym)]]


