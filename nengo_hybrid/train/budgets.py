"""
Budgets: what a population may spend on rates and bits before it adds to the loss.

Voltages are uniform at every step, so a rate that comes to u counts a step sends the
next whole number with probability p, the fractional part of u, and the one below it
else. The bits and spikes that this costs in the mean are therefore known exactly, and
they have a gradient.
"""

import math

import tensorflow as tf

from nengo_hybrid.exceptions import TrainError
from nengo_hybrid.neurons import HybridSpiking
from nengo_hybrid.parameters import find_ensemble


def significant_bits(counts):
    """
    Return the mean of the significant bits that are sent.

    Parameters
    ----------
    counts : (n_samples, n_steps, n_neurons) tensor
        What the rates come to, counts a step; not whole.

    Returns
    -------
    scalar tensor
        The expectation of `nengo_hybrid.metrics.significant_bits` over voltages.
    """
    below = tf.floor(counts)
    part = counts - below
    return tf.reduce_mean((1 - part) * _popcount(below) + part * _popcount(below + 1))


def spikes_per_step(counts):
    """Return the part of steps with a spike, in the mean; see `significant_bits`."""
    return tf.reduce_mean(tf.minimum(tf.abs(counts), 1.0))


def bits_max(counts):
    """
    Return the word length of a neuron's counts, averaged over neurons.

    Of the samples given: more of them have more extremes. Backward it is the word
    length of the rates themselves, which need not be whole.

    Parameters
    ----------
    counts : (n_samples, n_steps, n_neurons) tensor

    Returns
    -------
    scalar tensor
        The most that `nengo_hybrid.metrics.bits_max` can be over voltages.
    """
    low, high = (f(counts, axis=(0, 1)) for f in (tf.reduce_min, tf.reduce_max))
    smooth = _mean_log2(high - low + 1)
    whole = _mean_log2(tf.math.ceil(high) - tf.floor(low) + 1)
    return smooth + tf.stop_gradient(whole - smooth)


MEASURES = {
    "bits_max": bits_max,
    "significant_bits": significant_bits,
    "spikes_per_step": spikes_per_step,
}
RATE = "rate"


def penalty(limits, rates, counts_per_rate):
    """
    Return what a population adds to the loss by what it spends over its budgets.

    The square of the excess; of "rate" the mean of each neuron's in each step, of
    others that of the measure over all neurons, steps and samples.

    Parameters
    ----------
    limits : dict of str to float
        By measure: "rate" or one of `MEASURES`.
    rates : (n_samples, n_steps, n_neurons) tensor
    counts_per_rate : scalar tensor or None
        None for a population that sends no counts; then "rate" alone can be limited.

    Returns
    -------
    scalar tensor
    """
    total = tf.zeros((), rates.dtype)
    for name, limit in limits.items():
        spent = rates if name == RATE else MEASURES[name](counts_per_rate * rates)
        excess = tf.square(tf.nn.relu(spent - limit))
        total += (
            tf.reduce_mean(tf.reduce_mean(excess, (1, 2))) if name == RATE else excess
        )
    return total


def without_rates(budgets):
    """
    Return the budgets of what spikes cost, by which an epoch is chosen.

    A limit of rates shapes them; what single neurons are over it costs nothing by
    itself.
    """
    left = {
        ensemble: {name: limit for name, limit in limits.items() if name != RATE}
        for ensemble, limits in budgets.items()
    }
    return {ensemble: limits for ensemble, limits in left.items() if limits}


def check_budgets(network, budgets):
    """
    Refuse budgets that no population of a network can have.

    Parameters
    ----------
    network : nengo.Network
    budgets : dict of str to dict of str to float
        By ensemble and measure.

    Raises
    ------
    BuildError
        If there is no such ensemble.
    TrainError
        If a measure is unknown, a limit not a finite number of at least 0, or bits
        are asked of neurons that send no counts.
    """
    for ensemble, limits in budgets.items():
        neuron_type = find_ensemble(network, ensemble).neuron_type
        for name, limit in limits.items():
            if name != RATE and name not in MEASURES:
                raise TrainError(
                    f"budgets of {ensemble}: unknown measure {name!r}; it knows "
                    f"{', '.join([RATE, *MEASURES])}"
                )
            if not (math.isfinite(limit) and limit >= 0):
                raise TrainError(
                    f"budgets of {ensemble} need a finite {name} of at least 0, got "
                    f"{limit!r}"
                )
            if name != RATE and not isinstance(neuron_type, HybridSpiking):
                raise TrainError(
                    f"budgets of {ensemble} cannot limit {name}, since it sends no "
                    f"counts; needed HybridSpiking neurons, got {neuron_type}"
                )


def _mean_log2(values):
    return tf.reduce_mean(tf.math.log(values)) / math.log(2)


def _popcount(whole):
    sizes = tf.cast(tf.abs(whole), tf.int32)
    return tf.cast(tf.raw_ops.PopulationCount(x=sizes), whole.dtype)
