"""How many texts a second a model of sentence-transformers embeds on an accelerator (a GPU), by batch size.

The model has the shape of BERT base (12 layers, 768 dimensions, 512 tokens), as bge-base and gte-base have, and weights
made at random, which take the same time as trained ones; the papers are the bundled seeds, through
`embed_papers` as an ingest calls it, chunks, sentences and the vectors of tokens included; in turns in one process.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

from rag.corpus.duplicates import FoundPaper
from rag.corpus.sources import SEEDS, read_sources
from rag.ingestion.embed_papers import embed_papers
from rag.models.embedding import EmbeddingModel, open_model
from rag.models.encoders import _ACCELERATOR_BATCH, _BATCH, SentenceTransformersEncoder
from rag.settings import Settings
from rag.text.words import split_words
from tests.bench.measuring import Target, conclude, in_turns, median, seconds_of

SIZES = (_BATCH, 32, 64, 128, 256, 512)
DIFFERENCE = 1e-3  # of a unit vector's numbers
OF_THE_BEST = 0.9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--save", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    reading = read_sources([SEEDS], {})
    papers = reading.papers(reading.paper_ids())
    with tempfile.TemporaryDirectory() as folder:
        make_model(Path(folder), [abstract for _, abstract, _ in papers])
        model = open_model(Settings(_env_file=None, home=Path(folder), embedding_model=folder))  # type: ignore[call-arg]
        device = model.encoder._model.device  # type: ignore[attr-defined]
        if device.type == "cpu":
            raise SystemExit("There is no accelerator here that PyTorch can use.")
        vectors = {str(size): vectors_of(model, papers[:100], size) for size in SIZES}
        vectors["on the CPU"] = vectors_of(on_cpu(folder), papers[:100], _BATCH)
        texts = sum(map(len, vectors_of_all(model, papers)))
        found = in_turns(
            {str(size): lambda size=size: texts / seconds_of(lambda: at_size(model, papers, size)) for size in SIZES},
            given.rounds,
        )
    rates = {name: median(values, 1) for name, values in found.items()}
    chosen = str(_ACCELERATOR_BATCH)
    difference = max(float(np.abs(each - vectors["on the CPU"]).max()) for each in vectors.values())
    figures = {
        "times_faster_than_small_batches": round(rates[chosen] / rates[str(_BATCH)], 2),
        "texts_per_s_by_batch_size": rates,
        "greatest_difference": float(f"{difference:.2g}"),
        "spread_of_the_vectors": round(float(np.ptp(vectors["on the CPU"], axis=0).max()), 3),
        "texts": texts,
        "turns": given.rounds,
        "device": _name(device),
    }
    targets = [
        Target("rate at the batch size chosen / the best", round(rates[chosen] / max(rates.values()), 3), OF_THE_BEST, at_least=True),
        Target("greatest difference from the CPU's vectors", figures["greatest_difference"], DIFFERENCE),  # type: ignore[arg-type]
    ]  # fmt: skip
    conclude(figures, targets, given.save, "transformers")


def on_cpu(folder: str) -> EmbeddingModel:
    from sentence_transformers import SentenceTransformer

    return EmbeddingModel("on the CPU", SentenceTransformersEncoder(SentenceTransformer(folder, device="cpu")))


def at_size(model: EmbeddingModel, papers: list[FoundPaper], size: int) -> object:
    model.encoder.batch = size
    return embed_papers(model, papers)


def vectors_of(model: EmbeddingModel, papers: list[FoundPaper], size: int) -> np.ndarray:
    model.encoder.batch = size
    return np.concatenate(vectors_of_all(model, papers))


def vectors_of_all(model: EmbeddingModel, papers: list[FoundPaper]) -> list[np.ndarray]:
    return [record.vectors for record in embed_papers(model, papers)]


def make_model(folder: Path, abstracts: list[str]) -> None:
    """A sentence-transformers model with weights made at random, whose words are those of the abstracts."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    common = [
        word for word, _ in Counter(word for text in abstracts for word in split_words(text.lower())).most_common(8_000)
    ]
    letters = [chr(code) for code in range(33, 127) if not chr(code).isupper()]
    pieces = dict.fromkeys(
        ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{each}" for each in letters), *common]
    )
    (folder / "vocab.txt").write_text("\n".join(pieces), encoding="utf-8")
    torch.manual_seed(7)
    BertModel(BertConfig(vocab_size=len(pieces))).save_pretrained(folder / "bert")
    BertTokenizerFast(vocab=str(folder / "vocab.txt"), do_lower_case=True).save_pretrained(folder / "bert")
    text = Transformer(str(folder / "bert"), max_seq_length=512)
    SentenceTransformer(modules=[text, Pooling(768)]).save(str(folder))


def _name(device: object) -> str:
    import torch

    return torch.cuda.get_device_name(device) if torch.cuda.is_available() else str(device)


if __name__ == "__main__":
    main()
