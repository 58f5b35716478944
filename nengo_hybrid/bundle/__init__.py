"""Networks as files, trained or deployed: what they are, and no code."""

from nengo_hybrid.bundle.deployed import check_room, load_deployed, save_deployed
from nengo_hybrid.bundle.trained import Bundle, load_bundle, save_bundle

__all__ = [
    "Bundle",
    "check_room",
    "load_bundle",
    "load_deployed",
    "save_bundle",
    "save_deployed",
]
