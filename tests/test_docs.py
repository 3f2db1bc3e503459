"""README, .env.example and Makefile say what is true."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from dotenv import dotenv_values

from rag import Settings
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
    examples = {"home", "chroma_url", "llm_model", "openai_api_key", "openai_base_url", "prompts"}
    differ = {name for name in Settings.model_fields if getattr(uncommented, name) != getattr(default, name)}
    assert differ <= examples


def test_the_commands_of_the_readme_exist_with_their_options():
    commands = footnote_commands()
    assert {words[0] for words in commands} >= {"ask", "ingest", "papers", "eval", "doctor"}
    helps: dict[tuple[str, ...], str] = {}
    for words in commands:
        path = tuple(words[:2] if words[0] == "papers" else words[:1])
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


def test_the_readmes_figures_are_those_of_the_committed_results():
    readme = (ROOT / "README.md").read_text("utf-8")
    results = ROOT / "tests" / "bench" / "results"
    measured = json.loads((results / "questions.json").read_text("utf-8"))["summary"]["all"]
    answers = {name: found["value"] for name, found in measured.items()}
    speed = json.loads((results / "speed.json").read_text("utf-8"))["figures"]
    told = dict(re.findall(r"^\| ([^|]+?) \| ([^|]+?) \|$", readme, re.MULTILINE))
    ranks = f"{answers['hit@1']:.2f} / {answers['hit@5']:.2f} / {answers['mrr']:.2f}"
    assert told["first paper right / within the first five / mean reciprocal rank"] == ranks
    assert told["recall@10 where several papers answer"] == f"{answers['recall@10']:.2f}"
    facts = f"all facts in the answer, in {answers['sentences']:.1f} sentences on average"
    assert told[facts] == f"{answers['facts']:.2f}"
    assert (
        told["citation precision / recall"] == f"{answers['citation_precision']:.2f} / {answers['citation_recall']:.2f}"
    )
    assert told["`answer()`, warm, 95th percentile"] == f"{speed['answer_p95_ms']:.0f} ms"
    assert told["first ingest of the seeds"] == f"{speed['first_ingest_s']:.0f} s"
