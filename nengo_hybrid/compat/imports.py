"""
The import hook that runs a shim when, and only when, its module is imported.

Nothing is imported on a shim's account. The hook stands first on ``sys.meta_path``,
answers only for the modules that a needed shim names, and leaves finding and loading
to the finders behind it.
"""

import importlib
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
    Hand modules that need shims to a `ShimLoader`, and hold which shims were applied.

    Parameters
    ----------
    shims : iterable of Shim
        The shims to run, each only while it is needed.
    """

    def __init__(self, shims):
        self.shims = tuple(shims)
        self.applied = set()
        self.followers = {}

    def find_spec(self, fullname, path=None, target=None):
        """Find a module through the other finders; wrap its loader if named here."""
        shimmed = any(self.shims_for(fullname, BEFORE, AFTER))
        if not shimmed and fullname not in self.followers:
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

    def shims_for(self, module, *runs):
        """Yield the needed shims that name a module and run at one of the moments."""
        for shim in self.shims:
            if shim.module == module and shim.runs in runs and shim.is_needed():
                yield shim

    def apply(self, shim, module):
        """Apply one shim, and note it if the defect is mended."""
        if shim.apply(module):
            self.applied.add(shim.name)
            logger.debug("applied shim %s to %s", shim.name, shim.module)

    def import_followers(self, module):
        """Import what was asked for after a module."""
        for follower in self.followers.get(module, ()):
            importlib.import_module(follower)

    def catch_up(self):
        """Apply what waits for no import, and what can be mended after one."""
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
    Load a module as its own loader does, with shims around it and followers after it.

    The module's own loader is put back before its code runs, so that reloading it,
    reading its source and pickling meet what they always met.
    """

    def __init__(self, loader, finder):
        self.loader = loader
        self.finder = finder

    def __getattr__(self, name):
        # A copy made without __init__ has no loader yet, and would ask here for ever.
        if name in ("loader", "finder"):
            raise AttributeError(name)
        return getattr(self.loader, name)

    def create_module(self, spec):
        """Create the module as its own loader does."""
        return self.loader.create_module(spec)

    def exec_module(self, module):
        """Run the module's code between the shims before and after it."""
        module.__spec__.loader = module.__loader__ = self.loader
        for shim in self.finder.shims_for(module.__name__, BEFORE):
            self.finder.apply(shim, module)
        self.loader.exec_module(module)
        for shim in self.finder.shims_for(module.__name__, AFTER):
            self.finder.apply(shim, module)
        self.finder.import_followers(module.__name__)


def install_finder(shims):
    """
    Put one `ShimFinder` first on ``sys.meta_path``; mend what is imported already.

    Another finder that came since would hide modules from it, as pytest's does, which
    rewrites the asserts in Nengo. So a second call puts the same finder first again.

    Returns
    -------
    ShimFinder
        The finder of this process: the same one at every call.
    """
    finder = find_finder()
    if finder is None:
        finder = ShimFinder(shims)
    else:
        sys.meta_path.remove(finder)
    sys.meta_path.insert(0, finder)
    finder.catch_up()
    return finder


def follow(module, follower):
    """Import ``follower`` as soon as ``module`` is, through the installed finder."""
    followers = find_finder().followers.setdefault(module, [])
    if follower not in followers:
        followers.append(follower)
    if module in sys.modules:
        importlib.import_module(follower)


def find_finder():
    """Return the `ShimFinder` of this process, or None before it is installed."""
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
