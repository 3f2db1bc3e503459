"""Makes the map of the library: a place on a plane and a topic for every paper."""

from __future__ import annotations

import numpy as np

from rag.explore.overview import MOST_POINTS, PaperMap, Topic
from rag.library.library import Library
from rag.library.records import Vectors

_DECIMALS = 4  # of a place between -1 and 1: finer than a screen


def make_map(library: Library) -> PaperMap:
    """Makes the map from the vectors and words of the papers; the same for the same papers on the same machine."""
    import sklearn.manifold  # noqa: F401 (before the limit: it holds for libraries that are loaded)
    from threadpoolctl import threadpool_limits

    from rag.explore.projection import place_on_plane, reduce_vectors
    from rag.explore.topics import find_typical, group_papers, name_topics

    papers = library.reader.all_papers()
    # Ids are hashes of the abstracts: their order is that of no file, and the first are a fair sample.
    paper_ids = sorted(papers)[:MOST_POINTS]
    vectors = _mean_vectors(library, paper_ids)
    # t-SNE's threads wait for each other, 30 s for the seeds on a busy machine, and add up in any order.
    with threadpool_limits(1):
        plane = place_on_plane(reduce_vectors(vectors))
        topic_of, middles = group_papers(plane)
    near = find_typical(plane, topic_of, middles)
    texts = [[f"{papers[paper_ids[row]].title}\n{papers[paper_ids[row]].abstract}" for row in rows] for rows in near]
    sizes = np.bincount(topic_of, minlength=len(middles))
    return PaperMap(
        paper_ids=tuple(paper_ids),
        places=tuple((round(float(x), _DECIMALS), round(float(y), _DECIMALS)) for x, y in plane),
        topic_of=tuple(int(number) for number in topic_of),
        topics=tuple(Topic(name, int(size)) for name, size in zip(name_topics(texts), sizes, strict=True)),
        papers=len(papers),
    )


def _mean_vectors(library: Library, paper_ids: list[str]) -> Vectors:
    """Unit vectors of the papers, the mean of their chunks: shape `(n, d)`."""
    rows = {paper_id: row for row, paper_id in enumerate(paper_ids)}
    vectors = np.zeros((len(rows), 1), dtype=np.float32)
    for record in library.reader.read_all_embedded():
        if (row := rows.get(record.paper.id)) is None:
            continue
        mean = record.chunk_vectors.mean(axis=0)
        if vectors.shape[1] != len(mean):
            vectors = np.zeros((len(rows), len(mean)), dtype=np.float32)
        vectors[row] = mean / max(float(np.linalg.norm(mean)), 1e-9)
    return vectors
