"""
What a deployed network has to be before compiled code runs it: `check_deployed`.

Compiled code looks at no bounds, so that an index out of range in a file would read
memory that belongs to something else.
"""


def check_deployed(deployed, graph_sha256):
    """
    Check that the parts of a loaded network belong together.

    Parameters
    ----------
    deployed : Deployed
    graph_sha256 : str
        Digest of the integers, as they were written.

    Raises
    ------
    ValueError
        If they do not.
    """
    graph, run = deployed.quantized, deployed.run
    if graph.sha256 != graph_sha256:
        raise ValueError("its integers are not those that were written")
    if run is not None and run.trace.graph_sha256 != graph_sha256:
        raise ValueError("its run is of other integers")
