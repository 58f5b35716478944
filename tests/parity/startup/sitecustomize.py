"""Make the Python processes that an upstream test starts import NengoHybrid first, as a user does."""

import nengo_hybrid  # noqa: F401
