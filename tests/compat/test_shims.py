import sys

import pytest

from nengo_hybrid import compat
from nengo_hybrid.compat import SHIMS
from nengo_hybrid.compat.shim import version_numbers

OLDEST = {
    "nengo": "4.1.0",
    "nengo-dl": "3.6.0",
    "nengo-loihi": "1.1.0",
    "numpy": "1.26.4",
    "keras": "3.12.4",
    "tensorflow": "2.16.2",
    "tf-keras": "2.16.0",
}
NEWEST = {**OLDEST, "numpy": "2.4.6", "keras": "3.15.1", "tf-keras": "2.21.0"}
NUMPY_2_0 = {**OLDEST, "numpy": "2.0.2"}

ON_NUMPY_1 = {"nengo-cache-numpy-2"}
ON_NUMPY_2_0 = {
    "nengo-expm-product",
    "nengo-loihi-numpy-2-block",
    "nengo-loihi-numpy-2-neurons",
    "nengo-loihi-numpy-2-dvs",
}
ON_NUMPY_2_4 = {"nengo-filt-vector", "nengo-expm-norm"}
ON_PYTHON_3_12 = {"tf-keras-whole-seeds"} if sys.version_info >= (3, 12) else set()
WHATEVER_NUMPY = {
    "nengo-dl-legacy-keras",
    "nengo-dl-import-order",
    "nengo-dl-keras-engine",
    "nengo-dl-filter-feedthrough",
    "nengo-dl-untested-warning",
    "nengo-loihi-untested-warning",
}


def needed():
    return {name for name, shim in SHIMS.items() if shim.is_needed()}


@pytest.mark.parametrize("name", SHIMS)
def test_a_shim_says_what_it_mends_and_when_it_goes(name):
    shim = SHIMS[name]
    assert shim.name == name
    assert name.startswith(shim.library)
    assert len(shim.defect) > 20
    assert shim.link.startswith("https://github.com/")
    assert f"{shim.library} > " in shim.goes_when


@pytest.mark.parametrize(
    "versions, expected",
    [
        (OLDEST, WHATEVER_NUMPY | ON_PYTHON_3_12 | ON_NUMPY_1),
        (NUMPY_2_0, WHATEVER_NUMPY | ON_PYTHON_3_12 | ON_NUMPY_2_0),
        (NEWEST, WHATEVER_NUMPY | ON_NUMPY_2_0 | ON_NUMPY_2_4),
    ],
)
def test_what_is_needed_goes_by_the_installed_versions(
    pretend_installed, versions, expected
):
    pretend_installed(versions)
    assert needed() == expected


def test_nothing_is_needed_once_the_libraries_moved_on(pretend_installed):
    later = {"nengo": "4.2.0", "nengo-dl": "3.7.0", "nengo-loihi": "1.2.0"}
    pretend_installed({**NEWEST, **later})
    assert needed() == set()


def test_little_is_needed_on_the_versions_they_were_written_for(pretend_installed):
    first = {"nengo": "3.2.0", "numpy": "1.23.5", "keras": "2.10.0"}
    pretend_installed({**NEWEST, **first})
    assert needed() == ON_NUMPY_1


@pytest.mark.parametrize("library", ["nengo", "nengo-dl", "nengo-loihi"])
def test_an_absent_library_is_left_alone(pretend_installed, library):
    pretend_installed({name: v for name, v in NEWEST.items() if name != library})
    for state in compat.states():
        if state.shim.library == library:
            assert not state.shim.is_needed()
            assert state.state == "not installed"


def test_every_shim_of_this_environment_has_a_state():
    states = {state.shim.name: state.state for state in compat.states()}
    assert list(states) == list(SHIMS)
    for name, state in states.items():
        shim = SHIMS[name]
        assert (state == "not installed") == (not shim.is_installed())
        if shim.is_needed():
            assert state in ("waiting", "applied", "too late")


@pytest.mark.parametrize(
    "text, numbers",
    [
        ("2.21.0", (2, 21, 0)),
        ("2.16.0rc1", (2, 16, 0)),
        ("4.1.0.dev0", (4, 1, 0)),
        ("2.4", (2, 4)),
        ("unknown", ()),
    ],
)
def test_version_numbers(text, numbers):
    assert version_numbers(text) == numbers


def test_importing_the_package_imports_none_of_the_three(run_fresh):
    status, printed, errors = run_fresh(
        """
        import sys
        import nengo_hybrid
        names = "tensorflow", "keras", "tf_keras", "nengo_dl", "nengo_loihi"
        print([name for name in names if name in sys.modules])
        """
    )
    assert (status, printed) == (0, "[]\n"), errors
