"""Linear discriminant analysis with a shrunk covariance (Ledoit and Wolf 2004)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.model.methods.flat import imputed
from cpazmal_scale.model.methods.linear import LinearClassifier, z_scores

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Discriminant(LinearClassifier):
    """Gaussian classes that share one covariance, shrunk towards a multiple of the identity."""

    def learn(
        self,
        values: NDArray[np.float64],
        codes: NDArray[np.intp],
        groups: NDArray[np.intp] | None,  # noqa: ARG002
    ) -> None:
        """Learn from vectors `(N, K·T)`, NaN missing, and their class positions."""
        from scipy.linalg import solve
        from sklearn.covariance import ledoit_wolf

        whole, _ = imputed(values)
        scaled, mean, scale = z_scores(whole)
        counts = np.bincount(codes)
        means = np.stack([scaled[codes == c].mean(axis=0) for c in range(counts.size)])
        covariance, _ = ledoit_wolf(scaled - means[codes], assume_centered=True)
        covariance[np.diag_indices_from(covariance)] += 1e-9
        coefficients = solve(covariance, means.T, assume_a="pos").T
        priors = np.log(counts / codes.size)
        self.keep(coefficients, priors - 0.5 * (means * coefficients).sum(axis=1), mean, scale)


make, opened = Discriminant.of_run, Discriminant.from_state
