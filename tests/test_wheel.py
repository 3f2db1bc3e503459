"""The wheel: everything that ships is inside, and it works away from the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT

USE = """
import sys
import rag, rag.files
from rag.llm.prompts import load_prompts

installed = sys.argv[1]
assert rag.__file__.startswith(installed), rag.__file__
for folder in ("seeds", "prompts"):
    assert str(rag.files.bundled(folder)).startswith(installed)
assert load_prompts().answer_parts
from rag.ingestion.sync import sync
from rag import answer, ingest, load_settings
report = ingest()  # the known sources: the bundled seeds, wherever they are now
assert (report.unchanged, report.added, report.removed, report.embedded) == (308, 0, 0, 0), report
print(answer("How many tasks does TimeArena have?").text)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of what is shipped, so that nothing is left in the checkout."""
    copy, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in ("rag", "ui", "seeds", "prompts"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(copy))
    [built] = out.glob("*.whl")
    return built


def run(*command: str, **options: object) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)


def test_seeds_prompts_and_modules_are_inside_byte_for_byte(wheel):
    with zipfile.ZipFile(wheel) as archive:
        inside = {name: archive.read(name) for name in archive.namelist()}
    for folder in ("seeds", "prompts"):
        files = sorted((ROOT / folder).iterdir())
        assert files
        for file in files:
            assert inside[f"rag/_bundled/{folder}/{file.name}"] == file.read_bytes()
    for package in ("rag", "ui"):
        for file in (ROOT / package).rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                assert inside[file.relative_to(ROOT).as_posix()] == file.read_bytes()
    assert "rag/py.typed" in inside
    assert not [name for name in inside if name.startswith(("tests/", "docs/")) or name.endswith((".env", ".pyc"))]
    [scripts] = [text.decode() for name, text in inside.items() if name.endswith("entry_points.txt")]
    assert "footnote = rag.commands.main:main" in scripts
    assert "ui = ui.commands.ui:ui" in scripts


@pytest.mark.slow
def test_an_installed_wheel_answers_from_any_folder(wheel, seed_home, tmp_path):
    installed, home, elsewhere = tmp_path / "installed", tmp_path / "home", tmp_path / "elsewhere"
    elsewhere.mkdir()
    run(sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--no-compile", "--quiet",
        "--disable-pip-version-check", "--target", str(installed), str(wheel))  # fmt: skip
    shutil.copytree(seed_home, home)
    environment = {**os.environ, "PYTHONPATH": str(installed), "RAG_HOME": str(home)}
    said = run(sys.executable, "-c", USE, str(installed), cwd=elsewhere, env=environment)
    assert "30 real-world tasks" in said
    script = installed / "bin" / "footnote"
    assert "Usage: footnote" in run(sys.executable, str(script), "--help", cwd=elsewhere, env=environment)
