"""Shims for NengoDL 3.6.0, written for Keras 2 and Nengo 3, and for its Keras 2."""

import builtins
import functools
import importlib
import os
import random
import sys
import warnings
from importlib import metadata
from types import SimpleNamespace

from nengo_hybrid.compat.shim import AT_ONCE, BEFORE, Shim, installed_version
from nengo_hybrid.exceptions import CompatError

FLAG = "TF_USE_LEGACY_KERAS"
ON = ("1", "true", "True")

# Where the names that nengo_dl.compat imports from Keras 2 are in tf-keras.
IN_TF_KERAS = {
    "keras.engine.functional": "tf_keras.src.engine.functional",
    "keras.layers": "tf_keras.src.layers",
}

ISSUE = "https://github.com/nengo/nengo-dl/issues/238"
SOURCE = "https://github.com/nengo/nengo-dl/blob/v3.6.0/nengo_dl"


def is_last_nengo_dl():
    """Return True for the NengoDL that the shims were written for, or before it."""
    return installed_version("nengo-dl") <= (3, 6, 0)


def lacks_keras_engine():
    """Return True if NengoDL asks for ``keras.engine``, gone in Keras 2.13."""
    return is_last_nengo_dl() and (installed_version("keras") or (3,)) >= (2, 13)


def ask_for_legacy_keras(_):
    """
    Set ``TF_USE_LEGACY_KERAS=1``, so that TensorFlow brings Keras 2 from tf-keras.

    A value that the user chose stands. Without tf-keras nothing is set, since
    TensorFlow would then find no Keras at all.
    """
    if installed_version("tf-keras") is not None:
        os.environ.setdefault(FLAG, "1")
    return os.environ.get(FLAG) in ON


def require_legacy_keras(_):
    """
    Stop the import of NengoDL unless TensorFlow brings, or will bring, Keras 2.

    Raises
    ------
    CompatError
        If tf-keras is missing, if the environment asks for Keras 3, or if TensorFlow
        was imported first.
    """
    if installed_version("tf-keras") is None:
        raise CompatError(
            "nengo_dl needs Keras 2, but tf-keras is not installed. "
            f'Run: pip install "tf-keras=={release_of_tensorflow()}.*"'
        )
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None and not ask_for_legacy_keras(None):
        raise CompatError(
            f"nengo_dl needs Keras 2, but {FLAG}={os.environ[FLAG]} asks for Keras 3. "
            f"Set {FLAG}=1, or do not set it."
        )
    if tensorflow is not None and not brings_legacy_keras(tensorflow):
        raise CompatError(
            "nengo_dl needs Keras 2, but tensorflow was imported before nengo_hybrid "
            f"and brought Keras {metadata.version('keras')}. Write `import "
            "nengo_hybrid` above `import tensorflow` (nengo_loihi imports it too), or "
            f"set {FLAG}=1 before Python starts."
        )
    return True


def release_of_tensorflow():
    """Return the first two numbers of the installed TensorFlow, as in ``"2.21"``."""
    found = installed_version("tensorflow") or installed_version("tensorflow-cpu")
    return ".".join(map(str, (found or (2, 21))[:2]))


def brings_legacy_keras(tensorflow):
    """Return True if ``tf.keras`` of an imported TensorFlow is Keras 2."""
    return tensorflow.keras.Model.__module__.partition(".")[0] == "tf_keras"


def import_keras_from_tf_keras(module):
    """
    Give one module an ``import`` statement that finds Keras 2 in tf-keras.

    Python looks ``__import__`` up in the builtins of the module that imports, so no
    other module is reached.
    """

    def import_here(name, globals=None, locals=None, fromlist=(), level=0):
        if level == 0 and fromlist and name in IN_TF_KERAS:
            return importlib.import_module(IN_TF_KERAS[name])
        return builtins.__import__(name, globals, locals, fromlist, level)

    module.__dict__["__builtins__"] = {**vars(builtins), "__import__": import_here}
    return True


def meets_nengo_4():
    """Return True if this NengoDL meets Nengo 4, whose filters hold D as a matrix."""
    nengo = installed_version("nengo")
    return is_last_nengo_dl() and nengo is not None and nengo >= (4,)


def build_filters_from_vectors(module):
    """
    Let NengoDL build a ``LinearFilter`` that has feedthrough, or no state.

    It reads the feedthrough D of each step as a vector, as it was up to Nengo 3.
    """
    build_pre = module.LinearFilterBuilder.build_pre
    if hasattr(build_pre, "__wrapped__"):
        return True

    @functools.wraps(build_pre)
    def build_pre_from_vectors(self, signals, config):
        ops = self.ops
        self.ops = tuple(map(with_vector_feedthrough, ops))
        try:
            build_pre(self, signals, config)
        finally:
            self.ops = ops

    module.LinearFilterBuilder.build_pre = build_pre_from_vectors
    return True


def with_vector_feedthrough(op):
    """Return a stand-in for one filter's operator, whose steps hold D of shape (1,)."""

    def make_step(*args, **kwargs):
        step = op.process.make_step(*args, **kwargs)
        step.D = step.D.ravel()
        return step

    process = SimpleNamespace(make_state=op.process.make_state, make_step=make_step)
    return SimpleNamespace(
        input=op.input, output=op.output, state=op.state, process=process
    )


def expect_nengo_4(_):
    """Drop the one warning that NengoDL was not tested with this Nengo."""
    warnings.filterwarnings(
        "ignore",
        "This version of NengoDL has not been tested",
        module=r"nengo_dl\.version",
    )
    return True


def draws_seeds_up_to_a_float():
    """Return True if tf-keras draws a whole number up to a float, on Python 3.12."""
    return sys.version_info >= (3, 12) and installed_version("tf-keras") < (2, 19)


def draw_whole_seeds(backend):
    """Let tf-keras draw seeds up to 10**9, and not 1e9, where one was set for all."""

    def create_seed(self, user_specified_seed):
        if user_specified_seed is not None:
            return user_specified_seed
        generator = getattr(backend._SEED_GENERATOR, "generator", None) or random
        return generator.randint(1, 10**9)

    backend.RandomGenerator._create_seed = create_seed
    return True


DL_SHIMS = (
    Shim(
        name="nengo-dl-legacy-keras",
        library="nengo-dl",
        module="tensorflow",
        defect="NengoDL is written for Keras 2; TensorFlow 2.16 and later brings "
        "Keras 3 unless it is asked before its import",
        link=ISSUE,
        goes_when="nengo-dl > 3.6.0 runs on Keras 3",
        condition=lacks_keras_engine,
        apply=ask_for_legacy_keras,
        runs=AT_ONCE,
    ),
    Shim(
        name="nengo-dl-import-order",
        library="nengo-dl",
        module="nengo_dl",
        defect="NengoDL on Keras 3 fails deep inside, with no word on what to do",
        link=ISSUE,
        goes_when="nengo-dl > 3.6.0 runs on Keras 3",
        condition=lacks_keras_engine,
        apply=require_legacy_keras,
        runs=BEFORE,
    ),
    Shim(
        name="nengo-dl-keras-engine",
        library="nengo-dl",
        module="nengo_dl.compat",
        defect="nengo_dl.compat imports keras.engine and BatchNormalizationV1 and V2, "
        "which are gone from Keras since 2.13",
        link=ISSUE,
        goes_when="nengo-dl > 3.6.0 imports without keras.engine",
        condition=lacks_keras_engine,
        apply=import_keras_from_tf_keras,
        runs=BEFORE,
    ),
    Shim(
        name="nengo-dl-filter-feedthrough",
        library="nengo-dl",
        module="nengo_dl.process_builders",
        defect="NengoDL cannot build a LinearFilter with feedthrough, or without "
        "state, from Nengo 4, which holds D as a matrix; none filed",
        link=f"{SOURCE}/process_builders.py",
        goes_when="nengo-dl > 3.6.0 passes test_zero_matrices on Nengo 4",
        condition=meets_nengo_4,
        apply=build_filters_from_vectors,
    ),
    Shim(
        name="nengo-dl-untested-warning",
        library="nengo-dl",
        module="nengo_dl.version",
        defect="NengoDL warns at import that it was not tested with Nengo 4, as it is "
        "in tests/parity; none filed",
        link=f"{SOURCE}/version.py",
        goes_when="nengo-dl > 3.6.0 names Nengo 4 as tested",
        condition=meets_nengo_4,
        apply=expect_nengo_4,
        runs=BEFORE,
    ),
    Shim(
        name="tf-keras-whole-seeds",
        library="tf-keras",
        module="tf_keras.src.backend",
        defect="after keras.utils.set_random_seed, tf-keras draws a whole number up to "
        "1e9, a float, which Python 3.12 refuses",
        link="https://github.com/keras-team/tf-keras/issues/803",
        goes_when="tf-keras > 2.18 is the least that is taken",
        condition=draws_seeds_up_to_a_float,
        apply=draw_whole_seeds,
    ),
)
