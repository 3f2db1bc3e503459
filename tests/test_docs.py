"""README, .env.example and Makefile say what is true."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from dotenv import dotenv_values

from rag import Settings
from rag.retrieval.signals import WEIGHTS
from rag.settings import variable
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
SCRIPT = Path(sys.executable).parent / "footnote"


def shell_lines(text: str) -> list[list[str]]:
    """The commands in the ```sh blocks, as words, without comments."""
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return [words for block in blocks for line in block.splitlines() if (words := shlex.split(line, comments=True))]


def footnote_commands() -> list[list[str]]:
    quoted = [shlex.split(each) for each in re.findall(r"`(footnote [^`\n]*)`", README)]
    found = [words for words in [*shell_lines(README), *quoted] if Path(words[0]).name == "footnote"]
    return [words[1:] for words in found]


def test_every_setting_is_in_the_example_and_nothing_else_is():
    named = re.findall(r"^#?([A-Z][A-Z0-9_]+)=", EXAMPLE, re.MULTILINE)
    assert sorted(named) == sorted(set(named))
    assert set(named) == {variable(name) for name in Settings.model_fields}


def test_the_example_is_all_comments_and_names_the_defaults(tmp_path, monkeypatch):
    assert dotenv_values(ROOT / ".env.example") == {}
    (tmp_path / ".env").write_text(re.sub(r"^#([A-Z_]+=)", r"\1", EXAMPLE, flags=re.MULTILINE), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    uncommented, default = Settings(), Settings(_env_file=None)
    # What an example of a value stands for has no default worth naming.
    examples = {
        "home",
        "models",
        "trusted_proxies",
        "chroma_url",
        "llm_model",
        "openai_api_key",
        "openai_base_url",
        "prompts",
        "llm_prices",
        "nli_model",
        "ui_auth",
    }
    differ = {name for name in Settings.model_fields if getattr(uncommented, name) != getattr(default, name)}
    assert differ <= examples


def test_the_commands_of_the_readme_exist_with_their_options():
    commands = footnote_commands()
    assert {words[0] for words in commands} >= {"ask", "ingest", "papers", "eval", "doctor"}
    helps: dict[tuple[str, ...], str] = {}
    for words in commands:
        path = tuple(words[:2] if words[0] in ("papers", "user") else words[:1])
        if path not in helps:
            done = subprocess.run([SCRIPT, *path, "--help"], capture_output=True, text=True, check=False)
            assert done.returncode == 0, words
            helps[path] = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
        for option in [word for word in words if word.startswith("--")]:
            assert option in helps[path], words


def test_the_make_targets_of_the_readme_exist():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    used = {words[1] for words in shell_lines(README) if words[0] == "make"} | set(re.findall(r"`make (\w+)", README))
    assert {"ui", "test"} <= used <= targets


def test_the_links_of_the_documents_lead_somewhere():
    for name in ("README.md", "CHANGELOG.md", "DECISIONS.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#\s]+)\)", text):
            if not target.startswith(("http://", "https://", "mailto:")):
                assert (ROOT / target).exists(), f"{name}: {target}"


def test_the_settings_that_the_readme_names_exist():
    known = {variable(name) for name in Settings.model_fields}
    assert set(re.findall(r"\b(?:RAG|OPENAI)_[A-Z_]+\b", README)) <= known


def test_the_python_of_the_readme_runs(seed_settings, monkeypatch, capsys):
    blocks = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    assert blocks
    monkeypatch.setenv("RAG_HOME", str(seed_settings.home))
    for block in blocks:
        exec(block, {})  # noqa: S102
    assert capsys.readouterr().out.startswith("answered ")


@pytest.mark.parametrize("field", Settings.model_fields)
def test_every_setting_is_described(field):
    assert (Settings.model_fields[field].description or "").endswith(".")


def results_of(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "tests" / "bench" / "results" / f"{name}.json").read_text("utf-8"))
    return found


def test_the_readmes_figures_are_those_of_the_committed_results():
    rows = [
        [cell.strip() for cell in line.strip("| ").split(" | ")] for line in README.splitlines() if line[:2] == "| "
    ]
    told = {name: cells for name, *cells in rows}
    measured = results_of("questions")
    columns = [
        {name: found["value"] for name, found in measured["summary"]["all"].items()},
        *({name: found["after"] for name, found in measured["baselines"][each].items()}
          for each in ("plain cosine", "plain BM25")),
    ]  # fmt: skip
    for name, metrics in {
        "first paper right / within the first five / mean reciprocal rank": ("hit@1", "hit@5", "mrr"),
        "recall@10 where several papers answer": ("recall@10",),
        "all facts in an answer of at most six sentences": ("facts",),
        "citation precision / recall": ("citation_precision", "citation_recall"),
    }.items():
        assert told[name] == [" / ".join(f"{column[metric]:.2f}" for metric in metrics) for column in columns]
    of_type = measured["summary"]
    assert told["off-topic questions refused"][0] == f"{of_type['offtopic']['refused']['value'] * 8:.0f} of 8"
    caught = of_type["unanswerable"]["not_answered"]["value"] * 12
    assert told["questions that no abstract answers, not `answered`"][0] == f"{caught:.0f} of 12"
    wrongly = [f"{of_type['all'][name]['value'] * 100:.0f}" for name in ("false_refusal", "partial")]
    assert told["answerable ones refused / called `partial`, of 100"][0] == " / ".join(wrongly)
    collections = [results_of(name) for name in ("scifact", "cranfield")]
    ours = [[each["summary"]["all"][name]["value"] for name in ("ndcg@10", "recall@100")] for each in collections]
    assert told["Footnote"] == [f"{ndcg:.3f} / {recall:.3f}" for ndcg, recall in ours]
    for baseline, name in (("plain cosine", "plain cosine of the bundled model, here"), ("plain BM25", "BM25, here")):
        assert told[name] == [f"{each['baselines'][baseline]['ndcg@10']['after']:.3f}" for each in collections]
    speed = results_of("speed")["figures"]
    for figures, name in ((speed, "`answer()`, warm, median / 95th percentile"),
                          (speed["collection"], f"the same in a library of {speed['collection']['papers']:,} papers")):  # fmt: skip
        assert told[name] == [f"{figures['answer_p50_ms']:.0f} / {figures['answer_p95_ms']:.0f} ms"]
    assert told["first ingest of the seeds"] == [f"{speed['first_ingest_s']:.0f} s"]
    assert told["vectors of a paper"] == [f"{speed['bytes_per_paper']['all_bytes'] / 1000:.1f} kB"]


def test_the_readmes_figures_of_the_ledger_and_of_injection_are_those_of_the_committed_results():
    rows = [
        [cell.strip() for cell in line.strip("| ").split(" | ")] for line in README.splitlines() if line[:2] == "| "
    ]
    told = {cells[0].partition(":")[0].partition(";")[0]: re.findall(r"(\d+) %", cells[-1]) for cells in rows}
    ledger = results_of("ledger")
    blind, claims = ledger["held_out"], ledger["scifact_dev"]
    for name, measured in {
        "a figure changed, exchanged, or its unit changed": [blind["number"]],
        "a name swapped for another": [blind["entity"]],
        "a negation added or left out": [blind["negation"]],
        "a direction turned, or the sides of a comparison exchanged": [blind["direction"]],
        "cited to another paper": [blind["wrong_paper/random"], blind["wrong_paper/near"]],
        "contradictions written by hand": [blind["contradiction"], claims["scifact_contradicted"]],
        "false alarms": [blind["untouched"], blind["paraphrase"], claims["scifact_supported"]],
    }.items():
        assert told[name] == [f"{each['rate'] * 100:.0f}" for each in measured], name
    injection = results_of("injection")
    planted = injection["planted"]["test"]
    assert f"{planted['all']['flagged'] * 100:.0f} % of planted ones" in README
    assert (
        f"({planted['code']['flagged'] * 100:.0f} % of code, {planted['text']['flagged'] * 100:.0f} % of text" in README
    )
    assert f"{injection['papers']['flagged']} of {injection['papers']['abstracts']:,} real abstracts" in README


def test_the_committed_results_are_of_the_weights_and_the_gate_that_ship():
    for name in ("questions", "scifact", "cranfield"):
        settings = results_of(name)["settings"]
        assert settings["weights"] == dict(WEIGHTS), name
        assert settings["evidence_gate"] == Settings.model_fields["evidence_gate"].default, name


def test_every_promise_of_security_names_a_test_that_is_there():
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    _, *promises = re.split(r"\n(?=- |\*\*)", text.partition("## What is promised")[2].partition("\n## ")[0])
    named = {promise: re.findall(r"`(tests/[\w/]+\.py)`", promise) for promise in promises if promise.count(" ") > 5}
    assert len(named) > 15
    assert [promise for promise, tests in named.items() if not tests] == []
    assert all((ROOT / test).exists() for tests in named.values() for test in tests)
