"""References: keys, BibTeX, RIS and plain lines of ordinary papers, and of papers made to break them."""

from __future__ import annotations

import random
import re

import pytest

from rag import Paper
from rag.share.references import bibtex, citation_keys, reference, ris

HOSTILE = [
    "}", "{", "{{{", "}}}", "\\", "\\}", "\\{", "}\n@article{evil,", "},\n note={x}", '"', "@string{x=1}", "% comment", "#", "$x_1^2$",
    "~&_^", "a\nER  - \nTY  - JOUR", "a\r\nb", "a\u2028b\u2029c\x85d\x0be\x0cf", "\\input{/etc/passwd}", "\\end{document}",
    "and", "others", "Barnes and Noble", "a, b, c, d, e", " ", "\u202egnp", "漢字", "<script>", "\x00\x1b[31m", "x" * 30_000,
]  # fmt: skip
FIELD = re.compile(r"  ([a-z]+) = \{(.*)\},")


def paper(number: int = 0, **fields: object) -> Paper:
    given: dict[str, object] = {"title": "", "abstract": "We do it.", "source": "x.txt", "line": 1, **fields}
    given.setdefault("label", given["title"] or given["abstract"])
    return Paper(id=f"{number:016x}", **given)  # type: ignore[arg-type]


ATTENTION = paper(
    7, title="The Attention of 100% of LLaMAs & co_", authors=("Ada van der Berg", "Roe, Jane"), year=2023,
    venue="Proceedings of X", url="https://x.org/a_b%20c#d", doi="10.1000/1_2", also_in=(("y_z.txt", 4),),
)  # fmt: skip


def parsed(text: str) -> list[tuple[str, str, dict[str, str]]]:
    """The entries of a BibTeX text, read as BibTeX does: a value ends where its braces balance, escaped or not."""
    entries, place = [], 0
    while (begun := re.compile(r"\s*@(\w+)\{([^,\s]+),\n").match(text, place)) is not None:
        place, fields = begun.end(), {}
        while (name := re.compile(r"  (\w+) = \{").match(text, place)) is not None:
            depth, end = 1, name.end()
            while depth:
                depth += {"{": 1, "}": -1}.get(text[end], 0)
                end += 1
            fields[name[1]] = text[name.end() : end - 1]
            assert text[end : end + 2] == ",\n"
            place = end + 2
        assert text[place : place + 2] == "}\n"
        place += 2
        entries.append((begun[1], begun[2], fields))
    assert text[place:].strip() == "", "nothing stands between entries"
    return entries


def test_a_paper_with_everything_in_bibtex():
    assert bibtex([ATTENTION]) == (
        "@inproceedings{vanderberg2023attention,\n"
        "  title = {{The Attention of 100\\% of LLaMAs \\& co\\_}},\n"
        "  author = {Ada van der Berg and Roe, Jane},\n"
        "  year = {2023},\n"
        "  booktitle = {Proceedings of X},\n"
        "  doi = {10.1000/1_2},\n"
        "  url = {https://x.org/a_b%20c#d},\n"
        "  abstract = {We do it.},\n"
        "  note = {Read from x.txt:1; y\\_z.txt:4},\n"
        "}\n"
    )


def test_a_paper_with_everything_in_ris():
    assert ris([ATTENTION]) == (
        "TY  - CONF\nID  - vanderberg2023attention\nTI  - The Attention of 100% of LLaMAs & co_\n"
        "AU  - van der Berg, Ada\nAU  - Roe, Jane\nPY  - 2023\nT2  - Proceedings of X\nDO  - 10.1000/1_2\n"
        "UR  - https://x.org/a_b%20c#d\nAB  - We do it.\nN1  - Read from x.txt:1; y_z.txt:4\nER  - \n"
    )


def test_a_paper_of_which_little_is_known():
    bare = paper(0xABCDEF, abstract="We show that penguins huddle.")
    assert citation_keys([bare]) == {bare.id: "penguinshuddle-0000"}
    ((kind, _, fields),) = parsed(bibtex([bare]))
    assert (kind, set(fields)) == ("misc", {"title", "abstract", "note"})
    assert fields["note"].startswith("Untitled;")
    assert "PY" not in ris([bare])
    assert reference(bare) == "We show that penguins huddle. [x.txt:1]"


@pytest.mark.parametrize(
    ("venue", "kind", "field"),
    [
        ("NeurIPS", "misc", "howpublished"),
        ("Workshop on Y", "inproceedings", "booktitle"),
        ("Polar Letters", "article", "journal"),
    ],
)
def test_the_kind_is_what_the_venue_says_of_itself_and_no_guess(venue, kind, field):
    ((found, _, fields),) = parsed(bibtex([paper(venue=venue)]))
    assert (found, fields[field]) == (kind, venue)


def test_a_plain_line():
    assert reference(ATTENTION) == (
        "Ada van der Berg, Roe, Jane (2023). The Attention of 100% of LLaMAs & co_. Proceedings of X."
        " https://doi.org/10.1000/1_2 [x.txt:1]"
    )
    many = paper(title="Why?", authors=("A B", "C D", "E F", "G H"), url="https://x.org")
    assert reference(many) == "A B et al. Why? https://x.org [x.txt:1]"


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Ümit Çelik", "celik"), ("Çelik, Ümit", "celik"), ("Juan de la Cruz", "delacruz"), ("Ken Griffey Jr.", "griffey"),
        ("Plato", "plato"), ("O'Neil, Shaquille", "oneil"), ("Jean-Luc Picard", "picard"), ("Łukasz Kaiser", "kaiser"),
    ],
)  # fmt: skip
def test_a_key_begins_with_the_surname(name, key):
    found = paper(title="The Use of Attention", authors=(name,), year=2020)
    assert citation_keys([found]) == {found.id: f"{key}2020use" if key == "" else f"{key}2020attention"}


def test_a_name_that_has_no_letters_for_a_key_gives_way_to_the_title():
    found = paper(title="Attention is all", authors=("王伟",), year=2020)
    assert citation_keys([found])[found.id] == "attention-0000"


def test_keys_that_would_be_the_same_are_told_apart_in_any_order():
    twins = [paper(n << 32, title="Attention", authors=("Ada Smith",), year=2020) for n in range(0xA0000, 0xA0000 + 40)]
    other = paper(3, title="Bridges", authors=("Ada Smith",), year=2020)
    keys = citation_keys([*twins, other])
    assert keys[other.id] == "smith2020bridges"
    assert len(set(keys.values())) == 41
    assert keys == citation_keys([other, *reversed(twins)])
    assert all(re.fullmatch(r"smith2020attention-[0-9a-f]+", keys[twin.id]) for twin in twins)


def made(drawing: random.Random, number: int) -> Paper:
    def text() -> str:
        return "".join(drawing.choice([*HOSTILE, "a", " ", "Word "]) for _ in range(drawing.randint(1, 5)))

    return paper(
        number, title=drawing.choice(["", text()]), label=text(), abstract=text(), source=text(), venue=text(), url=text(), doi=text(),
        authors=tuple(text() for _ in range(drawing.randint(0, 3))), year=drawing.choice([None, 2020]),
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(30))
def test_whatever_papers_say_there_is_one_well_formed_entry_for_each(seed):
    drawing = random.Random(seed)  # noqa: S311
    papers = [made(drawing, number) for number in range(8)]
    keys = citation_keys(papers)
    assert len(set(keys.values())) == len(papers)
    assert all(re.fullmatch(r"[a-z0-9]+(-[0-9a-f]+)?", key) for key in keys.values())
    entries = parsed(bibtex(papers))
    assert [key for _, key, _ in entries] == [keys[each.id] for each in papers]
    for each, (_, _, fields) in zip(papers, entries, strict=True):
        assert set(fields) <= {
            "title", "author", "year", "booktitle", "journal", "howpublished", "doi", "url", "abstract", "note",
        }  # fmt: skip
        for name in ("title", "abstract", "note", "author"):
            assert not re.search(r"(?<!\\)[&%$#_]|[~^\n]", fields.get(name, "")), name
            assert not re.search(r"\\(?!text|[&%$#_])", fields.get(name, "")), "no command of theirs"
        outside = re.sub(r"\{[^{}]*\}", "", re.sub(r"\{[^{}]*\}", "", fields.get("author", "")))
        assert len(outside.split(" and ")) <= max(1, len(each.authors))
    lines = ris(papers).splitlines()
    assert all(re.match(r"[A-Z][A-Z0-9]  - ", line) for line in lines if line)
    assert [line[:2] for line in lines].count("TY") == [line[:2] for line in lines].count("ER") == len(papers)
    assert all(len(reference(each).splitlines()) == 1 for each in papers)


def test_a_paper_given_twice_is_listed_once():
    assert bibtex([ATTENTION, ATTENTION]).count("@") == 1
    assert (bibtex([]), ris([]), citation_keys([])) == ("", "", {})
