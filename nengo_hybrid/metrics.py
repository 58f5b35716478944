"""
Accuracy, and how many bits a population's spikes need.

The bit metrics are this package's own definitions: the paper (arXiv 2002.03553)
reports bits of activity and significant bits per weight without defining them.
"""

import numpy as np

from nengo_hybrid.exceptions import ShapeError


def classify(activity, readout_steps):
    """
    Answer with the class of most activity over the last steps.

    Parameters
    ----------
    activity : (n_samples, n_steps, n_classes) array
        Rates or spike counts of one neuron per class.
    readout_steps : int
        How many of the last steps count.

    Returns
    -------
    (n_samples,) int array
        The first of the best classes, where several are equal.

    Raises
    ------
    ShapeError
        If there are not that many steps, or ``readout_steps`` is below 1.

    Examples
    --------
    >>> classify(np.array([[[9, 0], [0, 1], [1, 2]]]), 2)  # 0 + 1 against 1 + 2
    array([1])
    """
    if not 1 <= readout_steps <= activity.shape[1]:
        raise ShapeError(
            f"classify needs readout_steps in 1..{activity.shape[1]}, the steps of the "
            f"activity; got {readout_steps!r}"
        )
    return np.argmax(activity[:, -readout_steps:].sum(axis=1), axis=1)


def accuracy(predicted, labels):
    """
    Return the part of predictions that are right, in [0, 1].

    Raises
    ------
    ShapeError
        If there are not as many predictions as labels, or none.
    """
    predicted, labels = np.asarray(predicted), np.asarray(labels)
    if predicted.shape != labels.shape:
        raise ShapeError(
            f"accuracy needs as many predictions as labels, got {predicted.shape} "
            f"and {labels.shape}"
        )
    if predicted.size == 0:
        raise ShapeError("accuracy needs at least one prediction, got none")
    return float(np.mean(predicted == labels))


def bits_max(counts):
    """
    Return the word length that each neuron's counts need, averaged over neurons.

    ``mean over neurons of log2(max k - min k + 1)``.

    Parameters
    ----------
    counts : (n_samples, n_steps, n_neurons) int array
        Spike counts.

    Examples
    --------
    >>> bits_max(np.array([[[0, -1], [1, 1], [3, 0]]]))  # 4 levels, 3 levels
    1.792481250360578
    """
    counts = _as_counts(counts)
    span = counts.max(axis=(0, 1)) - counts.min(axis=(0, 1)) + 1
    return float(np.mean(np.log2(span)))


def bits_entropy(counts):
    """
    Return the empirical entropy of each neuron's counts in bits, averaged.

    Parameters
    ----------
    counts : (n_samples, n_steps, n_neurons) int array
        Spike counts.

    Examples
    --------
    >>> bits_entropy(np.array([[[0], [1], [2], [0]]]))  # 1/2 * 1 + 2 * 1/4 * 2
    1.5
    """
    counts = _as_counts(counts)
    n_observed = counts.shape[0] * counts.shape[1]
    entropy = np.zeros(counts.shape[2])
    for level in np.unique(counts):
        p = np.count_nonzero(counts == level, axis=(0, 1)) / n_observed
        entropy -= np.where(p > 0, p * np.log2(np.where(p > 0, p, 1)), 0)
    return float(np.mean(entropy))


def significant_bits(counts):
    """
    Return the shift-and-adds that each weight needs per step: popcount of ``abs(k)``.

    The mean over samples, steps and neurons.

    Parameters
    ----------
    counts : (n_samples, n_steps, n_neurons) int array
        Spike counts.

    Examples
    --------
    >>> significant_bits(np.array([[[3], [-1], [0], [4]]]))  # 2 + 1 + 0 + 1 of 4
    1.0
    """
    magnitude = np.abs(_as_counts(counts))
    popcount = np.zeros(magnitude.shape, dtype=np.int64)
    while magnitude.any():
        popcount += magnitude & 1
        magnitude >>= 1
    return float(np.mean(popcount))


def spikes_per_step(counts):
    """
    Return the part of (sample, step, neuron) with a spike of any size.

    Parameters
    ----------
    counts : (n_samples, n_steps, n_neurons) int array
        Spike counts.
    """
    return float(np.mean(_as_counts(counts) != 0))


def activity_bits(counts):
    """Return the four bit metrics of one population, by name."""
    return {
        "bits_max": bits_max(counts),
        "bits_entropy": bits_entropy(counts),
        "significant_bits": significant_bits(counts),
        "spikes_per_step": spikes_per_step(counts),
    }


def tallied_bits(levels):
    """
    Return the four bit metrics of counts that were tallied.

    Parameters
    ----------
    levels : (n_neurons, n_levels) int array
        How often each neuron sent each count; the level in the middle is 0.

    Returns
    -------
    dict of str to float
        What `activity_bits` gives for the counts.

    Examples
    --------
    >>> tallied_bits(np.array([[1, 1, 2]]))["bits_entropy"]  # of -1, 0, 1, 1
    1.5
    """
    levels = np.asarray(levels)
    if levels.ndim != 2 or levels.shape[1] % 2 == 0 or not levels.any(axis=1).all():
        raise ShapeError(
            "tallied_bits needs levels of shape (n_neurons, n_levels), an odd number "
            f"of levels, and a count of each neuron; got shape {levels.shape}"
        )
    counts = np.arange(levels.shape[1]) - levels.shape[1] // 2
    popcount = np.array([int(k).bit_count() for k in np.abs(counts)])
    seen = levels > 0
    last = levels.shape[1] - 1 - np.argmax(seen[:, ::-1], axis=1)
    span = last - np.argmax(seen, axis=1) + 1
    part = levels / levels.sum(axis=1, keepdims=True)
    entropy = -np.sum(part * np.log2(np.where(seen, part, 1)), axis=1)
    return {
        "bits_max": float(np.mean(np.log2(span))),
        "bits_entropy": float(np.mean(entropy)),
        "significant_bits": float(np.mean(part @ popcount)),
        "spikes_per_step": float(np.mean(1 - part[:, levels.shape[1] // 2])),
    }


def pareto_front(rows, *, high, low):
    """
    Find what nothing else beats.

    A row is beaten by one that is as good in everything, and better in something.

    Parameters
    ----------
    rows : list of dict
        A value of None counts as the worst there is.
    high, low : tuple of str
        Keys of what should be high, and low.

    Returns
    -------
    list of bool

    Examples
    --------
    >>> rows = [{"right": r, "cost": c} for r, c in ((9, 5), (8, 5), (7, 1))]
    >>> pareto_front(rows, high=("right",), low=("cost",))
    [True, False, True]
    """
    cost = np.array(
        [
            [_cost(row[key], -1) for key in high] + [_cost(row[key], 1) for key in low]
            for row in rows
        ]
    )
    return [
        not np.any(np.all(cost <= own, axis=1) & np.any(cost < own, axis=1))
        for own in cost
    ]


def _cost(value, sign):
    return np.inf if value is None else sign * value


def _as_counts(counts):
    counts = np.asarray(counts)
    is_whole = np.issubdtype(counts.dtype, np.integer)
    if counts.ndim != 3 or counts.size == 0 or not is_whole:
        raise ShapeError(
            "bit metrics need integer counts of shape (n_samples, n_steps, n_neurons), "
            f"got {counts.dtype} of shape {counts.shape}"
        )
    return counts.astype(np.int64)
