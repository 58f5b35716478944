"""Subnetworks, as in ``nengo.networks``."""

from nengo_hybrid.networks.classifier import SequenceClassifier
from nengo_hybrid.networks.lmu import LMU

__all__ = ["LMU", "SequenceClassifier"]
