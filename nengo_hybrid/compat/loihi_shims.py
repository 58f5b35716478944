"""Shims for NengoLoihi 1.1.0, which was written for NumPy 1 and Nengo 3."""

import warnings

from nengo_hybrid.compat.numpy1 import give_numpy_1
from nengo_hybrid.compat.shim import BEFORE, Shim, installed_version


def is_last_nengo_loihi():
    """Return True for NengoLoihi 1.1.0 and before, the releases that these shims were written against."""
    return (installed_version("nengo-loihi") or (0,)) <= (1, 1, 0)


def meets_numpy_2():
    """Return True if this NengoLoihi runs on NumPy 2 or later."""
    return is_last_nengo_loihi() and installed_version("numpy") >= (2,)


def nengo_is_newer_than_tested():
    """Return True if NengoLoihi warns that it never met the installed Nengo."""
    return is_last_nengo_loihi() and (installed_version("nengo") or (0,)) > (3, 2, 0)


def expect_newer_nengo(_):
    """Drop the one warning that NengoLoihi was not tested with this Nengo: here it is."""
    warnings.filterwarnings("ignore", "This version of `nengo_loihi` has not been", module=r"nengo_loihi\.version")
    return True


def numpy_shim(module, defect):
    """Return the shim that lets one module of NengoLoihi run on NumPy 2."""
    part = module.rpartition(".")[2]
    return Shim(
        name=f"nengo-loihi-numpy-2-{part}",
        library="nengo-loihi",
        module=module,
        defect=defect,
        link=f"https://github.com/nengo/nengo-loihi/blob/main/nengo_loihi/{part}.py",
        goes_when="nengo-loihi > 1.1.0 passes its tests on NumPy 2",
        condition=meets_numpy_2,
        apply=give_numpy_1,
    )


LOIHI_SHIMS = (
    numpy_shim("nengo_loihi.block", "np.array(..., copy=False) raises on NumPy 2 where it must copy; none filed"),
    numpy_shim("nengo_loihi.neurons", "np.array(..., copy=False) raises on NumPy 2 where it must copy; none filed"),
    numpy_shim("nengo_loihi.dvs", "np.fromstring no longer reads bytes on NumPy 2; none filed"),
    Shim(
        name="nengo-loihi-untested-warning",
        library="nengo-loihi",
        module="nengo_loihi.version",
        defect="NengoLoihi warns at every import that it was not tested with Nengo 4; none filed",
        link="https://github.com/nengo/nengo-loihi/blob/main/nengo_loihi/version.py",
        goes_when="nengo-loihi > 1.1.0 names Nengo 4 as tested",
        condition=nengo_is_newer_than_tested,
        apply=expect_newer_nengo,
        runs=BEFORE,
    ),
)
