"""Shims for NengoLoihi 1.1.0, which was written for NumPy 1 and Nengo 3."""

import warnings

from nengo_hybrid.compat.numpy1 import give_numpy_1
from nengo_hybrid.compat.shim import BEFORE, Shim, installed_version

SOURCE = "https://github.com/nengo/nengo-loihi/blob/v1.1.0/nengo_loihi"
COPY_RAISES = (
    "np.array(..., copy=False) raises on NumPy 2 where it has to copy; none filed"
)


def is_last_nengo_loihi():
    """Return True for the NengoLoihi that the shims were written for, or before it."""
    return installed_version("nengo-loihi") <= (1, 1, 0)


def meets_numpy_2():
    """Return True if this NengoLoihi runs on NumPy 2 or later."""
    return is_last_nengo_loihi() and installed_version("numpy") >= (2,)


def meets_newer_nengo():
    """Return True if NengoLoihi warns that it never met the installed Nengo."""
    nengo = installed_version("nengo")
    return is_last_nengo_loihi() and nengo is not None and nengo > (3, 2, 0)


def expect_newer_nengo(_):
    """Drop the one warning that NengoLoihi was not tested with this Nengo."""
    warnings.filterwarnings(
        "ignore",
        "This version of `nengo_loihi` has not been tested",
        module=r"nengo_loihi\.version",
    )
    return True


def numpy_shim(part, defect):
    """Return the shim that lets one module of NengoLoihi run on NumPy 2."""
    return Shim(
        name=f"nengo-loihi-numpy-2-{part}",
        library="nengo-loihi",
        module=f"nengo_loihi.{part}",
        defect=defect,
        link=f"{SOURCE}/{part}.py",
        goes_when="nengo-loihi > 1.1.0 passes its tests on NumPy 2",
        condition=meets_numpy_2,
        apply=give_numpy_1,
    )


LOIHI_SHIMS = (
    numpy_shim("block", COPY_RAISES),
    numpy_shim("neurons", COPY_RAISES),
    numpy_shim("dvs", "np.fromstring reads no bytes on NumPy 2.3; none filed"),
    Shim(
        name="nengo-loihi-untested-warning",
        library="nengo-loihi",
        module="nengo_loihi.version",
        defect="NengoLoihi warns at import that it was not tested with Nengo 4, as it "
        "is in tests/parity; none filed",
        link=f"{SOURCE}/version.py",
        goes_when="nengo-loihi > 1.1.0 names Nengo 4 as tested",
        condition=meets_newer_nengo,
        apply=expect_newer_nengo,
        runs=BEFORE,
    ),
)
