"""`footnote eval`: measures a library by a question file or a BEIR folder, and compares two measurements."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rag.commands.common import AsJson, print_json
from rag.errors import EvaluationError


def evaluate(
    path: Annotated[
        Path | None,
        typer.Argument(help="A question file, or a folder with corpus.jsonl, queries.jsonl and qrels.tsv."),
    ] = None,
    *,
    save: Annotated[Path | None, typer.Option("--save", help="Write the result here, as JSON.")] = None,
    compare: Annotated[
        tuple[Path, Path] | None, typer.Option("--compare", help="Two saved results: what got better and worse.")
    ] = None,
    split: Annotated[
        str | None, typer.Option("--split", help="Which judgements of a folder, e.g. test or train.")
    ] = None,
    ablation: Annotated[
        bool,
        typer.Option("--ablation", help="Also rank with each signal alone, left out, at half and twice its weight."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Measure how good ranking and answers are, with confidence intervals and trivial baselines."""
    if (path is None) == (compare is None):
        raise EvaluationError("Name a question file or a BEIR folder to run, or two results after --compare.")
    if compare is not None:
        _compare(*compare, as_json=as_json)
        return
    from rag.evaluation.report import print_result
    from rag.evaluation.results import check_writable, save_result
    from rag.evaluation.runner import run
    from rag.settings import load_settings

    assert path is not None  # noqa: S101 (checked above)
    if save is not None:
        check_writable(save)
    # An answer out of the cache would say nothing of how long the model takes.
    result = run(load_settings(llm_cache=False), path, split=split, ablation=ablation)
    if save is not None:
        save_result(result, save)
    if as_json:
        print_json(result.model_dump())
    else:
        print_result(result)


def _compare(before: Path, after: Path, *, as_json: bool) -> None:
    from rag.evaluation.difference import compare_results
    from rag.evaluation.report import print_difference
    from rag.evaluation.results import load_result

    found = compare_results(load_result(before), load_result(after))
    if as_json:
        print_json(found)
    else:
        print_difference(found, str(before), str(after))
