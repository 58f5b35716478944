"""The errors a user can meet: one base class and one subclass per stage."""


class HybridError(Exception):
    """
    Base class of every error this package raises on purpose.

    A message is one line: who, what was needed, what came, and what to do.
    """


class CompatError(HybridError):
    """Installed versions, or the order of imports, cannot work together."""


class BuildError(HybridError, ValueError):
    """A neuron type, network or recipe was asked for with impossible values."""


class DataError(HybridError, ValueError):
    """A data set is missing, damaged, or does not have the needed values."""


class ShapeError(HybridError, ValueError):
    """Two arrays, or an array and a network, disagree about a size."""


class TrainError(HybridError):
    """Training cannot start, or had to stop."""


class DivergenceError(TrainError):
    """A training that had started lost its loss: it is no longer finite."""


class CheckpointError(TrainError):
    """A checkpoint is missing, damaged, of another training, or cannot be written."""


class LowerError(HybridError):
    """A network holds something that cannot be lowered to a graph."""


class QuantizeError(HybridError, ValueError):
    """A network has no right integers on a target."""


class PlacementError(HybridError):
    """A graph does not fit a target's limits."""


class EmulateError(HybridError):
    """A run on the emulator or through NengoLoihi cannot start, or failed."""


class TargetError(HybridError, ValueError):
    """A target is unknown, or its profile is not well formed."""


class EstimateError(HybridError, ValueError):
    """Counts and prices do not fit together."""


class BundleError(HybridError, ValueError):
    """A bundle or report is missing, damaged, or cannot be written."""


class InterchangeError(HybridError, ValueError):
    """Another tool's file is missing, damaged, or says what cannot be taken over."""


class Interrupted(KeyboardInterrupt):
    """
    An interrupt (Ctrl-C) that came while something ran.

    Attributes
    ----------
    trace : nengo_hybrid.trace.Trace
        Of the samples that were done.
    """

    def __init__(self, trace):
        super().__init__(f"interrupted after {trace.n_samples} samples")
        self.trace = trace


class Terminated(SystemExit):
    """
    A SIGTERM that came while a training ran, whose checkpoint is written.

    Left alone, it ends the process with the status 143 that a shell gives to it.
    """

    def __init__(self, message):
        super().__init__(message)
        self.code = 143
