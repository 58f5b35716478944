"""A pytest plugin that imports NengoHybrid before all else, as a user does."""

from nengo_hybrid import compat

# Again if startup/ imported it already: pytest's own hook stands before ours by then.
compat.install()
