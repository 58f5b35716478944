"""Shims for NengoDL 3.6.0, which was written for TensorFlow up to 2.12 and its Keras 2."""

import builtins
import functools
import importlib
import os
import sys
import warnings
from importlib import metadata
from types import SimpleNamespace

from nengo_hybrid.compat.shim import AT_ONCE, BEFORE, Shim, installed_version
from nengo_hybrid.exceptions import CompatError

LEGACY_FLAG = "TF_USE_LEGACY_KERAS"
LEGACY_ON = ("1", "true", "True")

TF_KERAS_HOME = {
    "keras.engine.functional": "tf_keras.src.engine.functional",
    "keras.layers": "tf_keras.src.layers",
}


def lacks_keras_engine():
    """Return True if this NengoDL asks for ``keras.engine`` and the installed Keras (2.13 or later) has none."""
    return is_last_nengo_dl() and (installed_version("keras") or (3,)) >= (2, 13)


def is_last_nengo_dl():
    """Return True for NengoDL 3.6.0 and before, the releases that these shims were written against."""
    return (installed_version("nengo-dl") or (0,)) <= (3, 6, 0)


def ask_for_legacy_keras(_):
    """
    Set ``TF_USE_LEGACY_KERAS=1``, so that TensorFlow brings Keras 2 from tf-keras.

    A value the user chose stands. Nothing is set while tf-keras is missing: TensorFlow could then not load any Keras.
    """
    if installed_version("tf-keras") is not None:
        os.environ.setdefault(LEGACY_FLAG, "1")
    return os.environ.get(LEGACY_FLAG) in LEGACY_ON


def require_legacy_keras(_):
    """
    Stop the import of NengoDL with the line to write, if TensorFlow does not bring Keras 2.

    Raises
    ------
    CompatError
        If tf-keras is missing, if ``TF_USE_LEGACY_KERAS`` asks for Keras 3, or if TensorFlow was imported first.
    """
    if installed_version("tf-keras") is None:
        raise CompatError(
            "nengo_dl needs Keras 2, but tf-keras is not installed. "
            f'Run: pip install "tf-keras=={matching_tf_keras()}"'
        )
    tensorflow = sys.modules.get("tensorflow")
    flag = os.environ.get(LEGACY_FLAG)
    if tensorflow is None and flag not in LEGACY_ON:
        raise CompatError(
            f"nengo_dl needs Keras 2, but {LEGACY_FLAG}={flag!r} asks for Keras 3. "
            f"Set {LEGACY_FLAG}=1, or do not set it and import nengo_hybrid first."
        )
    if tensorflow is not None and not brings_legacy_keras(tensorflow):
        raise CompatError(
            "nengo_dl needs Keras 2, but tensorflow was imported before nengo_hybrid and brought Keras "
            f"{metadata.version('keras')}. Write `import nengo_hybrid` above `import tensorflow`, "
            f"or set {LEGACY_FLAG}=1 before Python starts."
        )
    return True


def matching_tf_keras():
    """Return the tf-keras release that goes with the installed TensorFlow, as in ``"2.21.*"``."""
    tensorflow = installed_version("tensorflow") or (2, 21)
    return ".".join(map(str, tensorflow[:2])) + ".*"


def brings_legacy_keras(tensorflow):
    """Return True if ``tf.keras`` of an imported TensorFlow is the one from tf-keras."""
    return tensorflow.keras.Model.__module__.partition(".")[0] == "tf_keras"


def import_keras_from_tf_keras(module):
    """
    Give one module an ``import`` statement that finds Keras 2 names in tf-keras.

    Python looks ``__import__`` up in the builtins of the importing module, so the change reaches no other module.
    """

    def import_here(name, globals=None, locals=None, fromlist=(), level=0):
        if level == 0 and fromlist and name in TF_KERAS_HOME:
            return importlib.import_module(TF_KERAS_HOME[name])
        return builtins.__import__(name, globals, locals, fromlist, level)

    module.__dict__["__builtins__"] = {**vars(builtins), "__import__": import_here}
    return True


def gets_matrix_feedthrough():
    """Return True if Nengo 4 gives this NengoDL the feedthrough D of a filter as a matrix, once a vector."""
    return is_last_nengo_dl() and (installed_version("nengo") or (0,)) >= (4,)


def build_filters_with_vector_feedthrough(module):
    """Let NengoDL build a ``LinearFilter`` without state, or with feedthrough, from the steps of Nengo 4."""
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
    """Return a stand-in for a ``SimProcess`` of a `nengo.LinearFilter`, whose steps hold D with shape (1,)."""

    def make_step(*args, **kwargs):
        step = op.process.make_step(*args, **kwargs)
        step.D = step.D.ravel()
        return step

    process = SimpleNamespace(make_state=op.process.make_state, make_step=make_step)
    return SimpleNamespace(input=op.input, output=op.output, state=op.state, process=process)


def nengo_is_newer_than_tested():
    """Return True if NengoDL warns that it never met the installed Nengo."""
    return is_last_nengo_dl() and (installed_version("nengo") or (0,)) > (3, 2, 0)


def expect_newer_nengo(_):
    """Drop the one warning that NengoDL was not tested with this Nengo: here it is."""
    warnings.filterwarnings("ignore", "This version of NengoDL has not been tested", module=r"nengo_dl\.version")
    return True


DL_SHIMS = (
    Shim(
        name="nengo-dl-legacy-keras",
        library="nengo-dl",
        module="tensorflow",
        defect="NengoDL is written for Keras 2; TensorFlow 2.16 and later brings Keras 3 unless asked before its import",
        link="https://github.com/nengo/nengo-dl/issues/238",
        goes_when="nengo-dl > 3.6.0 runs on Keras 3",
        condition=lacks_keras_engine,
        apply=ask_for_legacy_keras,
        runs=AT_ONCE,
    ),
    Shim(
        name="nengo-dl-import-order",
        library="nengo-dl",
        module="nengo_dl",
        defect="NengoDL imported under Keras 3 fails deep inside, without a word on what to do",
        link="https://github.com/nengo/nengo-dl/issues/238",
        goes_when="nengo-dl > 3.6.0 runs on Keras 3",
        condition=lacks_keras_engine,
        apply=require_legacy_keras,
        runs=BEFORE,
    ),
    Shim(
        name="nengo-dl-keras-engine",
        library="nengo-dl",
        module="nengo_dl.compat",
        defect="nengo_dl.compat imports keras.engine and BatchNormalizationV1/V2, which left Keras in 2.13",
        link="https://github.com/nengo/nengo-dl/issues/238",
        goes_when="nengo-dl > 3.6.0 imports without keras.engine",
        condition=lacks_keras_engine,
        apply=import_keras_from_tf_keras,
        runs=BEFORE,
    ),
    Shim(
        name="nengo-dl-filter-feedthrough",
        library="nengo-dl",
        module="nengo_dl.process_builders",
        defect="NengoDL cannot build a LinearFilter with feedthrough: Nengo 4 gives D as a matrix; none filed",
        link="https://github.com/nengo/nengo-dl/blob/main/nengo_dl/process_builders.py",
        goes_when="nengo-dl > 3.6.0 passes test_processes.py::test_zero_matrices on Nengo 4",
        condition=gets_matrix_feedthrough,
        apply=build_filters_with_vector_feedthrough,
    ),
    Shim(
        name="nengo-dl-untested-warning",
        library="nengo-dl",
        module="nengo_dl.version",
        defect="NengoDL warns at every import that it was not tested with Nengo 4",
        link="https://github.com/nengo/nengo-dl/blob/main/nengo_dl/version.py",
        goes_when="nengo-dl > 3.6.0 names Nengo 4 as tested",
        condition=nengo_is_newer_than_tested,
        apply=expect_newer_nengo,
        runs=BEFORE,
    ),
)
