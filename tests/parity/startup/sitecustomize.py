"""Let the Python processes that an upstream test starts import NengoHybrid first."""

import nengo_hybrid  # noqa: F401
