"""Subnetworks, as in ``nengo.networks``, and those of KerasLMU's files."""

from nengo_hybrid.networks.classifier import SequenceClassifier
from nengo_hybrid.networks.keras_lmu import load_keras_lmu
from nengo_hybrid.networks.lmu import LMU

__all__ = ["LMU", "SequenceClassifier", "load_keras_lmu"]
