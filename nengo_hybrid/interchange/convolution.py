"""A convolution as the matrix that it is: `convolution_matrix`."""

import itertools
import math

import numpy as np
from scipy import sparse

from nengo_hybrid.exceptions import InterchangeError

# Entries of a matrix, so that a small file cannot ask for a large one.
MAX_ENTRIES = 2**27


def output_sizes(sizes, kernel, *, stride, padding, dilation):
    """
    Return the sizes that a convolution gives, one for each of its dimensions.

    Examples
    --------
    >>> output_sizes((5, 8), (3, 3), stride=(2, 1), padding=(0, 1), dilation=(1, 1))
    (2, 8)
    """
    return tuple(
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(sizes, kernel, stride, padding, dilation, strict=True)
    )


def convolution_matrix(kernel, input_shape, *, stride, padding, dilation, groups):
    """
    Write a convolution, as PyTorch defines it, as a sparse matrix.

    Parameters
    ----------
    kernel : (n_out, n_in / groups, *sizes) array
        Not turned around: what is called a correlation in mathematics.
    input_shape : tuple of int
        Channels, then a size for each dimension of the kernel.
    stride, padding, dilation : tuple of int
        One for each dimension; what is padded is zero.
    groups : int

    Returns
    -------
    matrix : (n_outputs, n_inputs) scipy.sparse.csr_array
        Channels first, the last dimension fastest. Weights of zero are entries too.
    output_shape : tuple of int

    Raises
    ------
    InterchangeError
        If sizes do not fit together, or the matrix would be out of proportion.
    """
    steps = {"stride": stride, "padding": padding, "dilation": dilation}
    n_out, n_in, sizes = len(kernel), input_shape[0], input_shape[1:]
    _check(kernel, input_shape, steps, groups)
    output = output_sizes(sizes, kernel.shape[2:], **steps)
    if min(output) < 1:
        raise InterchangeError(
            f"a kernel of {kernel.shape[2:]} on an input of {sizes} leaves {output}; "
            "at least 1 is needed"
        )
    n_entries = kernel.size * math.prod(output)
    if n_entries > MAX_ENTRIES:
        raise InterchangeError(
            f"a kernel of shape {kernel.shape} on an input of {input_shape} is a "
            f"matrix of {n_entries:,} entries; {MAX_ENTRIES:,} are the most"
        )
    post, pre, tap = _taps(sizes, output, kernel.shape[2:], **steps)
    channels = np.arange(n_out)[:, None, None]
    per_group = np.arange(kernel.shape[1])[:, None]
    group = channels // (n_out // groups)
    weights = kernel.reshape(n_out, kernel.shape[1], -1)[:, :, tap]
    rows = channels * math.prod(output) + post
    columns = (group * kernel.shape[1] + per_group) * math.prod(sizes) + pre
    shape = n_out * math.prod(output), n_in * math.prod(sizes)
    rows, columns = (np.broadcast_to(x, weights.shape).ravel() for x in (rows, columns))
    matrix = sparse.coo_array((weights.ravel(), (rows, columns)), shape=shape)
    return matrix.tocsr(), (n_out, *output)


def _taps(sizes, output, kernel, *, stride, padding, dilation):
    """
    Pair places of the output with those of the input that they see.

    Returns
    -------
    tuple of (n,) int array
        Place in the output, place in the input, and place in the kernel.
    """
    found = []
    grid = np.meshgrid(*map(np.arange, output), indexing="ij")
    for number, tap in enumerate(itertools.product(*map(range, kernel))):
        seen = [
            g * s - p + k * d
            for g, s, p, k, d in zip(grid, stride, padding, tap, dilation, strict=True)
        ]
        inside = np.logical_and.reduce(
            [(x >= 0) & (x < n) for x, n in zip(seen, sizes, strict=True)]
        )
        pre = np.ravel_multi_index([x[inside] for x in seen], sizes)
        post = np.flatnonzero(inside)
        found.append((post, pre, np.full(len(post), number)))
    return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))


def _check(kernel, input_shape, steps, groups):
    n_dims = kernel.ndim - 2
    if len(input_shape) != n_dims + 1:
        raise InterchangeError(
            f"a kernel of shape {kernel.shape} needs an input of channels and {n_dims} "
            f"sizes, got {input_shape}"
        )
    for name, values in steps.items():
        least = 0 if name == "padding" else 1
        if len(values) != n_dims or min(values) < least:
            raise InterchangeError(
                f"a kernel of shape {kernel.shape} needs a {name} of at least {least} "
                f"for each of {n_dims} dimensions, got {values}"
            )
    if groups < 1 or len(kernel) % groups or input_shape[0] != kernel.shape[1] * groups:
        raise InterchangeError(
            f"a kernel of shape {kernel.shape} in {groups} groups does not fit an "
            f"input of {input_shape[0]} channels"
        )
