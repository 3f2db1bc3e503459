"""Results as tables for a terminal; all text of a file is shown as text, never as mark-up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from rag.evaluation.difference import RANK, ChangedQuestion, ResultDifference
from rag.evaluation.metrics import Difference, Estimate
from rag.evaluation.results import ALL, Result
from rag.terminal import plain, printable

_TABLES: Mapping[str, Sequence[str]] = {
    "Finding the paper": ("hit@1", "hit@5", "mrr", "mrr@10", "ndcg@10", "recall@5", "recall@10", "recall@100"),
    "The answer": ("citation_precision", "citation_recall", "facts", "correct", "sentences", "sentences_median"),
    "Refusing": ("false_refusal", "partial", "refused", "not_answered", "disliked_answered"),
    "Waiting": ("latency_p50_ms", "latency_p95_ms", "search_p50_ms", "search_p95_ms"),
}  # fmt: skip
_WIDTH = 110  # where there is no terminal to ask
_NAME_CHARS, _FIGURE_CHARS = 20, 12  # widths of the columns; a table too wide goes on in another
_MOST_LISTED = 12  # changed questions a metric and direction; the JSON has all
_LEGEND = (
    "Below a figure: its 95 % bootstrap interval; of a baseline or ablation, that of the difference to all. Both rank"
    " the same candidates anew, and the neighbours of a paper keep the scores that all signals gave them. An interval"
    " of no width says only that no question differed."
)
_STYLES = {"better": "green", "worse": "red", "more": "yellow", "fewer": "yellow", "within noise": "dim"}


def print_result(result: Result) -> None:
    """Prints a result's tables to standard output."""
    console = _console()
    console.print(Group(*_result_lines(result, console.width)))


def print_difference(found: ResultDifference, before: str, after: str) -> None:
    """Prints what got better and worse."""
    _console().print(Group(*_difference_lines(found, before, after)))


def _console() -> Console:
    console = Console(markup=False, highlight=False, emoji=False)
    return console if console.is_terminal else Console(markup=False, highlight=False, emoji=False, width=_WIDTH)


def _result_lines(result: Result, width: int) -> Iterator[RenderableType]:
    split = f", split {result.split}" if result.split else ""
    yield _text(f"{result.questions.count} questions of {result.questions.name}{split}; {result.corpus.count} papers;"
                f" {result.model}; {result.settings.get('llm_model') or 'no language model'}")  # fmt: skip
    yield from (_text(note, "yellow") for note in result.notes)
    for title, names in _TABLES.items():
        shown = [name for name in names if any(name in figures for figures in result.summary.values())]
        most = max(1, (width - _NAME_CHARS) // _FIGURE_CHARS)
        for first in range(0, len(shown), most):
            yield Text()
            yield _table(title, shown[first : first + most], result)
    yield _text(_LEGEND, "dim")


def _table(title: str, names: Sequence[str], result: Result) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False, padding=(0, 1))
    table.add_column("questions", no_wrap=True)
    for name in names:
        table.add_column(name.replace("_", "\n"), justify="right")
    for group, figures in sorted(result.summary.items(), key=lambda item: item[0] == ALL):
        most = max((figures[name].n for name in names if name in figures), default=0)
        if most:
            style = "bold" if group == ALL else ""
            asked = "" if group == ALL else f"\nn = {most}"  # of all, each figure is of those that have it
            cells = [_estimate(figures.get(name)) for name in names]
            table.add_row(_text(group + asked, style), *cells, end_section=group == ALL)
    for others in (result.baselines, result.ablation):
        for name, differences in others.items():
            if any(each in differences for each in names):
                table.add_row(_text(name), *(_difference(differences.get(each)) for each in names))
    return table


def _estimate(found: Estimate | None) -> Text:
    if found is None:
        return Text()
    digits = 0 if found.value >= 10 else 2
    return _text(f"{found.value:.{digits}f}\n{found.low:.{digits}f}–{found.high:.{digits}f}")


def _difference(found: Difference | None) -> Text:
    return Text() if found is None else _text(f"{found.after:.2f}\n{_signed(found.low)} {_signed(found.high)}")


def _signed(value: float) -> str:
    """Short, so that two fit below a figure: -0.32 as -.32."""
    return f"{value:+.2f}".replace("+0.", "+.").replace("-0.", "-.")


def _difference_lines(found: ResultDifference, before: str, after: str) -> Iterator[RenderableType]:
    yield _text(f"A {printable(before)}\nB {printable(after)}")
    yield from (_text(f"warning: {warning}", "yellow") for warning in found.warnings)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("metric", "n", "A", "B", "B - A", "95 % interval", "p", "verdict"):
        table.add_column(heading, justify="left" if heading in ("metric", "verdict") else "right")
    for each in found.metrics:
        change = each.change
        table.add_row(
            *map(_text, (
                each.metric, str(change.n), f"{change.before:.3f}", f"{change.after:.3f}", f"{change.difference:+.3f}",
                f"{change.low:+.3f} to {change.high:+.3f}", f"{change.p:.3f}" if change.p >= 0.001 else "< 0.001",
            )),
            _text(each.verdict, _STYLES[each.verdict]),
        )  # fmt: skip
    yield table
    yield _text("More than noise: p < 0.05 in a paired sign-flip test. Of twenty metrics that nothing changed, one"
                " passes that by chance.", "dim")  # fmt: skip
    for name in dict.fromkeys(change.metric for change in found.changes):
        for better in (True, False):
            changes = [each for each in found.changes if each.metric == name and each.better == better]
            if changes:
                yield _changes(name, changes, better=better)


def _changes(name: str, found: Sequence[ChangedQuestion], *, better: bool) -> Text:
    """The questions of one metric that changed most in one direction."""
    most = sorted(found, key=lambda each: -abs(_worth(each.before, name) - _worth(each.after, name)))[:_MOST_LISTED]
    lines = [f"\n{name}: {len(found)} {'better' if better else 'worse'}"]
    lines += [f"  {each.id} ({each.type})  {_value(each.before)} -> {_value(each.after)}" for each in most]
    if len(found) > len(most):
        lines.append(f"  and {len(found) - len(most)} more; --json lists all")
    return _text("\n".join(lines), "green" if better else "red")


def _worth(value: float | None, name: str) -> float:
    """How much a figure matters: from rank 9 to 8 is less than from 2 to 1."""
    if name != RANK:
        return value or 0.0
    return 1 / value if value else 0.0


def _value(value: float | None) -> str:
    return "not found" if value is None else f"{value:.3g}"


def _text(text: str, style: str = "") -> Text:
    return Text(plain(text), style=style)
