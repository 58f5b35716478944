from types import ModuleType

import nengo
import numpy as np
import pytest
import scipy.linalg
from nengo.utils.filter_design import cont2discrete

from nengo_hybrid.compat.nengo_shims import miss_what_cannot_be_read
from nengo_hybrid.compat.numpy1 import Numpy1

LOWPASS = nengo.Lowpass(0.01)


def test_a_vector_is_filtered_like_a_column():
    signal = np.sin(np.arange(50) / 5)
    assert np.array_equal(LOWPASS.filt(signal), LOWPASS.filt(signal[:, None])[:, 0])


def test_a_lowpass_of_a_step_by_hand():
    # y[t+1] = a y[t] + (1 - a), with a = exp(-dt / tau) = exp(-0.1)
    a = np.exp(-0.1)
    assert np.allclose(LOWPASS.filt([1, 1, 1]), [1 - a, 1 - a**2, 1 - a**3])


def test_a_vector_is_filtered_in_place_if_asked():
    signal = np.ones(5)
    filtered = LOWPASS.filt(signal, copy=False)
    assert np.shares_memory(signal, filtered)
    assert np.array_equal(signal, filtered)
    assert signal[0] < 1


def test_a_vector_is_left_as_it_is_otherwise():
    signal = np.ones(5)
    LOWPASS.filt(signal)
    assert np.array_equal(signal, np.ones(5))


def test_filtering_forth_and_back_keeps_its_keywords():
    signal = np.sin(np.arange(50) / 5)
    column = LOWPASS.filt(signal[:, None], y0=0.5, filtfilt=True, dt=0.002)
    assert np.array_equal(
        LOWPASS.filt(signal, y0=0.5, filtfilt=True, dt=0.002), column[:, 0]
    )


def test_more_axes_are_filtered_along_the_axis_asked_for():
    signal = np.sin(np.arange(60).reshape(3, 20))
    rows = [LOWPASS.filt(row) for row in signal]
    assert np.allclose(LOWPASS.filt(signal, axis=1), rows)


@pytest.mark.parametrize("scale", [0.01, 1, 50])
def test_a_filter_of_order_256_is_discretized(rng_256, scale):
    # The scales take all ways through the matrix exponential.
    A = rng_256 * scale
    B, C, D = np.ones((256, 1)), np.ones((1, 256)), np.zeros((1, 1))
    discrete = cont2discrete((A, B, C, D), dt=1.0)[0]
    exact = scipy.linalg.expm(A)
    assert np.allclose(discrete, exact, rtol=1e-9, atol=1e-12 * np.abs(exact).max())


@pytest.fixture
def rng_256():
    return np.random.default_rng(0).normal(size=(256, 256)) / 16


def test_a_cache_entry_of_another_numpy_is_a_miss():
    def read(fileobj):
        raise ModuleNotFoundError("No module named 'numpy._core.numeric'")

    cache = ModuleType("cache")
    cache.nco = ModuleType("nco")
    cache.nco.read, cache.nco.write = read, print
    assert miss_what_cannot_be_read(cache) and miss_what_cannot_be_read(cache)
    with pytest.raises(KeyError, match="^'cached under another NumPy'$"):
        cache.nco.read(None)
    assert cache.nco.write is print


@pytest.mark.skipif(np.__version__[0] == "1", reason="Numpy1 is for NumPy 2")
def test_array_copies_where_it_must_and_only_there():
    np1 = Numpy1()
    floats = np.ones(3)
    assert np1.array(floats, copy=False) is floats
    assert np1.array(floats, copy=False, dtype=int).tolist() == [1, 1, 1]
    assert not np.shares_memory(np1.array(floats), floats)


def test_fromstring_reads_bytes_into_an_array_of_its_own():
    read = Numpy1().fromstring(b"\x01\x00\x02", np.uint8)
    assert read.tolist() == [1, 0, 2]
    read[0] = 9
    assert read.tolist() == [9, 0, 2]


def test_in1d_is_flat():
    found = Numpy1().in1d([[1, 2], [3, 4]], [2, 3])
    assert found.tolist() == [False, True, True, False]


def test_find_common_type_holds_both():
    common = Numpy1().find_common_type([np.dtype("f4"), np.dtype("f8")], [])
    assert common == np.dtype("f8")


def test_all_else_is_numpy_itself():
    assert Numpy1().dot is np.dot
    assert Numpy1().__version__ == np.__version__
    with pytest.raises(AttributeError, match="no attribute 'no_such_name'"):
        Numpy1().no_such_name  # noqa: B018
