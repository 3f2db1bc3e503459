"""The map of a library: the same each time, kept beside the index, its topics named in their own words."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from rag import Assistant, Filter, Paper, Settings
from rag.explore import paper_map as paper_map_module
from rag.explore import projection, topics
from rag.explore.overview import PaperMap, make_overview
from rag.explore.paper_map import make_map
from rag.text.words import fold
from tests.conftest import write_abstracts, write_titled


@pytest.fixture
def seeds(seed_home: Path, tmp_path: Path) -> Settings:
    """A copy of the seeds' library, without a map."""
    home = tmp_path / "home"
    shutil.copytree(seed_home, home)
    shutil.rmtree(home / "map", ignore_errors=True)
    return Settings(_env_file=None, home=home)  # type: ignore[call-arg]


def kept(settings: Settings) -> list[Path]:
    return sorted((settings.home / "map" / settings.collection).iterdir())


def test_every_paper_has_one_place_near_those_that_it_is_like_and_the_same_each_time(seeds: Settings) -> None:
    from sklearn.manifold import trustworthiness

    assistant = Assistant.open(seeds)
    found = assistant.map()
    assert sorted(found.paper_ids) == sorted(paper.id for paper in assistant.papers())
    assert all(-1 <= part <= 1 for place in found.places for part in place)
    library = assistant.answering.handle.current()
    assert library is not None
    assert make_map(library) == found
    vectors = {record.paper.id: record.chunk_vectors.mean(axis=0) for record in library.reader.read_all_embedded()}
    stacked = np.stack([vectors[paper_id] for paper_id in found.paper_ids])
    assert trustworthiness(stacked, np.array(found.places), n_neighbors=10) > 0.85


def test_topics_are_named_in_their_own_words_and_no_two_alike(seeds: Settings) -> None:
    assistant = Assistant.open(seeds)
    found = assistant.map()
    papers = {paper.id: paper for paper in assistant.papers()}
    assert [topic.size for topic in found.topics] == sorted((topic.size for topic in found.topics), reverse=True)
    assert 8 <= len(found.topics) <= topics.MOST_TOPICS
    assert len({topic.name for topic in found.topics}) == len(found.topics)
    for number, topic in enumerate(found.topics):
        members = [papers[paper_id] for paper_id in found.members(number)]
        assert len(members) == topic.size
        texts = [fold(f"{paper.title} {paper.abstract}") for paper in members]
        for term in topic.name.split(", "):
            assert sum(fold(term).rstrip("s") in text for text in texts) >= 2, f"{term!r} is not typical of its papers"


def test_a_name_says_what_sets_a_topic_apart_as_it_is_written_and_no_word_twice() -> None:
    frogs = ["Tree frogs by a pond.", "RNA of tree frogs in a pond.", "RNA: Tree frogs, a pond, a tree frog."] * 2
    stars = ["Notably, Neutron stars by a pond.", "Notably, neutron stars, a pond.", "Of neutron stars in a pond."] * 2
    one, other = topics.name_topics([frogs, stars])
    assert one == "Tree frogs, RNA"
    assert other == "Neutron stars"


def test_names_hold_no_markup_and_stay_short_and_apart_whatever_titles_say() -> None:
    hostile = "<script>window.hacked=1</script> <img src=x onerror=alert(1)> \u202eevil\u202c " + "x" * 30_000
    names = topics.name_topics([[hostile] * 5, [hostile] * 5, ["的的的"] * 3, [""] * 4])
    assert len(set(names)) == 4
    for name in names:
        assert not set(name) & set("<>=&\"'()\u202e\u202c")
        assert len(name) < 120


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_small_libraries_have_a_map_too(settings: Settings, tmp_path: Path, abstracts: list[str], count: int) -> None:
    assistant = Assistant.open(settings)
    if count:
        assistant.ingest([write_abstracts(tmp_path / "few.txt", abstracts[:count])])
    found = assistant.map()
    assert len(found.paper_ids) == len(found.places) == sum(topic.size for topic in found.topics) == count
    assert len(set(found.places)) == count
    assert all(topic.name for topic in found.topics)
    assert assistant.overview().papers == count
    assert Assistant.open(settings).map() == found


def test_papers_that_are_all_alike_have_places() -> None:
    alike = np.tile(np.eye(1, 8, dtype=np.float32), (40, 1))
    plane = projection.place_on_plane(projection.reduce_vectors(alike))
    assert plane.shape == (40, 2)
    assert np.isfinite(plane).all()
    assert len(topics.group_papers(plane)[0]) == 40


def test_a_map_is_made_once_and_then_read(seeds: Settings) -> None:
    assistant = Assistant.open(seeds)
    with ThreadPoolExecutor(2) as both:
        one, other = both.map(lambda _: assistant.map(), range(2))
    assert one is other
    (file,) = kept(seeds)
    stored = json.loads(file.read_text(encoding="utf-8"))
    stored["topics"][0]["name"] = "Named by hand"
    file.write_text(json.dumps(stored), encoding="utf-8")
    assert Assistant.open(seeds).map().topics[0].name == "Named by hand"


def spoil_size(stored: dict[str, list[dict[str, int]]]) -> None:
    stored["topics"][0]["size"] += 1


def spoil_place(stored: dict[str, list[list[float]]]) -> None:
    stored["places"][0][0] = float("nan")


def spoil_id(stored: dict[str, list[str]]) -> None:
    stored["paper_ids"][0] = "no such paper"


def spoil_topic(stored: dict[str, list[int]]) -> None:
    stored["topic_of"][0] = -1


def spoil_version(stored: dict[str, int]) -> None:
    stored["version"] = 0


@pytest.mark.parametrize(
    "spoil",
    [None, spoil_size, spoil_place, spoil_id, spoil_topic, spoil_version],
    ids=lambda spoil: str(spoil and spoil.__name__),
)
def test_a_damaged_map_is_made_again(settings: Settings, tmp_path: Path, abstracts: list[str], spoil: object) -> None:
    assistant = Assistant.open(settings)
    assistant.ingest([write_abstracts(tmp_path / "few.txt", abstracts[:3])])
    before = assistant.map()
    (file,) = kept(settings)
    whole = file.read_bytes()
    stored = json.loads(whole)
    if callable(spoil):
        spoil(stored)
    file.write_text(json.dumps(stored) if spoil else "\x00{", encoding="utf-8")
    assert Assistant.open(settings).map() == before
    assert file.read_bytes() == whole


def test_another_generation_has_another_map_and_the_old_one_goes(
    settings: Settings, tmp_path: Path, abstracts: list[str]
) -> None:
    assistant = Assistant.open(settings)
    source = write_abstracts(tmp_path / "few.txt", abstracts[:2])
    assistant.ingest([source])
    assistant.map()
    (old,) = kept(settings)
    write_abstracts(source, abstracts[:4])
    assistant.ingest([source])
    assert len(assistant.map().paper_ids) == 4
    (new,) = kept(settings)
    assert new != old


def test_a_map_that_cannot_be_kept_is_there_all_the_same(
    settings: Settings, tmp_path: Path, abstracts: list[str]
) -> None:
    assistant = Assistant.open(settings)
    assistant.ingest([write_abstracts(tmp_path / "few.txt", abstracts[:2])])
    (settings.home / "map").write_text("a file where the folder should be")
    assert len(assistant.map().paper_ids) == 2


def test_more_papers_than_points_are_sampled_and_more_than_are_fitted_are_placed_beside_their_like(
    seeds: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sklearn.manifold import trustworthiness

    library = Assistant.open(seeds).answering.handle.current()
    assert library is not None
    vectors = {record.paper.id: record.chunk_vectors.mean(axis=0) for record in library.reader.read_all_embedded()}
    monkeypatch.setattr(paper_map_module, "MOST_POINTS", 200)
    monkeypatch.setattr(projection, "MOST_FITTED", 100)
    found = make_map(library)
    assert (len(found.paper_ids), found.papers) == (200, 308)
    assert make_map(library) == found
    assert len(set(found.places)) > 190
    stacked = np.stack([vectors[paper_id] for paper_id in found.paper_ids])
    assert trustworthiness(stacked, np.array(found.places), n_neighbors=10) > 0.75


def test_the_overview_counts_papers_sources_and_topics(
    settings: Settings, tmp_path: Path, abstracts: list[str]
) -> None:
    assistant = Assistant.open(settings)
    assert assistant.overview().papers == 0
    assert assistant.map() == PaperMap()
    many = write_abstracts(tmp_path / "many.txt", abstracts[:3])
    few = write_titled(tmp_path / "few.txt", [("A title of its own", abstracts[3]), ("Seen twice", abstracts[0])])
    assistant.ingest([many, few])
    found = assistant.overview()
    assert found.papers == 4
    assert found.sources == (("many.txt", 3), ("few.txt", 2))
    assert found.years is None
    assert sum(topic.size for topic in found.topics) == 4


def test_years_are_those_that_are_known() -> None:
    def of(year: int | None) -> Paper:
        return Paper(f"{year}", "", "", "An abstract.", "a.txt", 1, year=year)

    assert make_overview([of(2001), of(None), of(1987)], ()).years == (1987, 2001)


def test_a_selection_of_thousands_of_papers_restricts_at_once_and_within_the_library(seeds: Settings) -> None:
    import time

    papers = [Paper(f"{n:016x}", "", "", "An abstract.", "a.txt", n) for n in range(20_000)]
    where = Filter(paper_ids=tuple(paper.id for paper in papers[::-2]))
    began = time.thread_time()
    assert where.among(papers) == papers[1::2]
    assert time.thread_time() - began < 2  # a scan of the ids for every paper: half a minute
    assert where.admits(papers[1])
    assert not where.admits(papers[0])
    assistant = Assistant.open(seeds)
    some = assistant.map().members(0)
    chosen = Filter(paper_ids=(*where.paper_ids, *some))
    assert {passage.paper.id for passage in assistant.search("What is learned?", k=400, where=chosen)} == set(some)
