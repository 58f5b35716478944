"""What all tests share."""

# First, so that NengoDL and NengoLoihi can be imported by any test.
import nengo_hybrid  # noqa: F401
