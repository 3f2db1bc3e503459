"""`footnote eval`: question files, BEIR folders, results and comparisons, as a user runs them."""

from __future__ import annotations

import gzip
import json
import lzma
import os
import random
from pathlib import Path
from typing import Any

import pytest
from pydantic import AnyHttpUrl

from rag import Answer, Assistant, Citation, EvaluationError, Outcome, Paper, Passage, Settings
from rag.evaluation import baselines, beir, questions, results
from rag.evaluation.difference import compare_results
from rag.evaluation.questions import Question
from rag.evaluation.results import Row
from rag.evaluation.runner import own_library, run_beir, run_questions
from rag.retrieval.signals import WEIGHTS, fuse_signals
from rag.share.provenance import describe_origin
from tests.command import inside
from tests.conftest import ROOT
from tests.llm_server import ChatServer


def jsonl(path: Path, rows: list[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def bench() -> dict[str, dict[str, Any]]:
    """Two questions of each type of the benchmark, by id."""
    rows = [json.loads(line) for line in (ROOT / "tests/bench/questions.jsonl").read_text("utf-8").splitlines()]
    kinds = dict.fromkeys(row["type"] for row in rows)
    return {row["id"]: row for kind in kinds for row in [each for each in rows if each["type"] == kind][:2]}


def paper(key: str, *places: tuple[str, int], abstract: str = "It is so. It was so.") -> Paper:
    (source, line), *others = places
    return Paper(key, "", "It", abstract, source, line, also_in=tuple(others))


def passage(found: Paper, **signals: float) -> Passage:
    return Passage(found, 1.0, 0, len(found.abstract), signals)


def answered(*cited: Paper, text: str = "", outcome: Outcome = Outcome.ANSWERED) -> Answer:
    citations = tuple(Citation(number, each, each.abstract[:9], 0, 9) for number, each in enumerate(cited, start=1))
    return Answer("?", "?", text, outcome, citations=citations)


FIRST, SECOND, THIRD, FOURTH = (
    paper("1", ("a.txt", 1), ("b.txt", 7)), paper("2", ("a.txt", 2)), paper("3", ("a.txt", 3)), paper("4", ("a.txt", 4))
)  # fmt: skip
RANKING = [passage(each) for each in (SECOND, FIRST, THIRD)]


def asking(**fields: Any) -> Question:
    return Question.model_validate({"id": "q", "type": "fact", "question": "?", **fields})


class TestScore:
    """One answer by the rules."""

    def test_any_gold_paper_will_do_and_a_duplicates_place_is_the_paper(self):
        question = asking(gold=["b.txt:7"], facts=[["THIRTY", "30"], ["cooking"]])
        right = answered(FIRST, SECOND, text="It is 30 [1]. They are Cooking [2].")
        score = questions.score_answer(question, right, RANKING)
        assert score.rank == 2
        assert score.figures == {
            "hit@1": 0, "hit@5": 1, "mrr": 0.5, "citation_precision": 0.5, "citation_recall": 1, "facts": 1,
            "sentences": 2, "correct": 1, "false_refusal": 0, "partial": 0,
        }  # fmt: skip

    def test_all_gold_papers_count_once_each_and_those_not_found_count(self):
        question = asking(gold=["a.txt:1", "b.txt:7", "a.txt:3", "x.txt:9"], gold_mode="all")
        figures = questions.score_answer(question, answered(FIRST), RANKING).figures
        assert figures["citation_recall"] == pytest.approx(1 / 3)
        assert figures["recall@5"] == figures["recall@100"] == pytest.approx(2 / 3)
        assert figures["ndcg@10"] == pytest.approx((0.6309 + 0.5) / (1 + 0.6309 + 0.5), abs=1e-4)
        assert "hit@1" not in figures
        assert "facts" not in figures, "none were asked for"

    def test_an_answer_that_says_everything_has_no_fact_and_one_that_cites_nothing_no_precision(self):
        question = asking(gold=["a.txt:1"], facts=[["30"]])
        figures = questions.score_answer(question, answered(FIRST, text="It is 30. " * 7), RANKING).figures
        assert (figures["sentences"], figures["facts"], figures["correct"]) == (7, 0, 0)
        figures = questions.score_answer(question, answered(text="It is 30."), RANKING).figures
        assert (figures["citation_precision"], figures["citation_recall"], figures["facts"]) == (0, 0, 1)
        assert figures["correct"] == 0
        assert questions.score_answer(question, answered(FIRST), [passage(SECOND)]).rank is None

    @pytest.mark.parametrize("outcome", Outcome)
    def test_refusing_is_right_off_topic_and_wrong_elsewhere(self, outcome):
        def figures(**fields: Any) -> Any:
            return questions.score_answer(asking(**fields), answered(text="30", outcome=outcome), RANKING).figures

        assert figures(type="offtopic") == {"refused": outcome == "not_in_corpus"}
        assert figures(type="unanswerable") == {"not_answered": outcome != "answered"}
        known = figures(gold=["a.txt:1"])
        assert known["false_refusal"] == (outcome == "not_in_corpus")
        assert known["partial"] == (outcome == "partial")


def test_other_weights_rank_anew_and_ties_do_not_keep_the_given_order():
    three = [passage(THIRD, a=1, b=0), passage(SECOND, a=0, b=2), passage(FIRST, a=0, b=0)]
    assert [each.paper.id for each in baselines.rerank(three, {"a": 1})] == ["3", "1", "2"]
    assert [each.paper.id for each in baselines.rerank(three, {"a": 1, "b": 1})] == ["2", "3", "1"]
    known = baselines.list_ablations({"a": 1.0, "b": 0.5})
    assert known["without a"] == {"b": 0.5}
    assert known["b alone"] == {"b": 1.0}
    assert known["b x 2"] == {"a": 1.0, "b": 1.0}


def test_the_signals_that_are_weighed_and_compared_with_are_those_of_a_passage(seed_settings):
    found = Assistant.open(seed_settings).search("How do agents use web pages?", k=30)
    for each in found:
        assert set(each.signals) >= {*WEIGHTS, *(name for weights in baselines.BASELINES.values() for name in weights)}
        assert fuse_signals(each.signals) == pytest.approx(each.score)
    assert [each.paper.id for each in baselines.rerank(found, WEIGHTS)] == [each.paper.id for each in found]


def test_a_question_file_is_measured_saved_and_shown(seed_settings, bench, tmp_path, monkeypatch):
    monkeypatch.setenv("RAG_HOME", str(seed_settings.home))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-never-written")
    asked, saved = jsonl(tmp_path / "asked.jsonl", list(bench.values())), tmp_path / "result.json"
    said = inside("eval", str(asked), "--save", str(saved), "--ablation")
    assert said.code == 0, said.err
    written = saved.read_text("utf-8")
    assert "sk-never-written" not in written
    assert str(seed_settings.home) not in written
    assert str(tmp_path) not in written
    result = results.load_result(saved)
    assert (result.corpus.count, result.questions.count, result.questions.name) == (308, len(bench), "asked.jsonl")
    assert [row.id for row in result.rows] == list(bench)
    assert result.settings["evidence_gate"] == seed_settings.evidence_gate
    assert result.settings["weights"] == dict(WEIGHTS)

    of = {row.id: row for row in result.rows}
    assistant = Assistant.open(seed_settings)
    for key, row in bench.items():
        answer = assistant.answer(row["question"], history=row["history"])
        assert of[key].outcome == answer.outcome
        if row["gold_mode"] == "any" and row["gold"]:
            places = [{f"{s}:{n}" for s, n in each.paper.places} for each in answer.passages]
            assert of[key].rank == next(n for n, at in enumerate(places, 1) if at & set(row["gold"]))
            assert of[key].figures["mrr"] == pytest.approx(1 / of[key].rank, abs=1e-4)
    mrr = [row.figures["mrr"] for row in result.rows if "mrr" in row.figures]
    whole = result.summary["all"]["mrr"]
    assert (whole.value, whole.n) == (pytest.approx(sum(mrr) / len(mrr), abs=1e-3), len(mrr))
    assert whole.low <= whole.value <= whole.high
    assert set(result.summary) == {"all", *(row["type"] for row in bench.values())}
    assert result.summary["offtopic"].keys() == {"refused", "latency_p50_ms", "latency_p95_ms"}
    assert set(result.baselines) == {"plain cosine", "plain BM25"}
    for baseline in result.baselines.values():
        assert baseline["refused"].after == baseline["false_refusal"].after == 0
        assert baseline["sentences"].after <= 3
        assert baseline["mrr"].before == pytest.approx(whole.value, abs=1e-3)
    assert set(result.ablation) == set(baselines.list_ablations())
    assert "bm25 alone" not in result.ablation, "plain BM25 is that"
    doubled = result.ablation["chunk x 2"]["mrr"]
    assert (doubled.before, doubled.n) == (baseline["mrr"].before, len(mrr))
    for word in ("Finding the paper", "The answer", "Refusing", "plain BM25", "without bm25", "semantic"):
        assert word in said.out


def test_with_a_language_model_each_question_is_asked_once_and_no_key_is_written(seed_settings, bench, tmp_path):
    asked = [row for row in bench.values() if row["type"] in ("fact", "followup")]
    path, key = jsonl(tmp_path / "asked.jsonl", asked), "sk-never-written"
    with ChatServer("TimeArena has 30 real-world tasks [1].") as chat:
        chosen = {"llm_model": "tiny", "openai_api_key": key, "openai_base_url": chat.base_url}
        settings = Settings(_env_file=None, home=seed_settings.home, llm_expand_below=0, **chosen)
        result = run_questions(settings, path)
        follow_ups = sum(bool(row["history"]) for row in asked)
        assert len(chat.requests) == len(asked) + follow_ups, "a follow-up is spelled out first, once"
    assert result.settings["llm_model"] == "tiny"
    assert key not in results.write_json(result)
    with_query = settings.model_copy(update={"openai_base_url": AnyHttpUrl(f"http://localhost/v1?api-key={key}")})
    assert describe_origin(with_query)["settings"]["openai_base_url"] == "http://localhost/v1"
    assert next(row for row in result.rows if row.id == "A001").figures["citation_precision"] == 1


def test_a_file_about_another_library_is_refused_and_missing_places_are_told(
    seed_settings, bench, tmp_path, monkeypatch
):
    monkeypatch.setenv("RAG_HOME", str(seed_settings.home))
    row = {"id": "x", "type": "fact", "question": "How many tasks has TimeArena?", "gold": ["mine.txt:1"]}
    said = inside("eval", str(jsonl(tmp_path / "q.jsonl", [row])))
    assert said.code == 2
    assert "none of its places, e.g. mine.txt:1, is in the library" in said.err
    said = inside("eval", str(jsonl(tmp_path / "q.jsonl", [row, bench["A001"]])), "--json")
    assert said.code == 0
    assert json.loads(said.out)["notes"] == [
        "1 places, e.g. mine.txt:1, are not in the library; they count as not found."
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "it is empty"),
        ("\n\n", "there is no question in it"),
        ('{"id": "a"', "q.jsonl:1: Invalid JSON"),
        ('\n{"id": "a", "type": "fact", "question": "?"}', 'q.jsonl:2: a question of type "fact" needs "gold"'),
        ('{"id": "a", "type": "offtopic"}', "q.jsonl:1: question: Field required"),
        ('{"id": "a", "type": "fact", "question": "?", "gold": ["here"]}', "q.jsonl:1: gold.0:"),
        ('{"id": "a", "type": "offtopic", "question": "?"}\n' * 2, "q.jsonl:2: the id 'a' is taken"),
        ("[" * 50_000, "q.jsonl:1:"),
        ('{"id": "a", "type": "offtopic", "question": "  "}', "q.jsonl:1: question:"),
        (json.dumps({"id": "a", "type": "offtopic", "question": "x" * 8_001}), "q.jsonl:1: question:"),
        ('{"id": "a", "type": "all", "question": "?"}', '"all" stands for every type'),
        ('{"id": "a", "type": "fact", "question": "?", "gold": ["a.txt:1"], "facts": [[]]}', "q.jsonl:1: facts.0:"),
        (
            '{"id": "a", "type": "offtopic", "question": "?", "history": [{"role": "x", "content": ""}]}',
            "history.0.role",
        ),
    ],
)
def test_a_damaged_question_file_ends_with_its_line_and_code_2(tmp_path, content, message):
    (tmp_path / "q.jsonl").write_text(content)
    said = inside("eval", str(tmp_path / "q.jsonl"))
    assert said.code == 2
    assert message in said.err
    assert len(said.err) < 600


@pytest.fixture
def folder(tmp_path, abstracts) -> Path:
    """Forty documents; one has no abstract, one is another's double; test judgements and train judgements."""
    rows = [{"_id": f"d{n}", "title": f"Paper {n}", "text": text} for n, text in enumerate(abstracts)]
    rows += [{"_id": "empty", "title": "Nothing", "text": ""}, {"_id": "double", "title": "", "text": abstracts[3]}]
    home = tmp_path / "tiny"
    jsonl(home / "corpus.jsonl", rows)
    asked = [{"_id": f"q{n}", "text": " ".join(abstracts[n].split()[:12])} for n in range(8)]
    jsonl(home / "queries.jsonl", [*asked, {"_id": "unjudged", "text": "What?"}])
    judged = [("q0", "d0", 2), ("q0", "d9", 1), ("q1", "d1", 1), ("q1", "empty", 1), ("q2", "d2", 0), ("q3", "double", 1),
              ("q3", "d3", 1), ("q4", "d39", 1), ("q5", "d5", -1)]  # fmt: skip
    (home / "qrels").mkdir()
    text = "query-id\tcorpus-id\tscore\n" + "".join(f"{q}\t{d}\t{score}\n" for q, d, score in judged)
    (home / "qrels" / "test.tsv").write_text(text)
    (home / "qrels_train.tsv").write_text("q7\td7\t1\n")
    return home


def test_a_beir_folder_gets_a_library_of_its_own_and_nothing_is_embedded_twice(folder, settings, tmp_path, monkeypatch):
    monkeypatch.setenv("RAG_HOME", str(settings.home))
    saved = tmp_path / "result.json"
    said = inside("eval", str(folder), "--save", str(saved))
    assert said.code == 0, said.err
    assert "recall@100" in said.out
    first = results.load_result(saved)
    assert (first.corpus.count, first.split) == (40, "test")
    assert "1 relevant documents are not in the library" in first.notes[1]
    of = {row.id: row for row in first.rows}
    assert list(of) == ["q0", "q1", "q3", "q4"], "the others have no relevant document"
    assert of["q0"].figures["hit@1"] == 1
    assert of["q0"].figures["recall@100"] == 1
    assert of["q1"].rank == 1
    assert of["q1"].figures["recall@100"] == 0.5, "a document without an abstract is relevant and not found"
    assert of["q3"].figures["ndcg@10"] == 1, "the double and its original are one paper"
    assert of["q4"].figures["hit@1"] == 0
    assert first.baselines["plain BM25"]["ndcg@10"].n == 4

    again = json.loads(inside("eval", str(folder), "--json").out)
    assert again["notes"][0].startswith("0 texts embedded")
    moved = folder.rename(tmp_path / "moved")
    (packed := moved / "corpus.jsonl.copy").write_bytes((moved / "corpus.jsonl").read_bytes())
    packed.unlink()
    result = run_beir(settings, moved)
    assert result.notes[0].startswith("0 texts embedded"), "the same bytes from another place"
    assert result.summary["all"]["ndcg@10"].value == pytest.approx(first.summary["all"]["ndcg@10"].value, abs=1e-3)
    assert result.corpus.hash == first.corpus.hash
    assert Assistant.open(settings).papers() == [], "the user's library is another"


def test_an_ingest_that_was_interrupted_is_completed(folder, settings):
    class Stopped(Exception):
        pass

    def stop(done: int, _: int) -> None:
        raise Stopped

    assistant = Assistant.open(own_library(settings, folder / "corpus.jsonl"))
    with pytest.raises(Stopped):
        assistant.ingest([folder / "corpus.jsonl"], progress=stop)
    there = len(assistant.papers())
    assert 0 < there < 40
    result = run_beir(settings, folder)
    assert result.corpus.count == 40
    assert 0 < int(result.notes[0].split()[0]) < 100, "only what was missing"


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".xz", lzma.compress)])
def test_corpora_may_be_packed_and_splits_are_found_by_name(folder, suffix, pack):
    plain = folder / "corpus.jsonl"
    lines = beir.find_document_lines(plain)
    assert (lines["d0"], lines["double"]) == (1, 42)
    (folder / f"corpus.jsonl{suffix}").write_bytes(pack(plain.read_bytes()))
    plain.unlink()
    train = beir.find_collection(folder, "train")
    assert train.corpus.name == f"corpus.jsonl{suffix}"
    assert beir.find_document_lines(train.corpus) == lines
    assert [(each.id, dict(each.gains)) for each in beir.read_judged(train)] == [("q7", {"d7": 1.0})]
    jsonl(folder / "queries_train.jsonl", [{"_id": 7, "text": "by number"}])
    (folder / "qrels_train.tsv").write_text("7\td7\t1\n")
    assert beir.read_judged(beir.find_collection(folder, "train"))[0].text == "by number"
    (folder / "qrels.tsv").write_text("q7\td7\t1\n")
    assert beir.find_collection(folder).qrels.name == "qrels.tsv"
    assert beir.find_collection(folder, "test").qrels.name == "test.tsv"


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\nq0 d0 1\n", "test.tsv:2: expected are query id, document id"),
        ("qrels/test.tsv", "q0\td0\t1\nq0\td0\tmuch\n", "test.tsv:2: expected are"),
        ("qrels/test.tsv", "q0\td0\t1\nq0\td0\t--1\n", "test.tsv:2: expected are"),
        ("qrels/test.tsv", f"q0\td0\t1\nq0\td0\t1e{'9' * 400}\n", "test.tsv:2: expected are"),
        ("qrels/test.tsv", "q0\td0\t0\n", "no document is relevant to any query"),
        ("qrels/test.tsv", "nobody\td0\t1\n", "1 judged queries, e.g. 'nobody', are not in queries.jsonl"),
        ("queries.jsonl", "{", "queries.jsonl:1: it is not JSON"),
        ("queries.jsonl", "[]", "queries.jsonl:1: it is not a JSON object"),
        ("queries.jsonl", '{"_id": "q0"}', 'queries.jsonl:1: a query has an "_id" and a "text"'),
        ("queries.jsonl", None, "there is no queries.jsonl"),
        ("corpus.jsonl", None, "there is no corpus.jsonl"),
        ("corpus.jsonl", "nonsense\n", "no document could be ingested"),
    ],
)
def test_a_damaged_beir_folder_ends_with_what_is_wrong_and_code_2(folder, file, content, message):
    (folder / file).unlink() if content is None else (folder / file).write_text(content)
    said = inside("eval", str(folder))
    assert said.code == 2
    assert message in said.err


def test_a_heading_after_a_blank_line_scores_with_a_point_and_half_letters_are_read(folder):
    (folder / "qrels/test.tsv").write_text("\nquery-id\tcorpus-id\tscore\nq0\td0\t1.0\n")
    rows = [json.loads(line) for line in (folder / "queries.jsonl").read_text().splitlines()]
    jsonl(folder / "queries.jsonl", [{**row, "text": f"{row['text']} \ud800"} for row in rows])
    (judged,) = beir.read_judged(beir.find_collection(folder, "test"))
    assert (judged.id, dict(judged.gains), judged.text[-1]) == ("q0", {"d0": 1.0}, "?")


@pytest.mark.parametrize("split", ["dev", "../../secret", "", "test.tsv"])
def test_a_split_is_looked_up_and_no_path_is_made_of_it(folder, split, tmp_path):
    (tmp_path / "secret.tsv").write_text("q0\td0\t1\n")
    with pytest.raises(EvaluationError, match=r"there are no judgements for .*; splits: "):
        beir.find_collection(folder, split)


def result_of(rows: list[Row], seed_settings: Any, **fields: Any) -> results.Result:
    source = results.Source(name="q", hash="0", count=len(rows))
    return results.Result.model_validate(
        {**describe_origin(seed_settings), "corpus": source, "questions": source, "split": "", "notes": [],
         "summary": results.summarise(rows), "baselines": {}, "ablation": {}, "rows": rows, **fields}
    )  # fmt: skip


def rows_of(ranks: list[int | None], **figures: list[float]) -> list[Row]:
    return [
        Row(id=f"A{n}", type="fact", rank=rank, outcome="answered",
            figures={"mrr": 1 / rank if rank else 0.0, **{name: values[n] for name, values in figures.items()}})
        for n, rank in enumerate(ranks)
    ]  # fmt: skip


def test_a_comparison_tells_better_from_worse_and_both_from_noise(seed_settings):
    chance = random.Random(5)  # noqa: S311 (a fixed seed is the point)
    noise = [chance.random() for _ in range(40)]
    shuffled = [value + chance.choice((-0.1, 0.1)) for value in noise]
    before = rows_of([3] * 40, facts=[0.0] * 40, false_refusal=[0.0] * 40, sentences=[2.0] * 40, correct=noise)
    after = rows_of([1] * 30 + [3] * 9 + [None], facts=[0.0] * 40, false_refusal=[1.0] * 20 + [0.0] * 20,
                    sentences=[3.0] * 40, correct=shuffled)  # fmt: skip
    found = compare_results(result_of(before, seed_settings), result_of(after, seed_settings))
    assert {each.metric: each.verdict for each in found.metrics} == {
        "mrr": "better", "facts": "within noise", "false_refusal": "worse", "sentences": "more", "correct": "within noise",
    }  # fmt: skip
    ranks = [each for each in found.changes if each.metric == "rank"]
    assert [(each.id, each.before, each.after) for each in ranks if not each.better] == [("A39", 3, None)]
    assert sum(each.better for each in ranks) == 30
    assert not [each for each in found.changes if each.metric == "false_refusal" and each.better]
    assert found.warnings == ()
    with pytest.raises(EvaluationError, match="no question in common"):
        compare_results(result_of(before[:3], seed_settings), result_of(after[5:], seed_settings))


def test_the_command_compares_saved_results_warns_and_shows_text_as_text(seed_settings, tmp_path):
    odd = "[red]A1[/red]\x1b[31m"
    one = rows_of([3, 1], facts=[0.0, 1.0])
    other = rows_of([1, None], facts=[1.0, 0.0])
    one[1], other[1] = one[1].model_copy(update={"id": odd}), other[1].model_copy(update={"id": odd})
    results.save_result(result_of(one, seed_settings), tmp_path / "a.json")
    source = results.Source(name="q", hash="1", count=7)
    extra = rows_of([1, 1, 1])[2:]
    changed = result_of(other + extra, seed_settings, corpus=source, questions=source)
    results.save_result(changed, tmp_path / "b.json")
    said = inside("eval", "--compare", str(tmp_path / "a.json"), str(tmp_path / "b.json"))
    assert said.code == 0, said.err
    assert "A0 (fact)  3 -> 1" in said.out
    assert "[red]A1[/red][31m (fact)  1 -> not found" in said.out
    assert "\x1b" not in said.out
    assert "facts: 1 better" in said.out
    assert "facts: 1 worse" in said.out
    assert "warning: The questions differ" in said.out
    assert "warning: The libraries differ: 2 papers before, 7 after" in said.out
    assert "1 questions are in one of the two only" in said.out
    listed = json.loads(inside("eval", "--compare", str(tmp_path / "a.json"), str(tmp_path / "b.json"), "--json").out)
    assert {each["metric"] for each in listed["metrics"]} == {"mrr", "facts"}


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff\xfe", b'{"format": 2}', b"[" * 100_000])
def test_what_is_no_result_is_refused(seed_settings, tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    results.save_result(result_of(rows_of([1]), seed_settings), tmp_path / "b.json")
    said = inside("eval", "--compare", str(tmp_path / "a.json"), str(tmp_path / "b.json"))
    assert said.code == 2
    assert "it is no result of this version" in said.err
    said = inside("eval", "--compare", str(tmp_path / "b.json"), str(tmp_path / "none.json"))
    assert said.code == 2
    assert "it cannot be read (No such file" in said.err


def test_a_result_replaces_the_old_one_whole_and_is_not_begun_where_it_cannot_be_saved(seed_settings, tmp_path):
    path = tmp_path / "a.json"
    results.save_result(result_of(rows_of([1]), seed_settings), path)
    results.save_result(result_of(rows_of([2]), seed_settings), path)
    assert results.load_result(path).rows[0].rank == 2
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]
    asked = jsonl(tmp_path / "q.jsonl", [{"id": "a", "type": "offtopic", "question": "?"}])
    (tmp_path / "link.json").symlink_to(path)
    results.save_result(result_of(rows_of([3]), seed_settings), tmp_path / "link.json")
    assert (tmp_path / "link.json").is_symlink()
    assert results.load_result(path).rows[0].rank == 3
    os.mkfifo(tmp_path / "pipe")
    for nowhere in (tmp_path / "no" / "x.json", tmp_path, Path(os.devnull), tmp_path / "pipe"):
        said = inside("eval", str(asked), "--save", str(nowhere))
        assert said.code == 2
        assert "the result cannot be written there" in said.err


@pytest.mark.parametrize("arguments", [(), ("q.jsonl", "--compare", "a.json", "b.json"), ("none.jsonl",)])
def test_a_command_that_names_nothing_or_too_much_says_so(arguments):
    said = inside("eval", *arguments)
    assert said.code == 2
    assert "Name a question file" in said.err or "none.jsonl: it cannot be opened" in said.err
