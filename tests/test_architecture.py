"""docs/architecture.md is a map of today's tree, and the house keeps its rules of size."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

MAP = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PACKAGES = sorted({path.parent for root in ("rag", "ui") for path in (ROOT / root).rglob("*.py")})
MODULES = sorted(path for root in ("rag", "ui") for path in (ROOT / root).rglob("*.py") if path.name != "__init__.py")


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_every_wing_is_on_the_map_and_no_other():
    tree = MAP.split("```")[1]
    drawn = {name for line in tree.splitlines() for name in re.findall(r"([a-z_]+)/(?=[ ,])", line)}
    wings = {path.name for path in PACKAGES if path.parent.parent == ROOT}
    assert drawn - {"rag", "ui", "static", "prompts", "seeds", "tests", "bench", "results"} == wings


def test_every_module_that_the_map_names_exists():
    named = set(re.findall(r"`?((?:rag|ui)/[\w/]+\.pyi?)`?", MAP))
    named |= {f"rag/{wing}/{module}.py" for wing, module in re.findall(r"\b([a-z]+)/([a-z_]+)\b(?![./])", MAP)
              if (ROOT / "rag" / wing).is_dir()}  # fmt: skip
    assert [name for name in sorted(named) if not (ROOT / name).exists() and not (ROOT / name[:-3]).is_dir()] == []
    assert len(named) > 25


def test_the_map_is_short():
    assert len(MAP.splitlines()) <= 150


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_package_says_what_it_is_for_and_has_a_dozen_modules_at_most(package):
    opening = ast.get_docstring(ast.parse((package / "__init__.py").read_text(encoding="utf-8")))
    assert opening
    modules = [path for path in package.glob("*.py") if path.name != "__init__.py"]
    if package != ROOT / "rag":
        assert len(modules) <= 12
    else:  # the contracts, and at most ten small helpers
        assert len({path.stem for path in modules} - {"types", "errors", "settings", "assistant"}) <= 10


def test_no_module_is_long_and_few_are_short():
    assert [path.name for path in MODULES if lines(path) > 400] == []
    assert len([path for path in MODULES if lines(path) < 40]) <= 6


def test_names_of_wings_are_no_public_functions():
    import rag

    assert {path.name for path in PACKAGES if path.parent == ROOT / "rag"} & set(rag.__all__) == set()
