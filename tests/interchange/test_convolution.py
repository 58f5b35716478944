"""A convolution as a matrix: by hand, and against SciPy's."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import correlate

from nengo_hybrid.exceptions import InterchangeError
from nengo_hybrid.interchange.convolution import MAX_ENTRIES, convolution_matrix

PLAIN = {"stride": (1,), "padding": (0,), "dilation": (1,), "groups": 1}


def test_a_kernel_of_two_is_a_band_of_two():
    matrix, shape = convolution_matrix(np.array([[[1, 2]]]), (1, 3), **PLAIN)
    assert shape == (1, 2)
    assert matrix.toarray().tolist() == [[1, 2, 0], [0, 1, 2]]


def test_weights_of_zero_are_entries():
    matrix, _ = convolution_matrix(np.zeros((2, 1, 2)), (1, 3), **PLAIN)
    assert matrix.nnz == 2 * 2 * 2


@given(
    st.integers(1, 2),
    st.integers(1, 2),
    st.integers(1, 2),
    st.data(),
)
def test_it_is_what_scipy_correlates(n_dims, groups, per_group, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    small = st.tuples(*[st.integers(1, 3)] * n_dims)
    stride, dilation, sizes = (data.draw(small) for _ in range(3))
    padding = data.draw(st.tuples(*[st.integers(0, 2)] * n_dims))
    kernel = rng.integers(-5, 6, (groups * 2, per_group, *sizes))
    spatial = tuple(
        d * (k - 1) + 1 + int(rng.integers(3))
        for d, k in zip(dilation, sizes, strict=True)
    )
    x = rng.integers(-5, 6, (groups * per_group, *spatial))
    steps = {"stride": stride, "padding": padding, "dilation": dilation}
    matrix, shape = convolution_matrix(kernel, x.shape, groups=groups, **steps)
    padded = np.pad(x, [(0, 0), *((p, p) for p in padding)])
    every = tuple(slice(None, None, s) for s in stride)
    wanted = []
    for o in range(len(kernel)):
        wide = np.zeros(
            [
                per_group,
                *(d * (k - 1) + 1 for d, k in zip(dilation, sizes, strict=True)),
            ]
        )
        wide[(slice(None), *(slice(None, None, d) for d in dilation))] = kernel[o]
        first = o // 2 * per_group
        seen = padded[first : first + per_group]
        wanted.append(correlate(seen, wide, "valid")[0][every])
    np.testing.assert_allclose((matrix @ x.ravel()).reshape(shape), wanted)


@pytest.mark.parametrize(
    "kernel, shape, changed, words",
    [
        (
            (1, 1, 4),
            (1, 3),
            {},
            "a kernel of (4,) on an input of (3,) leaves (0,); at least 1 is needed",
        ),
        (
            (1, 1, 2),
            (1, 3, 3),
            {},
            "a kernel of shape (1, 1, 2) needs an input of channels and 1 sizes, got "
            "(1, 3, 3)",
        ),
        (
            (1, 1, 2),
            (1, 3),
            {"stride": (0,)},
            "a kernel of shape (1, 1, 2) needs a stride of at least 1 for each of 1 "
            "dimensions, got (0,)",
        ),
        (
            (1, 1, 2),
            (1, 3),
            {"padding": (-1,)},
            "a kernel of shape (1, 1, 2) needs a padding of at least 0 for each of 1 "
            "dimensions, got (-1,)",
        ),
        (
            (1, 1, 2),
            (2, 3),
            {},
            "a kernel of shape (1, 1, 2) in 1 groups does not fit an input of 2 "
            "channels",
        ),
        (
            (1, 1, 2),
            (1, 3),
            {"padding": (MAX_ENTRIES,)},
            "a kernel of shape (1, 1, 2) on an input of (1, 3) is a matrix of "
            "536,870,916 entries; 134,217,728 are the most",
        ),
    ],
)
def test_what_does_not_fit_is_refused(kernel, shape, changed, words):
    with pytest.raises(InterchangeError, match=f"^{re.escape(words)}$"):
        convolution_matrix(np.ones(kernel), shape, **PLAIN | changed)
