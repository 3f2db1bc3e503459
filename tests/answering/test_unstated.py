"""What a question demands and its papers do not state: names, counts, measures; and what is stated after all."""

from __future__ import annotations

import hashlib

import pytest

from rag.answering.unstated import Unstated, unstated
from rag.corpus.duplicates import make_paper
from rag.library.lexical_index import LexicalIndex
from rag.text.names import find_asked_names
from rag.text.quantities import find_counted, find_measure, has_count, states

BREAD = (
    "We present Crumb-E, a benchmark of bread with 40 freshly baked rye loaves, three ovens and a single baker. The success"
    " rate of risen loaves is 81%. Large language models (LLMs) write the recipes, and a visit takes twelve minutes."
    " GPT-4 was asked to taste."
)
KITES = "Kites with long tails fly higher in wind. Tails of paper steady a kite that Zephyrus blows about."


def paper(text: str):
    from rag.corpus.duplicates import Place

    return make_paper(hashlib.sha256(text.encode()).hexdigest()[:16], text, [Place("papers.txt", "papers.txt", 1, "")])


@pytest.fixture(scope="module")
def lexical() -> LexicalIndex:
    return LexicalIndex.in_memory([paper(BREAD), paper(KITES)])


@pytest.fixture(scope="module")
def lacks(lexical):
    def ask(question: str, *texts: str) -> Unstated:
        def share(word: str) -> float:
            return min((lexical.frequency(term) for term in lexical.terms_of(word)), default=0) / lexical.size

        return unstated(question, [paper(text) for text in texts or (BREAD,)], terms=lexical.terms, share=share)

    return ask


@pytest.mark.parametrize(
    ("question", "written"),
    [
        ("What does Crumb-E measure?", ["Crumb-E"]),
        ("how good is gpt-4 at this", ["gpt-4"]),
        ("Bread rises. Does yeast matter in Wales?", ["Wales"]),
        ("Kites are steadied by what?", []),
        ("what is a sourdough", []),
        ("HOW DO I BAKE BREAD IN PARIS", []),
        ("Which Paper Is About Baking Bread With Salt", []),
        ("Is Zephyrus's wind in NSzED?", ["Zephyrus", "NSzED"]),
        ("How many of the 40 loaves rose in 1998?", []),
    ],
)
def test_names_are_words_written_as_names(question, written):
    assert list(find_asked_names(question)) == written


def test_a_name_that_no_paper_has_is_unknown_and_one_of_another_paper_absent(lacks):
    assert lacks("How does Crumb-E compare bread with Toaster-X?").unknown == ("Toaster-X",)
    assert lacks("What does Crumb-E say of Zephyrus?") == Unstated(absent=("Zephyrus",))
    assert lacks("What does Crumb-E say of Zephyrus?", BREAD, KITES) == Unstated()


@pytest.mark.parametrize(
    "question",
    ["What is CrumbE?", "What is crumb e about?", "What is Crumbe-E?", "Do LLMs write recipes?", "What does an LLM do?",
     "Is GPT-4 asked to taste Crumb-E?"],
)  # fmt: skip
def test_a_name_written_otherwise_or_misspelt_is_found(lacks, question):
    assert lacks(question).phrases == ()


def test_a_name_said_by_the_way_in_a_long_question_is_not_missed(lacks):
    question = (
        "My grandmother baked rye bread loaves every morning before school and sold warm loaves near our station in"
        " Utrecht; how does bread rise?"
    )
    assert lacks(question).unknown == ()


@pytest.mark.parametrize(
    ("question", "missing"),
    [
        ("How many loaves does the benchmark have?", ()),
        ("How many bakers took part?", ()),
        ("How many customers came to Crumb-E?", ("how many customers",)),
        ("How many oven hours did it take?", ("how many oven hours",)),
        ("What is the success rate?", ()),
        ("What overall success rate is reached?", ()),
        ("What is the customer success rate?", ("the customer success rate",)),
        ("What temperature are the ovens at?", ("the temperature",)),
        ("How long does a visit take?", ()),
        ("How much does it cost to bake a loaf?", ("what it costs",)),
        ("Which year was it in?", ("the year",)),
        ("Who funded the benchmark?", ("who made or paid for it",)),
        ("What percentage of loaves rises?", ()),
        ("Why does bread rise?", ()),
        ("Is it better than cake?", ()),
    ],
)
def test_quantities_that_no_sentence_states_are_missing(lacks, question, missing):
    assert lacks(question).details == missing


def test_the_number_must_count_what_is_asked(lexical):
    assert has_count("They baked 40 freshly made rye loaves.", "loaves", lexical.terms)
    assert has_count("In three kitchens loaves (1200) were baked.", "loaves", lexical.terms)
    assert not has_count("A loaf was baked in 1998 and eaten.", "eggs", lexical.terms)
    assert not has_count("Loaves were given to all who came on the 12 nights of the fair.", "loaves", lexical.terms)


@pytest.mark.parametrize(
    ("question", "things"),
    [
        ("How many real-world tasks is it grounded in?", "real-world tasks"),
        ("How many people took part?", "people took part"),
        ("how many times faster is it?", ""),
        ("How much better is it?", ""),
        ("number of layers vs width?", "layers"),
    ],
)
def test_what_is_counted_is_read_from_the_question(question, things):
    assert find_counted(question) == things


@pytest.mark.parametrize(
    ("question", "measure"),
    [
        ("What learning rate do they use?", "learning rate"),
        ("what's the inter-annotator agreement in it", "inter-annotator agreement"),
        ("By what factor does Crumb speed up baking?", ""),
        ("What is the final score?", "score"),
        ("What is bread?", ""),
    ],
)
def test_what_is_measured_is_read_from_the_question(question, measure):
    assert find_measure(question) == measure


def test_a_sentence_states_the_quantity_that_is_asked(lexical):
    assert states("What success rate is reached?", "The success rate of risen loaves is 81%.", lexical.terms)
    assert not states("What success rate is reached?", "The success rate is high.", lexical.terms)


def test_what_is_missing_reads_as_a_sentence():
    assert Unstated(unknown=("Foo", "Bar")).sentence(1) == "No abstract of the library mentions Foo or Bar."
    assert Unstated(details=("how many eggs", "the year")).sentence(1) == (
        "The abstract found does not state how many eggs or the year."
    )
    assert Unstated(("Foo",), ("Bar",), ("the year",)).sentence(2) == (
        "No abstract of the library mentions Foo, and the abstracts found do not mention Bar or state the year."
    )
