"""What the measuring scripts share and what is made from their results: times, memory, targets, the page and its plots."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from rag.library.library import Library
from rag.models.embedding import open_model
from tests.bench import cold, dense, measuring, performance
from tests.bench.exact import recall, scan_of
from tests.bench.measuring import Spent, Target, conclude, environment, in_turns, spent_by
from tests.bench.plots import bars, lines
from tests.conftest import ROOT
from tests.llm_server import ChatServer

SVG = "{http://www.w3.org/2000/svg}"
MACHINE = {
    "cpus": 2,
    "processor": "X",
    "load": 0.5,
    "python": "3.11.7",
    "commit": "abc1234",
    "versions": {"numpy": "2.4"},
}


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_the_page_of_performance_is_what_the_result_files_give():
    made = performance.pages(performance.read_results(performance.RESULTS))
    assert made
    for name, text in made.items():
        assert (ROOT / "docs" / name).read_text("utf-8") == text, f"docs/{name}: run `make performance`"
    assert {path.name for path in (ROOT / "docs").glob("performance*")} == set(made)


def test_a_part_without_a_result_file_is_left_out_of_the_page(tmp_path):
    (tmp_path / "dense.json").write_text(json.dumps(dense_result()), "utf-8")
    made = performance.pages(performance.read_results(tmp_path))
    assert list(made) == ["performance.md"]
    heads = [line for line in made["performance.md"].splitlines() if line.startswith("## ")]
    assert heads == ["## The nearest chunks beside an exact scan", "## Where the figures come from"]


def test_the_page_tells_figures_with_ratios_first_and_where_they_come_from():
    page = performance.pages({"dense": dense_result()})["performance.md"]
    assert "| 998 | 1.23 (1.10 to 1.40) | 0.991 | 4.1 | 3.3 | 3.2 |" in page
    assert "From [dense.json](../tests/bench/results/dense.json)." in page
    row = "| [dense.json](../tests/bench/results/dense.json) | abc1234 | 2 × X | 0.5 | Python 3.11.7, numpy 2.4 |"
    assert row in page.splitlines()


def test_the_page_says_of_every_target_whether_it_was_met():
    found = dense_result() | {
        "targets": [
            {"what": "recall@10", "value": 0.9912, "at_least": 0.98, "met": True},
            {"what": "ratio", "value": 1.6, "at_most": 1.5, "met": False},
        ]
    }
    rows = performance.pages({"dense": found})["performance.md"].splitlines()
    assert "| recall@10 | ≥ 0.98 | 0.9912 | yes | [dense.json](../tests/bench/results/dense.json) |" in rows
    assert "| ratio | ≤ 1.5 | 1.6 | **no** | [dense.json](../tests/bench/results/dense.json) |" in rows


def test_answers_that_differ_among_many_askers_are_told():
    way = {"answers_per_s": 9.0, "p50_ms": 100.0, "p95_ms": 200.0, "differing": 2}
    figures = {"times_one_thread": {"threads: 4": 1.5}, "threads: 4": way, "questions": 100, "turns": 5}
    page = performance.pages({"askers": {"figures": figures, "targets": [], "machine": MACHINE}})["performance.md"]
    assert "of 500 answers 2 differ" in page
    assert "| threads: 4 | 1.50 | 9.0 | 100 / 200 ms |" in page.splitlines()


def test_the_sizes_of_a_library_stand_side_by_side_in_table_and_plot():
    made = performance.pages({"scale": {"1000": scale_result(1_000, 10.0), "10000": scale_result(10_000, 40.0)}})
    rows = made["performance.md"].splitlines()
    assert "| papers | 1,000 | 10,000 |" in rows
    assert "| `retrieve`, filter: none | 5 / 10 / 20 | 20 / 40 / 80 |" in rows
    assert "| of these chroma | 3.0 | 3.0 |" in rows
    circles = ElementTree.fromstring(made["performance-scale.svg"]).findall(f"{SVG}circle")  # noqa: S314 (made here)
    assert len(circles) == 8
    near, far = circles[:2]
    assert float(near.get("cx", "")) < float(far.get("cx", ""))
    assert float(near.get("cy", "")) > float(far.get("cy", ""))


def test_what_is_written_of_a_grown_library_is_told_by_the_paper():
    found = scale_result(1_000, 10.0)["figures"]
    figures = {"papers": 1_000, "write_seconds_by_step": [0.2] * 9 + [0.4], "derive_seconds": 3.0, "disk_mb": {"all": 60.0},
               "peak_mb": {"written": 900.0, "derived": 950.0}, "retrieval": found["retrieval"],
               "candidates": found["candidates"]}  # fmt: skip
    page = performance.pages({"grown": {"figures": figures, "targets": [], "machine": MACHINE}})["performance.md"]
    assert "| ms a paper, the first and the last tenth | 2.0 / 4.0 |" in page.splitlines()
    assert "| writing, seconds | 2 |" in page.splitlines()


def test_bars_are_as_long_as_their_values_say_and_names_cannot_break_the_plot():
    drawn = ElementTree.fromstring(bars("A <b> & c", "s", {"one": {"a<": 1.0, "b": 4.0}}))  # noqa: S314 (made here)
    a, b = [float(bar.get("width", "")) for bar in drawn.findall(f"{SVG}rect")][:2]
    assert b == pytest.approx(4 * a, rel=0.01)
    assert "A <b> & c, s" in [text.text for text in drawn.findall(f"{SVG}text")]


def test_a_plot_of_one_point_has_a_frame_all_the_same():
    drawn = ElementTree.fromstring(lines("One", "x", "y", {"only": [(1_000, 10.0)]}))  # noqa: S314 (made here)
    assert len(drawn.findall(f"{SVG}circle")) == 1


def test_a_process_is_charged_with_its_own_memory_and_not_with_that_of_the_one_that_starts_it(tmp_path):
    held = np.ones(50_000_000)  # 400 MB
    small = spent_by(python("print('here')"), env=environment(), folder=tmp_path)
    great = spent_by(python("bytearray(b'x') * 150_000_000"), env=environment(), folder=tmp_path)
    assert held.sum()
    assert small.printed == "here\n"
    assert small.peak_mb < 60
    assert 150 < great.peak_mb < 250


def test_a_process_is_timed_from_its_start_to_its_end(tmp_path):
    assert 0.3 < spent_by(python("import time; time.sleep(0.3)"), env=environment(), folder=tmp_path).seconds < 3


def test_a_process_that_fails_is_no_measurement(tmp_path):
    with pytest.raises(RuntimeError, match="no such thing"):
        spent_by(python("raise SystemExit('no such thing')"), env=environment(), folder=tmp_path)


def test_contenders_take_turns_and_none_is_always_first():
    order: list[str] = []
    found = in_turns({name: lambda name=name: order.append(name) for name in "ab"}, 3)  # type: ignore[misc]
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert {name: len(values) for name, values in found.items()} == {"a": 3, "b": 3}


@pytest.mark.parametrize(
    ("target", "met"),
    [
        (Target("time", 1.0, 1.0), True),
        (Target("time", 1.01, 1.0), False),
        (Target("times faster", 3.5, 3.5, at_least=True), True),
        (Target("times faster", 3.4, 3.5, at_least=True), False),
    ],
)
def test_a_missed_target_ends_a_script_with_1_after_its_results_are_saved(target, met, tmp_path, capsys):
    if met:
        conclude({"figure": 1}, [target], tmp_path / "saved.json")
    else:
        with pytest.raises(SystemExit) as ended:
            conclude({"figure": 1}, [target], tmp_path / "saved.json")
        assert ended.value.code == 1
    saved = json.loads((tmp_path / "saved.json").read_text("utf-8"))
    assert saved["figures"] == {"figure": 1}
    assert saved["targets"][0]["met"] is met
    assert saved["machine"]["versions"]["numpy"] == np.__version__
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == ("targets missed: none" if met else f"targets missed: {target}")


def test_the_result_of_one_size_leaves_those_of_others_in_the_file(tmp_path, capsys):
    for size, figure in ((10_000, 1), (1_000, 2), (10_000, 3)):
        conclude({"figure": figure}, [], tmp_path / "saved.json", size=size)
    saved = json.loads((tmp_path / "saved.json").read_text("utf-8"))
    assert [(size, run["figures"]) for size, run in saved.items()] == [
        ("1000", {"figure": 2}),
        ("10000", {"figure": 3}),
    ]


@pytest.fixture
def papers(tmp_path, monkeypatch) -> Iterator[measuring.RealPapers]:
    import lzma

    folder = tmp_path / "data" / "papers"
    folder.mkdir(parents=True)
    with lzma.open(folder / "papers.jsonl.xz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps({"title": f"Paper {n}", "abstract": "It is so."}) + "\n" for n in range(1_400))
    monkeypatch.setenv("FOOTNOTE_TEST_DATA", str(tmp_path))
    measuring.real_papers.cache_clear()
    yield measuring.real_papers()
    measuring.real_papers.cache_clear()


def test_questions_come_from_papers_that_no_library_holds(papers):
    asked = papers.questions(200)
    assert len(set(asked)) == 200
    assert not set(asked) & {row["title"] for row in papers.spread(len(papers.rows))}


def test_papers_are_spread_evenly_over_the_collection(papers):
    numbers = [int(row["title"].removeprefix("Paper ")) for row in papers.spread(10)]
    assert numbers == sorted(set(numbers))
    assert numbers[0] < 140
    assert numbers[-1] > 1_200
    with pytest.raises(ValueError, match="1,001 papers"):
        papers.spread(1_001)


def test_recall_counts_what_is_as_near_as_the_last_of_the_exact_ones():
    exact = [("a", 0.9), ("b", 0.8), ("c", 0.7), ("d", 0.7)]
    assert recall([("a", 0.9), ("b", 0.8), ("d", 0.7)], exact, k=3) == 1
    assert recall([("a", 0.9), ("e", 0.6), ("f", 0.5)], exact, k=3) == pytest.approx(1 / 3)
    assert recall([], []) == 1


def test_the_exact_scan_gives_what_a_search_of_all_vectors_one_by_one_gives(seed_settings):
    model = open_model(seed_settings)
    library = Library.open(seed_settings)
    assert library is not None
    scan = scan_of(library, model)
    assert len(scan.vectors) == sum(len(record.chunks) for record in library.reader.read_all_embedded())
    vector = model.embed(["How many tasks does TimeArena have?"])[0]
    by_paper = sorted(
        (
            (float((record.chunk_vectors @ vector).max()), record.paper.id)
            for record in library.reader.read_all_embedded()
        ),
        reverse=True,
    )
    found = scan.find_nearest(vector, 150)
    assert found[0][0] == by_paper[0][1]
    assert found[0][1] == pytest.approx(by_paper[0][0], abs=0.02)  # a record keeps its vectors in a byte a dimension
    assert len({paper for paper, _ in found}) == len(found)
    assert recall(library.dense.find_nearest(vector, 150), found) >= 0.9
    library.close()


def test_a_part_of_a_library_has_as_many_vectors_as_asked_for_and_finds_them(seed_settings, tmp_path):
    model = open_model(seed_settings)
    whole = Library.open(seed_settings)
    assert whole is not None
    part = dense.part_of(whole, model, 100, tmp_path)
    assert 98 <= sum(len(record.chunks) for record in part.reader.read_all_embedded()) <= 100
    found = dense.compared(part, model, ["How many tasks does TimeArena have?", "What is grokking?"], 1)
    assert found["recall@10"] >= 0.9
    assert found["nearest_ms"] >= found["embedding_ms"] * 0.5 > 0
    part.close()
    with pytest.raises(SystemExit, match="fewer than 100000"):
        dense.part_of(whole, model, 100_000, tmp_path / "more")
    whole.close()


def test_cold_answers_are_compared_by_their_medians_and_told_with_the_extremes_of_single_turns():
    ours = [Spent(seconds, 200.0, "") for seconds in (1.0, 2.0, 4.0)]
    plain = [Spent(seconds, 800.0, "") for seconds in (4.0, 8.0, 8.0)]
    found = cold.compared(ours, plain)
    assert (found["times_faster"], found["times_faster_by_turn"], found["memory_ratio"]) == (4.0, [2.0, 4.0], 0.25)


@pytest.mark.slow
def test_the_plain_stack_answers_from_what_it_was_built_of(tmp_path):
    pytest.importorskip("langchain_text_splitters", reason="the plain stack is built with the extra `bench`")
    peer = ROOT / "tests" / "bench" / "peers" / "plain_stack.py"
    rows = [{"text": "TimeArena has 30 tasks.", "source": "a"}, {"text": "Bread is made of flour.", "source": "b"}]
    (tmp_path / "abstracts.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")

    def run(*arguments: Any) -> str:
        return spent_by([sys.executable, peer, *map(str, arguments)], env=environment(), folder=tmp_path).printed

    assert run("build", tmp_path / "plain", tmp_path / "abstracts.jsonl") == "2 abstracts, 2 chunks\n"
    prompt = run("ask", tmp_path / "plain", "How many tasks does TimeArena have?")
    assert "Context: TimeArena has 30 tasks." in prompt
    with ChatServer("Thirty.") as chat:
        said = run("ask", tmp_path / "plain", "How many tasks does TimeArena have?", "--llm", chat.base_url)
        assert said == "Thirty.\n"
        assert "TimeArena has 30 tasks." in chat.requests[0].prompt


@pytest.mark.parametrize(
    "name", ["cold", "embedding", "dense", "scale", "grown", "askers", "kills", "quality", "speed"]
)
def test_every_script_starts_and_says_what_it_measures(name):
    done = subprocess.run(
        [sys.executable, "-m", f"tests.bench.{name}", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "--save" in done.stdout


def dense_result() -> dict[str, Any]:
    found = {"ratio": 1.234, "ratio_by_turn": [1.1, 1.4], "recall@10": 0.9912, "nearest_ms": 4.1, "exact_ms": 3.3,
             "embedding_ms": 3.2, "vectors": 998}  # fmt: skip
    return {"figures": {"1000": found}, "targets": [], "machine": MACHINE}


def scale_result(papers: int, p95_ms: float) -> dict[str, Any]:
    spent = {"p50_ms": p95_ms / 2, "p95_ms": p95_ms, "p99_ms": 2 * p95_ms, "strays": 0, "admitted": papers}
    stage = {"none": spent, "one venue": spent}
    return {
        "figures": {
            "papers": papers,
            "ingest": {
                "given": papers,
                "precision": "int8",
                "papers_per_s": 9.5,
                "texts_per_s": 90.0,
                "seconds": 100.0,
                "peak_mb": 900.0,
            },
            "disk_mb": {"chroma": 3.0, "all": 3.0},
            "retrieval": {"without_late": stage, "with_late": stage},
            "candidates": {**spent, "recall@10": 0.99, "vectors": 2 * papers},
            "cold_answer": {"seconds": 2.0, "peak_mb": 200.0},
            "one_more_paper": {"one_more_line_s": 3.0, "file_of_its_own_s": 2.0},
        },
        "targets": [],
        "machine": MACHINE,
    }
