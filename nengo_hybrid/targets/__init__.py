"""What a chip or processor is: `Target`, and its profiles as data."""

from nengo_hybrid.targets.profile import load_target, target_names
from nengo_hybrid.targets.target import EVIDENCE, Sourced, Target

__all__ = ["EVIDENCE", "Sourced", "Target", "load_target", "target_names"]
