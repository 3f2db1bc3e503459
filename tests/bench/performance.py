"""Makes docs/performance.md and its plots from the result files in tests/bench/results, and from nothing else.

    python -m tests.bench.performance

A part whose result file is not there is left out; nothing is measured here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.bench.measuring import ROOT
from tests.bench.plots import bars, lines

RESULTS = ROOT / "tests" / "bench" / "results"
DOCS = ROOT / "docs"
NAMES = (
    "cold",
    "embedding",
    "accelerator",
    "dense",
    "lexical",
    "scale",
    "grown",
    "askers",
    "kills",
    "speed",
    "chat_speed",
    "quality",
)
Results = Mapping[str, Mapping[str, Any]]

_HEAD = """# Performance

Made from the files in [tests/bench/results](../tests/bench/results) by `make performance`; `make bench` measures them
again, `make bench-scale` the library of 100,000 papers. Ratios come first, since they hold from one machine to another
better than seconds do; each is of two medians that were taken in turns in one run. What exactly is measured stands at
the head of each script in [tests/bench](../tests/bench)."""


def main() -> None:
    for name, text in pages(read_results(RESULTS)).items():
        (DOCS / name).write_text(text, "utf-8")
        print(DOCS / name)


def read_results(folder: Path) -> Results:
    files = {name: folder / f"{name}.json" for name in NAMES}
    return {name: json.loads(file.read_text("utf-8")) for name, file in files.items() if file.exists()}


def pages(results: Results) -> dict[str, str]:
    """The page and its plots by their file names in docs/."""
    plots = {name: draw(results[source]) for name, (source, draw) in _PLOTS.items() if source in results}
    parts = [_HEAD]
    if wanted := _targets(results):
        parts.append(f"## What is wanted, and what was reached\n\n{wanted}")
    for name, (title, tell) in _PARTS.items():
        if name in results:
            shown = [f"![{title}]({plot})" for plot, (source, _) in _PLOTS.items() if source == name]
            parts.append("\n\n".join([f"## {title}", *tell(results[name]), *shown, f"From {_file(name)}."]))
    parts.append(f"## Where the figures come from\n\n{_sources(results)}")
    return {"performance.md": "\n\n".join(parts) + "\n", **plots}


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """In Markdown: the first column to the left, figures to the right."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *rows))


def _file(name: str) -> str:
    return f"[{name}.json](../tests/bench/results/{name}.json)"


def _runs(result: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """The runs that a file holds: one, or one of each size."""
    return {"": result} if "machine" in result else result


def _targets(results: Results) -> str:
    """Every target of every file, or "" where there is none."""
    rows = []
    for name in (each for each in NAMES if each in results):
        for size, run in _runs(results[name]).items():
            for target in run.get("targets", ()):
                bound = f"≤ {target['at_most']:g}" if "at_most" in target else f"≥ {target['at_least']:g}"
                what = target["what"] + (f", {int(size):,} papers" if size else "")
                rows.append([what, bound, f"{target['value']:g}", "yes" if target["met"] else "**no**", _file(name)])
    return table(("", "wanted", "reached", "met", "from"), rows) if rows else ""


def _sources(results: Results) -> str:
    """Machine, versions and commit of every run."""
    rows = []
    for name in (each for each in NAMES if each in results):
        for size, run in _runs(results[name]).items():
            machine = run["machine"]
            versions = ", ".join(f"{package} {version}" for package, version in machine["versions"].items())
            rows.append([_file(name) + (f", {int(size):,} papers" if size else ""), machine["commit"],
                         f"{machine['cpus']} × {machine['processor']}", f"{machine['load']:g}",
                         f"Python {machine['python']}, {versions}"])  # fmt: skip
    return table(("file", "commit", "cores", "load at the end", "versions"), rows)


def _cold(result: Mapping[str, Any]) -> Iterator[str]:
    figures = result["figures"]
    rows = []
    for name, told in (("without_model", "no language model"), ("with_model", "both with a model")):
        found = figures[name]
        least, most = found["times_faster_by_turn"]
        rows.append(
            [told, f"{found['times_faster']:.1f} × ({least:.1f} to {most:.1f})", f"{found['memory_ratio']:.2f}",
             f"{found['footnote_s']:.2f} / {found['plain_stack_s']:.2f} s",
             f"{found['footnote_mb']:.0f} / {found['plain_stack_mb']:.0f} MB"]
        )  # fmt: skip
    yield (
        "From the start of the process to its end with the answer printed, on the bundled seeds, `footnote ask` and the"
        " plain stack (LangChain, Chroma and sentence-transformers, [put together as the tutorial"
        " does](../tests/bench/peers/plain_stack.py)):"
    )
    head = (
        "cold answer",
        "faster (single turns)",
        "memory, of the plain stack's",
        "seconds, ours / plain",
        "peak, ours / plain",
    )
    yield table(head, rows)
    chat = figures["chat"]
    yield table(
        ("start", "seconds"),
        [["`footnote --help`", f"{figures['help_s']:.2f}"],
         ["chat: page, beyond `import gradio`", f"{chat['beyond_import_s']:.2f}"],
         ["chat: page", f"{chat['page_s']:.2f}"], ["`import gradio`", f"{chat['import_gradio_s']:.2f}"],
         ["chat: first answer", f"{chat['first_answer_s']:.2f}"]],
    )  # fmt: skip


def _embedding(result: Mapping[str, Any]) -> Iterator[str]:
    encoding, ingest = result["figures"]["encoding"], result["figures"]["ingest"]
    yield table(
        ("embedding", "ratio", "texts/s, ours", "texts/s, other"),
        [["float32 beside sentence-transformers' `encode`", f"{encoding['times_faster']:.2f} ×",
          f"{encoding['footnote_texts_per_s']:.0f}", f"{encoding['sentence_transformers_texts_per_s']:.0f}"],
         ["int8 beside it", f"{encoding['times_faster_int8']:.2f} ×",
          f"{encoding['footnote_int8_texts_per_s']:.0f}", f"{encoding['sentence_transformers_texts_per_s']:.0f}"],
         [f"float32 beside the better of these and batches of {encoding['other_batch_size']}",
          f"{encoding['times_faster_than_its_best']:.2f} ×", f"{encoding['footnote_texts_per_s']:.0f}",
          f"{max(encoding[f'sentence_transformers_{batches}texts_per_s'] for batches in ('', 'other_batches_')):.0f}"],
         ["an ingest beside embedding alone", f"{ingest['of_embedding_alone']:.2f}", f"{ingest['texts_per_s']:.0f}",
          f"{ingest['embedding_alone_texts_per_s']:.0f}"]],
    )  # fmt: skip
    yield (
        f"{encoding['texts']} real titles with abstracts, whose vectors differ by {encoding['greatest_difference']:g} at"
        f" most; an ingest of {ingest['papers']} papers embeds their chunks and sentences, {ingest['texts']:,} texts, and"
        f" takes in {ingest['papers_per_s']:.1f} papers a second."
    )


def _accelerator(result: Mapping[str, Any]) -> Iterator[str]:
    figures = result["figures"]
    rates = figures["texts_per_s_by_batch_size"]
    yield (
        f"A model of sentence-transformers in the shape of BERT base on one {figures['device']}, as an ingest calls it"
        f" ({figures['texts']:,} texts, chunks and sentences, the vectors of tokens included):"
    )
    yield table(("texts in a batch", *rates), [["texts/s", *(f"{rate:,.0f}" for rate in rates.values())]])


def _dense(result: Mapping[str, Any]) -> Iterator[str]:
    yield (
        "The time of a question's embedding and its nearest chunks, divided by that of the same embedding and an exact"
        " scan with numpy of the same vectors in memory. A library of up to 10,000 papers compares all its chunks itself, by"
        " vectors that are kept a byte a number; in larger ones Chroma's graph is searched:"
    )
    yield table(
        ("vectors", "ratio (single turns)", "recall@10", "ms, ours", "ms, exact", "ms, embedding alone"),
        [[f"{found['vectors']:,}",
          f"{found['ratio']:.2f} ({found['ratio_by_turn'][0]:.2f} to {found['ratio_by_turn'][1]:.2f})",
          f"{found['recall@10']:.3f}", f"{found['nearest_ms']:.1f}", f"{found['exact_ms']:.1f}",
          f"{found['embedding_ms']:.1f}"] for found in result["figures"].values()],
    )  # fmt: skip


def _lexical(result: Mapping[str, Any]) -> Iterator[str]:
    yield table(
        ("papers", "build, of bm25s'", "question, of bm25s'", "build, ours / bm25s", "open, ours / bm25s", "question, ours / bm25s"),
        [[f"{found['papers']:,}", f"{found['build_s_ratio']:.2f}", f"{found['query_ms_ratio']:.2f}",
          f"{found['footnote_build_s']:.2f} / {found['bm25s_build_s']:.2f} s",
          f"{found['footnote_open_s'] * 1000:.0f} / {found['bm25s_open_s'] * 1000:.0f} ms",
          f"{found['footnote_query_ms']:.2f} / {found['bm25s_query_ms']:.2f} ms"]
         for found in result["figures"].values()],
    )  # fmt: skip


def _scale(result: Mapping[str, Any]) -> Iterator[str]:
    sizes = [run["figures"] for run in result.values()]
    head = ("papers", *(f"{found['ingest']['given']:,}" for found in sizes))
    ingests = [found["ingest"] for found in sizes]
    cold, more = [found["cold_answer"] for found in sizes], [found["one_more_paper"] for found in sizes]
    yield "Real titles and abstracts, ingested once:"
    yield table(
        head,
        [["computed with", *(each["precision"] for each in ingests)],
         ["papers/s", *(f"{each['papers_per_s']:.1f}" for each in ingests)],
         ["texts embedded/s", *(f"{each['texts_per_s']:.0f}" for each in ingests)],
         ["ingest, seconds", *(f"{each['seconds']:,.0f}" for each in ingests)],
         ["ingest, peak memory, MB", *(f"{each['peak_mb']:,.0f}" for each in ingests)],
         ["on disk, MB", *(f"{each['disk_mb']['all']:,.0f}" for each in sizes)],
         *([f"of these {part}", *(f"{each['disk_mb'].get(part, 0):,.1f}" for each in sizes)]
           for part in sorted({part for each in sizes for part, size in each["disk_mb"].items() if size >= 0.05} - {"all"})),
         ["one more line in the file, seconds", *(f"{each['one_more_line_s']:.1f}" for each in more)],
         ["one more paper in a file of its own, seconds", *(f"{each['file_of_its_own_s']:.1f}" for each in more)],
         ["first answer from cold, seconds", *(f"{each['seconds']:.1f}" for each in cold)],
         ["its peak memory, MB", *(f"{each['peak_mb']:,.0f}" for each in cold)]],
    )  # fmt: skip
    yield "The same libraries asked; milliseconds at the 50th / 95th / 99th percentile, the embedding of the question included:"
    rows = [
        [f"`retrieve`{', with late interaction' if stage == 'with_late' else ''}, filter: {name}",
         *(_percentiles(found["retrieval"][stage][name]) for found in sizes)]
        for stage in ("without_late", "with_late")
        for name in sizes[0]["retrieval"][stage]
    ]  # fmt: skip
    by_filter = [found.get("candidates_by_filter", {}) for found in sizes]  # which results once had not
    within = list(dict.fromkeys(name for found in by_filter for name in found))
    yield table(
        head,
        [["dense and lexical candidates alone", *(_percentiles(found["candidates"]) for found in sizes)],
         *([f"the same, filter: {name}", *(_percentiles(found[name]) if name in found else "" for found in by_filter)]
           for name in within), *rows,
         ["recall@10 of the dense candidates", *(f"{found['candidates']['recall@10']:.3f}" for found in sizes)],
         *([f"recall@10 of the candidates, filter: {name}",
            *(f"{found[name]['recall@10']:.3f}" if name in found else "" for found in by_filter)] for name in within),
         ["vectors", *(f"{found['candidates']['vectors']:,}" for found in sizes)]],
    )  # fmt: skip


def _grown(result: Mapping[str, Any]) -> Iterator[str]:
    found = result["figures"]
    steps, peaks = found["write_seconds_by_step"], found["peak_mb"]
    stages = found["retrieval"]
    yield (
        f"{found['papers']:,} papers made of the largest library's, each with vectors moved by noise; nothing is embedded, so"
        " these are the figures of all else. The memory is that of the measuring process, which also holds the vectors of"
        " the library that it copies."
    )
    yield table(
        ("", ""),
        [["writing, seconds", f"{sum(steps):,.0f}"],
         ["ms a paper, the first and the last tenth",
          " / ".join(f"{step * len(steps) / found['papers'] * 1000:.1f}" for step in (steps[0], steps[-1]))],
         ["paper store and lexical index made, seconds", f"{found['derive_seconds']:.0f}"],
         ["on disk, MB", f"{found['disk_mb']['all']:,.0f}"],
         ["peak memory, written / then opened and derived, MB", f"{peaks['written']:,.0f} / {peaks['derived']:,.0f}"],
         ["dense and lexical candidates alone, ms", _percentiles(found["candidates"])],
         *([f"`retrieve`, filter: {name}, ms", _percentiles(each)] for name, each in stages["without_late"].items()),
         ["recall@10 of the dense candidates", f"{found['candidates']['recall@10']:.3f}"]],
    )  # fmt: skip


def _percentiles(found: Mapping[str, float]) -> str:
    return " / ".join(f"{found[f'p{at}_ms']:.0f}" for at in (50, 95, 99))


def _askers(result: Mapping[str, Any]) -> Iterator[str]:
    figures = result["figures"]
    ratios = figures["times_one_thread"]
    differing = sum(figures[way]["differing"] for way in ratios)
    yield (
        "`answer()` in one process, without a language model, on the bundled seeds, from threads and from asyncio tasks;"
        f" of {len(ratios) * figures['turns'] * figures['questions']:,} answers {differing:,} differ from those that a"
        " single asker gets:"
    )
    rows = [
        [way, f"{ratio:.2f}", f"{figures[way]['answers_per_s']:.1f}",
         f"{figures[way]['p50_ms']:.0f} / {figures[way]['p95_ms']:.0f} ms"] for way, ratio in ratios.items()
    ]  # fmt: skip
    yield table(("askers", "times one's", "answers/s", "an answer, median / 95th percentile"), rows)


def _kills(result: Mapping[str, Any]) -> Iterator[str]:
    figures = result["figures"]
    looked_for, led_to = (
        sum(figures[half][count] for half in ("ingest", "sync")) for count in ("vectors_looked_for", "the_graph_led_to")
    )
    yield (
        f"{figures['kills']} times SIGKILL at a random moment of a sync; after each, whether all that it had reported is"
        " there, Chroma, the paper store and the lexical index agree, and each paper is found by its own vector; at the end a"
        f" run that completes the library. Faults: {len(figures['faults'])}. Chroma's graph, which libraries of this size do"
        f" not go by, led to {led_to:,} of {looked_for:,} vectors."
    )
    rows = [
        [what, f"{found['kills']}", f"{found['after_a_report']}", f"{found['too_late']}", f"{found['whole_s']:.1f} s"]
        for what, found in (("the first ingest", figures["ingest"]), ("of changes", figures["sync"]))
    ]
    yield table(("a sync", "kills", "after it had reported papers", "after its end", "undisturbed"), rows)


def _speed(result: Mapping[str, Any]) -> Iterator[str]:
    figures = result["figures"]
    rows = [["the seeds", f"{figures['answer_p50_ms']:.0f} / {figures['answer_p95_ms']:.0f} ms"]]
    if "collection" in figures:
        found = figures["collection"]
        rows.append([f"{found['papers']:,} papers", f"{found['answer_p50_ms']:.0f} / {found['answer_p95_ms']:.0f} ms"])
    yield table(("`answer()`, warm, one after the other", "median / 95th percentile"), rows)


def _chat(result: Mapping[str, Any]) -> Iterator[str]:
    rows = []
    for name, told in (("alone", "one reader"), ("8_people_at_once", "eight at the same moment")):
        found = result["figures"][name]
        rows.append([told, f"{found['first_words_p50_ms']:.0f} / {found['first_words_p95_ms']:.0f} ms",
                     f"{found['complete_p50_ms']:.0f} / {found['complete_p95_ms']:.0f} ms"])  # fmt: skip
    yield table(("in a browser on the same cores, median / 95th percentile", "first words", "all with its cards"), rows)


def _quality(result: Mapping[str, Any]) -> Iterator[str]:
    for name, found in result["figures"].items():
        before, now = found["commits"]
        rows = [[each, f"{values[0]:.3f}", f"{values[1]:.3f}"] for each, values in found.items() if each != "commits"]
        yield table((name, f"at {before}", f"at {now}"), rows)


def _cold_plot(result: Mapping[str, Any]) -> str:
    names = {"without_model": "no language model", "with_model": "with a language model"}
    groups = {
        told: {
            "Footnote": result["figures"][name]["footnote_s"],
            "plain stack": result["figures"][name]["plain_stack_s"],
        }
        for name, told in names.items()
    }
    return bars("A cold answer", "seconds", groups)


def _scale_plot(result: Mapping[str, Any]) -> str:
    curves: dict[str, list[tuple[float, float]]] = {}
    for run in result.values():
        found, papers = run["figures"], run["figures"]["ingest"]["given"]
        retrieval = found["retrieval"]
        for name, each in {
            "candidates alone": found["candidates"],
            "without late": retrieval["without_late"]["none"],
            "in one venue": retrieval["without_late"]["one venue"],
            "with late": retrieval["with_late"]["none"],
        }.items():
            curves.setdefault(name, []).append((papers, each["p95_ms"]))
    return lines("A search, 95th percentile", "papers", "milliseconds", curves)


_PARTS = {
    "cold": ("A cold answer", _cold),
    "embedding": ("Embedding and ingest", _embedding),
    "accelerator": ("Another model on a GPU", _accelerator),
    "dense": ("The nearest chunks beside an exact scan", _dense),
    "scale": ("From 1,000 to 100,000 papers", _scale),
    "grown": ("Beyond the real papers at hand", _grown),
    "lexical": ("The lexical index beside bm25s", _lexical),
    "askers": ("Many askers at once", _askers),
    "kills": ("Killed at any moment", _kills),
    "speed": ("Answers, warm", _speed),
    "chat_speed": ("The chat", _chat),
    "quality": ("What became of the answers", _quality),
}
_PLOTS = {"performance-cold.svg": ("cold", _cold_plot), "performance-scale.svg": ("scale", _scale_plot)}


if __name__ == "__main__":
    main()
