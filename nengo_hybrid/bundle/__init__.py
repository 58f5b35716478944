"""Networks as files, trained or deployed: what they are, and no code."""

from nengo_hybrid.bundle.deployed import (
    check_room,
    deployed_path,
    load_deployed,
    save_deployed,
)
from nengo_hybrid.bundle.trained import (
    TRAINED_NAME,
    Bundle,
    load_bundle,
    save_bundle,
)

__all__ = [
    "TRAINED_NAME",
    "Bundle",
    "check_room",
    "deployed_path",
    "load_bundle",
    "load_deployed",
    "save_bundle",
    "save_deployed",
]
