"""Papers as references: citation keys, BibTeX, RIS, and a plain line; what a paper says can break out of no field."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator

from rag.text.words import find_content_words, fold, visible
from rag.types import Paper

_KEY_WORDS = 3  # of a label, where there is no author
_LONGEST_KEY_WORD = 24
_NOT_IN_KEYS = re.compile(r"[^a-z0-9]+")
_ID = re.compile(r"[0-9a-f]{16}")
_SUFFIX = re.compile(r"(?:jr|sr|ii|iii|iv)\.?", re.IGNORECASE)
_AND = re.compile(r"(?:^|\s)and(?:\s|$)", re.IGNORECASE)
# BibTeX counts braces behind a backslash as well: only their names are safe.
_TO_TEX = str.maketrans({
    "\\": r"\textbackslash{}", "{": r"\textbraceleft{}", "}": r"\textbraceright{}", "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
})  # fmt: skip
# Styles print addresses character by character: what a brace or a backslash would do there, its code does not.
_IN_ADDRESSES = str.maketrans({"{": "%7B", "}": "%7D", "\\": "%5C", " ": "%20"})
_MEETING = re.compile(r"\b(?:proceedings|proc|conference|workshop|symposium|meeting)\b", re.IGNORECASE)
_PERIODICAL = re.compile(r"\b(?:journal|transactions|letters|annals|magazine|review|bulletin)\b", re.IGNORECASE)
_BIBTEX = {
    "meeting": ("inproceedings", "booktitle"),
    "periodical": ("article", "journal"),
    "": ("misc", "howpublished"),
}
_RIS = {"meeting": "CONF", "periodical": "JOUR", "": "GEN"}
_MOST_NAMED = 3  # authors in a plain line


def citation_keys(papers: Iterable[Paper]) -> dict[str, str]:
    """A key for each paper, by its id: `smith2023attention`; in any order, the same papers get the same keys.

    A key is of lower-case ASCII letters and digits, some with one hyphen: BibTeX and Pandoc take it. Papers that would
    share one, and those without authors, have digits of their id at its end.
    """
    found = {paper.id: paper for paper in papers}
    plain = {key: _make_key(paper) for key, paper in found.items()}
    shared = Counter(plain.values())
    tails = {key: _digits(key) for key, paper in found.items() if not _find_surname(paper) or shared[plain[key]] > 1}
    for length in (4, 8, 16):
        keys = plain | {key: f"{plain[key]}-{tail[:length]}" for key, tail in tails.items()}
        if len(set(keys.values())) == len(keys):
            break
    return keys


def bibtex(papers: Iterable[Paper]) -> str:
    """The papers as BibTeX in UTF-8, an entry each, in their order."""
    found = _drop_repeated(papers)
    keys = citation_keys(found)
    return "\n".join(_write_entry(paper, keys[paper.id]) for paper in found)


def ris(papers: Iterable[Paper]) -> str:
    """The papers as RIS for Zotero, EndNote, Mendeley and their like, a record each, in their order."""
    found = _drop_repeated(papers)
    keys = citation_keys(found)
    return "\n".join(
        "".join(f"{tag}  - {value}\n" for tag, value in _list_tags(paper, keys[paper.id])) for paper in found
    )


def reference(paper: Paper) -> str:
    """The paper on one plain line: who, when, what, where, and the place it was read at."""
    named = ", ".join(paper.authors) if len(paper.authors) <= _MOST_NAMED else f"{paper.authors[0]} et al."
    when = f"({paper.year})" if paper.year else ""
    who = " ".join(filter(None, (named, when)))
    where = f"https://doi.org/{paper.doi}" if paper.doi else paper.url
    ended = (part if part[-1] in ".?!…" else f"{part}." for part in (who, paper.label, paper.venue) if part)
    return _to_line(" ".join(filter(None, (*ended, where, f"[{paper.source}:{paper.line}]"))))


def _drop_repeated(papers: Iterable[Paper]) -> list[Paper]:
    return list({paper.id: paper for paper in papers}.values())


def _make_key(paper: Paper) -> str:
    words = [word for word in map(_to_key_letters, find_content_words(paper.label)) if word]
    if surname := _find_surname(paper):
        return f"{surname}{paper.year or ''}{words[0] if words else ''}"
    return "".join(words[:_KEY_WORDS]) or "paper"


def _find_surname(paper: Paper) -> str:
    """The first author's surname in the letters of a key; "" without an author, or without such letters."""
    return _to_key_letters(_invert_name(paper.authors[0]).partition(",")[0]) if paper.authors else ""


def _to_key_letters(text: str) -> str:
    return _NOT_IN_KEYS.sub("", fold(text))[:_LONGEST_KEY_WORD]


def _digits(paper_id: str) -> str:
    return paper_id if _ID.fullmatch(paper_id) else hashlib.sha256(paper_id.encode()).hexdigest()


def _write_entry(paper: Paper, key: str) -> str:
    kind, container = _BIBTEX[_find_kind(paper.venue)]
    fields = {
        "title": f"{{{_escape_tex(paper.label)}}}",  # the inner braces keep its capitals
        "author": " and ".join(_write_bibtex_name(name) for name in paper.authors if _to_line(name)),
        "year": str(paper.year or ""),
        container: _escape_tex(paper.venue),
        "doi": _to_line(paper.doi).translate(_IN_ADDRESSES),
        "url": _to_line(paper.url).translate(_IN_ADDRESSES),
        "abstract": _escape_tex(paper.abstract),
        "note": _escape_tex(_write_note(paper)),
    }
    listed = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items() if value)
    return f"@{kind}{{{key},\n{listed}}}\n"


def _list_tags(paper: Paper, key: str) -> Iterator[tuple[str, str]]:
    yield "TY", _RIS[_find_kind(paper.venue)]
    yield "ID", key
    yield "TI", _to_line(paper.label)
    yield from (("AU", _to_line(_invert_name(name))) for name in paper.authors if _to_line(name))
    listed = {"PY": str(paper.year or ""), "T2": paper.venue, "DO": paper.doi, "UR": paper.url, "AB": paper.abstract,
              "N1": _write_note(paper)}  # fmt: skip
    yield from ((tag, _to_line(value)) for tag, value in listed.items() if _to_line(value))
    yield "ER", ""


def _find_kind(venue: str) -> str:
    """Whether the venue's name says "meeting" or "periodical"; most say neither ("ICRA")."""
    return "meeting" if _MEETING.search(venue) else "periodical" if _PERIODICAL.search(venue) else ""


def _write_note(paper: Paper) -> str:
    made = "Untitled; the title is the opening words of the abstract. " if paper.label_is_made else ""
    return f"{made}Read from {'; '.join(f'{source}:{line}' for source, line in paper.places)}"


def _write_bibtex_name(name: str) -> str:
    """In braces where BibTeX would take it for several names, for "et al.", or for more parts than names have."""
    is_one = not _AND.search(name) and name.count(",") <= 2 and name.strip().lower() != "others"
    return _escape_tex(name) if is_one else f"{{{_escape_tex(name)}}}"


def _invert_name(name: str) -> str:
    """Surname first, as BibTeX would find it: particles in small letters belong to it ("van der Berg, Jan")."""
    parts = name.split()
    if "," in name or len(parts) < 2:
        return name
    end = len(parts) - 1 if len(parts) > 2 and _SUFFIX.fullmatch(parts[-1]) else len(parts)
    start = end - 1
    while start > 1 and parts[start - 1].islower():
        start -= 1
    given = " ".join(parts[:start] if end == len(parts) else [*parts[:start], *parts[end:]])
    return f"{' '.join(parts[start:end])}, {given}"


def _escape_tex(text: str) -> str:
    return _to_line(text).translate(_TO_TEX)


def _to_line(text: str) -> str:
    """The text on one line, without characters that show nothing."""
    return " ".join(visible(text).split())
