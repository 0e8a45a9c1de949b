"""The DTW libraries people use: each one's fastest call for the same pairs, band and start."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

NAMES = ("aeon", "tslearn", "dtaidistance")


def batches(
    q: np.ndarray, s: np.ndarray, radius: int | None, cores: int
) -> dict[str, Callable[[], object]]:
    """Distances of series `(N, T)` to references `(R, T)`."""
    from aeon.distances import dtw_pairwise_distance
    from dtaidistance import dtw
    from tslearn.metrics import cdist_dtw

    length = q.shape[1]
    q8, s8 = q.astype(float), s.astype(float)
    every = np.concatenate([q8, s8])
    block = ((0, len(q)), (len(q), len(every)))
    window = None if radius is None else (radius + 0.01) / length
    band = {} if radius is None else {"global_constraint": "sakoe_chiba"}
    return {
        "aeon": lambda: dtw_pairwise_distance(
            q8[:, None], s8[:, None], window=window, n_jobs=cores
        ),
        "tslearn": lambda: cdist_dtw(q8, s8, sakoe_chiba_radius=radius, n_jobs=cores, **band),
        "dtaidistance": lambda: dtw.distance_matrix_fast(
            every,
            block=block,
            compact=True,
            parallel=cores > 1,
            window=None if radius is None else radius + 1,
        ),
    }


def averages(
    series: np.ndarray, start: np.ndarray, radius: int
) -> dict[str, Callable[[], np.ndarray]]:
    """One barycenter of series `(N, T)`."""
    from aeon.clustering.averaging import elastic_barycenter_average
    from dtaidistance.dtw_barycenter import dba_loop
    from tslearn.barycenters import dtw_barycenter_averaging

    band = {"global_constraint": "sakoe_chiba", "sakoe_chiba_radius": radius}
    options = {"distance": "dtw", "window": (radius + 0.01) / series.shape[1]}
    return {
        "tslearn (EM)": lambda: dtw_barycenter_averaging(
            series, init_barycenter=start[:, None], metric_params=band, max_iter=30
        ),
        "aeon (Petitjean)": lambda: elastic_barycenter_average(
            series[:, None], method="petitjean", **options
        ),
        "aeon (subgradient)": lambda: elastic_barycenter_average(
            series[:, None], method="subgradient", random_state=0, **options
        ),
        "dtaidistance (C)": lambda: dba_loop(
            series, start.copy(), max_it=30, thr=1e-5, use_c=True, window=radius + 1
        ),
    }


def neighbours(
    X: np.ndarray, y: np.ndarray, queries: np.ndarray, k: int, radius: int
) -> dict[str, Callable[[], np.ndarray]]:
    """Classes of queries `(N, K, T)` by k nearest neighbours, features dependent."""
    from sklearn.neighbors import KNeighborsClassifier
    from tslearn.metrics import cdist_dtw
    from tslearn.neighbors import KNeighborsTimeSeriesClassifier

    known, asked = X.transpose(0, 2, 1), queries.transpose(0, 2, 1)
    band = {"global_constraint": "sakoe_chiba", "sakoe_chiba_radius": radius}
    fitted = KNeighborsClassifier(k, metric="precomputed").fit(np.zeros((len(X), len(X))), y)
    whole = KNeighborsTimeSeriesClassifier(k, metric="dtw", metric_params=band).fit(known, y)
    return {
        "scikit-learn on tslearn's distances": lambda: fitted.predict(
            cdist_dtw(asked, known, **band)
        ),
        "tslearn's k-NN": lambda: whole.predict(asked),
    }
