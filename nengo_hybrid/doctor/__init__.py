"""Whether a network fits a chip, and what would make it fit: lower, then mapping."""

from nengo_hybrid.doctor.checks import check

__all__ = ["check"]
