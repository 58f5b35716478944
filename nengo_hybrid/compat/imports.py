"""
The import hook that runs shims when, and only when, their module is imported.

Nothing is imported on a shim's account. The hook stands first on ``sys.meta_path``, answers only for the modules that
a needed shim names, and leaves finding and loading to the finders behind it.
"""

import importlib.abc
import logging
import sys

from nengo_hybrid.compat.shim import (
    AFTER,
    APPLIED,
    AT_ONCE,
    BEFORE,
    NOT_INSTALLED,
    NOT_NEEDED,
    TOO_LATE,
    WAITING,
    Shim,
    ShimState,
)

logger = logging.getLogger(__name__)


class ShimFinder(importlib.abc.MetaPathFinder):
    """
    Hand modules that need shims to a `ShimLoader`; hold which shims were applied.

    Parameters
    ----------
    shims : iterable of Shim
        The shims to run, each only while it is needed.
    """

    def __init__(self, shims):
        self.shims = tuple(shims)
        self.applied = set()

    def find_spec(self, fullname, path=None, target=None):
        """Find a module that needs shims through the other finders, and wrap its loader."""
        if not any(s.module == fullname and s.runs != AT_ONCE and s.is_needed() for s in self.shims):
            return None
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = ShimLoader(spec.loader, self)
                return spec
        return None

    def run(self, module, runs):
        """Apply the shims that name this module and run at this moment."""
        for shim in self.shims:
            if shim.module == module.__name__ and shim.runs == runs and shim.is_needed():
                self.apply(shim, module)

    def apply(self, shim, module):
        """Apply one shim, and note it if the defect is mended."""
        if shim.apply(module):
            self.applied.add(shim.name)
            logger.debug("applied shim %s to %s", shim.name, shim.module)

    def catch_up(self):
        """Apply at once what does not wait for an import, and what can still be mended after it."""
        for shim in filter(Shim.is_needed, self.shims):
            module = sys.modules.get(shim.module)
            if shim.runs == AT_ONCE and module is None:
                self.apply(shim, None)
            elif shim.runs == AFTER and module is not None:
                self.apply(shim, module)

    def state(self, shim):
        """Return how a shim stands, as in `ShimState`."""
        if not shim.is_installed():
            return NOT_INSTALLED
        if shim.name in self.applied:
            return APPLIED
        if not shim.condition():
            return NOT_NEEDED
        return TOO_LATE if shim.module in sys.modules else WAITING


class ShimLoader(importlib.abc.Loader):
    """
    Load a module as its own loader does, with the shims run around it.

    Once the module has run, its own loader is put back in its place, so that reloading, reading its source and
    pickling meet what they always met.
    """

    def __init__(self, loader, finder):
        self.loader = loader
        self.finder = finder

    def __getattr__(self, name):
        # A copy made without __init__ has no loader yet; falling through would ask for it for ever.
        if name in ("loader", "finder"):
            raise AttributeError(name)
        return getattr(self.loader, name)

    def create_module(self, spec):
        """Create the module as its own loader does."""
        return self.loader.create_module(spec)

    def exec_module(self, module):
        """Run the module's code between the shims before and after it."""
        module.__spec__.loader = module.__loader__ = self.loader
        self.finder.run(module, BEFORE)
        self.loader.exec_module(module)
        self.finder.run(module, AFTER)


def install_finder(shims):
    """
    Put a `ShimFinder` first on ``sys.meta_path``, once, and mend what is imported already.

    Returns
    -------
    ShimFinder
        The finder of this process: the same one at every call.
    """
    finder = find_finder()
    if finder is None:
        finder = ShimFinder(shims)
        sys.meta_path.insert(0, finder)
    finder.catch_up()
    return finder


def find_finder():
    """Return this process's `ShimFinder`, or None before it is installed."""
    return next((f for f in sys.meta_path if isinstance(f, ShimFinder)), None)


def shim_states(shims):
    """
    Return how each shim stands in this process.

    Returns
    -------
    tuple of ShimState
        One row per shim, in the order given.
    """
    finder = find_finder() or ShimFinder(())
    return tuple(ShimState(shim, finder.state(shim)) for shim in shims)
