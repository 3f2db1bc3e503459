"""No text holds the interpreter: every pattern of the package takes time in proportion to what it reads.

The patterns are found by walking the modules. Each is pumped with repeated pieces of its own alphabet, by the methods
that the code calls it with; a signal ends what takes too long, for `re` looks for signals while it matches.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import itertools
import pkgutil
import random
import re
import signal
import time
from collections import defaultdict
from collections.abc import Iterator
from re import _constants as codes  # type: ignore[attr-defined]  # what a pattern is made of
from re import _parser as parser  # type: ignore[attr-defined]
from types import ModuleType

import pytest

import rag
import ui
from rag.corpus.clean import clean_text
from rag.corpus.details import read_details
from rag.llm.thinking import after_thoughts
from rag.markers.reader import MarkerReader
from rag.markers.stream_patterns import LazyPattern
from rag.text.prompt_injection import instructions
from rag.text.quantities import _NUMBER_WORD
from rag.text.sentences import find_sentences
from rag.text.word_lists import read_patterns
from rag.text.words import compile_start, compile_words
from ui.html.answer_text import draw_answer_text

FEW, MANY, WHOLE = 2_000, 8_000, 200_000  # characters
PATTERN_S, READER_S = 0.2, 0.5  # CPU; the bars of the issue
SUSPECT_S = 0.004  # what a linear pattern takes for FEW characters at the most
_CALLED = ("search", "match", "fullmatch", "finditer", "split", "sub")
# What goes through a text to its end stands for what ends at the first place, or does the same.
_PUMPED = {"search": "sub", "finditer": "sub", "split": "sub", "sub": "sub", "match": "match", "fullmatch": "fullmatch"}
_CLASSES = {codes.CATEGORY_DIGIT: "1", codes.CATEGORY_SPACE: " ", codes.CATEGORY_WORD: "a"}


class Late(Exception):
    """The time is over."""


def modules() -> Iterator[ModuleType]:
    for package in (rag, ui):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            yield importlib.import_module(found.name)


def called(module: ModuleType) -> dict[str, set[str]]:
    """The methods that a module calls its patterns with, by the pattern's name."""
    methods: dict[str, set[str]] = defaultdict(set)
    with open(str(module.__file__), encoding="utf-8") as source:
        for node in ast.walk(ast.parse(source.read())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                methods[node.value.id].add(node.attr.replace("findall", "finditer"))
    return methods


def make_cached(value: object) -> object:
    """What a function returns that makes something once, of the package's own lists."""
    made_once = hasattr(value, "cache_parameters") and not inspect.signature(value).parameters  # type: ignore[arg-type]
    returns = str(getattr(value, "__annotations__", {}).get("return"))
    return value() if made_once and "Pattern" in returns else value  # type: ignore[operator]


def patterns() -> list[tuple[str, re.Pattern[str], tuple[str, ...]]]:
    """Every pattern with its place, and the methods it is called with; all of them where the code does not say."""
    found: dict[tuple[str, int], tuple[str, re.Pattern[str], set[str]]] = {}
    for module in modules():
        methods = called(module)
        for name, value in vars(module).items():
            for each in values(make_cached(value)):
                at = f"{module.__name__}.{name}"
                known = found.setdefault((each.pattern, each.flags), (at, each, set()))
                known[2].update(methods[name] & set(_CALLED))
    return [(at, each, tuple(sorted({_PUMPED[method] for method in by or _CALLED}))) for at, each, by in found.values()]


def values(value: object) -> Iterator[re.Pattern[str]]:
    if isinstance(value, LazyPattern):
        yield re.compile(value.pattern, value.flags)
    elif isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, dict):
        yield from itertools.chain.from_iterable(map(values, value.values()))
    elif isinstance(value, tuple | list) and not isinstance(value, str):
        yield from itertools.chain.from_iterable(map(values, value))


def alphabet(pattern: re.Pattern[str]) -> list[str]:
    """The characters and words that a pattern names, and one for each class of characters."""
    found: list[str] = []
    word = ""

    def end() -> None:
        nonlocal word
        found.extend({word, word[:1]} - {""})
        word = ""

    def walk(tree: object) -> None:  # noqa: PLR0912  a branch for each kind of node
        nonlocal word
        for op, given in tree:  # type: ignore[attr-defined]
            if op is codes.LITERAL:
                word += chr(given)
                continue
            end()
            if op is codes.NOT_LITERAL:
                found.append(chr(given))
            elif op is codes.IN:
                for kind, what in given:
                    if kind is codes.LITERAL:
                        found.append(chr(what))
                    elif kind is codes.RANGE:
                        found.append(chr(what[0]))
                    elif kind is codes.CATEGORY:
                        found.append(_CLASSES.get(what, "-"))
            elif op in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
                walk(given[2])
            elif op is codes.SUBPATTERN:
                walk(given[3])
            elif op is codes.BRANCH:
                for branch in given[1]:
                    walk(branch)
                    end()
            elif op in (codes.ASSERT, codes.ASSERT_NOT):
                walk(given[1])
            elif op is codes.ATOMIC_GROUP:
                walk(given)
        end()

    walk(parser.parse(pattern.pattern, pattern.flags))
    return list(dict.fromkeys(found))


def pieces(pattern: re.Pattern[str]) -> list[str]:
    dice = random.Random(pattern.pattern)  # noqa: S311  a seed, so that a failure can be repeated
    letters = alphabet(pattern)
    some = [*dict.fromkeys([*"a1 A\n", *dice.sample(letters, min(12, len(letters)))])]
    pairs = [a + b for a, b in itertools.permutations(some, 2)]
    return [*some, *dice.sample(pairs, min(60, len(pairs)))]


@pytest.fixture
def within() -> Iterator[object]:
    def late(*_: object) -> None:
        raise Late

    before = signal.signal(signal.SIGVTALRM, late)
    yield seconds
    signal.signal(signal.SIGVTALRM, before)


def seconds(work: object, most: float) -> float:
    """CPU seconds that a piece of work takes, at the most twice what it may."""
    began = time.thread_time()
    signal.setitimer(signal.ITIMER_VIRTUAL, 2 * most)
    try:
        work()  # type: ignore[operator]
    except Late:
        return 2 * most
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return time.thread_time() - began


def run(pattern: re.Pattern[str], method: str, text: str) -> None:
    if method == "sub":
        pattern.sub("", text)
    else:
        getattr(pattern, method)(text)


def test_a_pattern_that_is_not_linear_is_found(within: object) -> None:
    cubic = re.compile(r"\s*(?:;|,?\s+and\s)\s*")
    assert " " in pieces(cubic)
    assert seconds(lambda: run(cubic, "split", " " * MANY), PATTERN_S) > PATTERN_S


def test_patterns_are_made_once_or_of_escaped_words() -> None:
    """At the top of a module, by a function that is cached or belongs to one, or by the two that escape what they get."""
    elsewhere = []
    for module in modules():
        with open(str(module.__file__), encoding="utf-8") as source:
            tree = ast.parse(source.read())
        for function in ast.walk(tree):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or is_made_once(function):
                continue
            uses = [
                node for node in ast.walk(function)
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "re"
                and node.attr in ("compile", "template", *_CALLED, "findall", "subn")
            ]  # fmt: skip
            elsewhere += [f"{module.__name__}:{node.lineno}" for node in uses]
    assert elsewhere == []


def is_made_once(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> bool:
    if isinstance(function, ast.Lambda):
        return False
    by = {ast.unparse(each) for each in function.decorator_list}
    return bool(by & {"cache", "cached_property"}) or function.name in ("compile_words", "compile_start")


def test_what_is_made_of_words_takes_them_as_they_are(within: object) -> None:
    words = ("C++", "(a+)+$", "[1")
    assert compile_words(words).findall("C++ (a+)+$ [1 aaa aC++") == list(words)
    assert compile_start(*words).search("C++, (a+)+$ [1")
    for pattern in (compile_words(words), compile_start(*words)):
        for piece in (*words, "a", "+", " ", "_", "C++ "):
            assert seconds(lambda: run(pattern, "sub", (piece * MANY)[:MANY]), PATTERN_S) < PATTERN_S  # noqa: B023


@pytest.mark.slow
def test_no_pattern_takes_long_for_any_repeated_piece_of_its_own_alphabet(within: object) -> None:
    quantities = read_patterns("quantities", number=_NUMBER_WORD)
    every = [
        *patterns(),
        *((f"cues: {name}", each, ("sub",)) for name, each in read_patterns("cues").items()),
        *((f"quantities: {name}", each, ("sub",)) for name, each in quantities.items()),
    ]
    places = {at for at, _, _ in every}
    assert places >= {"rag.text.prompt_injection._explicit", "rag.text.sentence_roles._cues"}
    assert len(every) > 250
    slow = []
    for at, pattern, methods in every:
        for piece in pieces(pattern):
            for method in methods:
                few, many = ((piece * size)[:size] + "\0" for size in (FEW, MANY))
                if seconds(lambda: run(pattern, method, few), PATTERN_S) > SUSPECT_S:  # noqa: B023
                    took = min(seconds(lambda: run(pattern, method, many), PATTERN_S) for _ in range(2))  # noqa: B023
                    if took > PATTERN_S:
                        slow.append(f"{at}.{method}, {piece!r}: {took:.2f} s for {MANY} characters")
    assert slow == []


def read_markers(text: str) -> None:
    reader = MarkerReader(5)
    reader.feed(text)
    reader.finish()


PIECES = ["#", "# ", " ", "\t", "\n", "**a ", "{\\em ", "{\\em", "\\a{", "[1", "[1]", "a ", "A", "1 ", "1,", ".", ". ", "(", '"',
          "$", "\\", "$a", "<", "&", "-", "@", "http://", "|", "`", "*", "_", "~", "=", "é", "\u0301", "中", "a and ", "; "]  # fmt: skip
TEXTS = {piece: (piece * WHOLE)[:WHOLE] for piece in PIECES} | {
    "&amp;amp;": "&" + "amp;" * (WHOLE // 4),
    "nested": "\\a{" * (WHOLE // 4) + "}" * (WHOLE // 4),
}
READERS = {
    "clean_text": clean_text, "find_sentences": find_sentences, "instructions": instructions, "read_markers": read_markers,
    "after_thoughts": after_thoughts, "draw_answer_text": lambda text: draw_answer_text(text, {}, 0),
    "read_details": lambda text: read_details(dict.fromkeys(("authors", "year", "venue", "url", "doi"), text)),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("reader", READERS)
def test_no_reader_takes_long_for_the_longest_text_that_it_is_given(within: object, reader: str) -> None:
    """Or time in proportion to it: a text that is nothing but ends of sentences or brackets takes 0.7 to 2 s."""
    slow = {}
    for piece, text in TEXTS.items():
        if seconds(lambda: READERS[reader](text), READER_S) > READER_S:  # noqa: B023
            part, more = (
                min(seconds(lambda: READERS[reader](text[:size]), 10) for _ in range(3))  # noqa: B023
                for size in (10_000, 40_000)
            )
            if more > 8 * part:
                slow[piece] = round(more, 2)
    assert slow == {}
