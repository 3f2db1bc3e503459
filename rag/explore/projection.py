"""Vectors of papers -> places on a plane: papers that are alike lie together."""

from __future__ import annotations

import numpy as np

from rag.library.records import Vectors

# Neighbours kept (trustworthiness at 10) and seconds on one core, seeds: t-SNE of 30 components 0.89 in 0.6 s, with a
# perplexity of 10 0.87; two principal components 0.75, Isomap 0.74, spectral embedding 0.77. Twice the iterations
# change nothing.
_COMPONENTS = 30
_PERPLEXITY = 30.0
_ITERATIONS = 500
_TOO_FEW = 12  # t-SNE makes nothing of fewer papers: two principal components do
MOST_FITTED = 3_000  # t-SNE takes 5 s for them; further papers are placed among those that they are most like


def reduce_vectors(vectors: Vectors) -> Vectors:
    """Reduces unit vectors to principal components, fitted to the first of them: shape `(n, at most 30)`."""
    from sklearn.decomposition import PCA

    fitted = vectors[:MOST_FITTED]
    count = min(_COMPONENTS, len(fitted) - 1, vectors.shape[1])
    if count < 1 or not np.ptp(fitted, axis=0).any():  # one paper, or all alike
        return np.zeros((len(vectors), 1), dtype=np.float32)
    found = PCA(count, svd_solver="full").fit(fitted)
    reduced: Vectors = found.transform(vectors).astype(np.float32)
    return reduced


def place_on_plane(reduced: Vectors) -> Vectors:
    """Gives principal components places in the square from -1 to 1: shape `(n, 2)`."""
    fitted = reduced[:MOST_FITTED]
    plane = _take_first_two(fitted) if len(fitted) < _TOO_FEW else _run_tsne(fitted)
    return _scale_to_square(np.concatenate((plane, _place_among(reduced[MOST_FITTED:], fitted, plane))))


def _take_first_two(reduced: Vectors) -> Vectors:
    missing = max(0, 2 - reduced.shape[1])
    return np.pad(reduced[:, :2], ((0, 0), (0, missing)))


def _run_tsne(reduced: Vectors) -> Vectors:
    from sklearn.manifold import TSNE

    start = _take_first_two(reduced)
    spread = max(float(start[:, 0].std()), 1e-9)  # as scikit-learn's own start, which divides by 0 for papers all alike
    tsne = TSNE(
        perplexity=min(_PERPLEXITY, (len(reduced) - 1) / 3),
        init=start / spread * 1e-4,
        learning_rate="auto",
        max_iter=_ITERATIONS,
        random_state=0,
    )
    plane: Vectors = tsne.fit_transform(reduced)
    return plane


def _place_among(others: Vectors, fitted: Vectors, plane: Vectors) -> Vectors:
    """Places each further paper close around the fitted paper that it is most like.

    The middle of several neighbours keeps fewer of them: trustworthiness 0.89 against 0.96 (half of 3,000 so placed).
    """
    from sklearn.neighbors import NearestNeighbors

    if not len(others):
        return np.zeros((0, 2), dtype=np.float32)
    nearest = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(fitted).kneighbors(others, return_distance=False)
    room = NearestNeighbors(n_neighbors=2).fit(plane).kneighbors(plane)[0][:, 1]
    drawn = np.random.default_rng(0).random((2, len(others)))
    reach, angle = room[nearest[:, 0]] * np.sqrt(drawn[0]), 2 * np.pi * drawn[1]
    around: Vectors = plane[nearest[:, 0]] + np.stack((reach * np.cos(angle), reach * np.sin(angle)), axis=1)
    return around


def _scale_to_square(plane: Vectors) -> Vectors:
    if not len(plane):
        return plane
    middle = (plane.max(axis=0) + plane.min(axis=0)) / 2
    reach = max(float(np.abs(plane - middle).max()), 1e-9)
    return np.asarray((plane - middle) / reach, dtype=np.float32)
