"""
Which projections of a loop are a step late: `late_projections`.

In a file of NIR a recurrent connection takes no time; in steps it has to take one:
what comes back into a layer is that of the step before.
"""

from collections import deque

from nengo_hybrid.exceptions import InterchangeError


def late_projections(projections, source, neurons):
    """
    Choose the projections that have to take a step, so that no loop is left.

    Of each loop those that do not lead away from the input: onto a population that is
    no further from it, in projections, than the one they come from.

    Parameters
    ----------
    projections : list of (str, str, int)
        Before, behind, and the delay that is said, in steps.
    source : str
        The input.
    neurons : set of str
        Populations with neurons.

    Returns
    -------
    set of int
        Numbers of projections whose delay is 0.

    Raises
    ------
    InterchangeError
        If a loop has no neurons in it.

    Examples
    --------
    >>> late_projections([("x", "a", 0), ("a", "b", 0), ("b", "a", 0)], "x", {"a"})
    {2}
    """
    behind = {}
    for pre, post, _ in projections:
        behind.setdefault(pre, []).append(post)
    distance, waiting = {source: 0}, deque([source])
    while waiting:
        pre = waiting.popleft()
        for post in behind.get(pre, ()):
            if post not in distance:
                distance[post] = distance[pre] + 1
                waiting.append(post)
    prompt = [(pre, post) for pre, post, delay in projections if delay == 0]
    loops = _loops(prompt)
    _check_loops(_loops([p for p in prompt if not set(p) & neurons]))
    far = len(distance)
    return {
        i
        for i, (pre, post, delay) in enumerate(projections)
        if delay == 0
        and loops.get(pre, pre) == loops.get(post, None)
        and distance.get(post, far) <= distance.get(pre, far)
    }


def _check_loops(loops):
    if loops:
        names = ", ".join(map(repr, sorted(loops)))
        raise InterchangeError(
            f"nodes {names} feed one another with no neurons between; a loop needs "
            "neurons, or a delay"
        )


def _loops(edges):
    """
    Find what is in loops.

    Returns
    -------
    dict of str to int
        A number by node, the same for nodes that reach one another; none for others.
    """
    behind, before = {}, {}
    for pre, post in edges:
        behind.setdefault(pre, set()).add(post)
        before.setdefault(post, set()).add(pre)
    numbers = {}
    for node in sorted(behind):
        if node in numbers:
            continue
        both = _reached(node, behind) & _reached(node, before)
        numbers |= dict.fromkeys(both, len(numbers))
    return numbers


def _reached(node, ways):
    """Return the nodes that a node leads to, itself only if through others."""
    reached, waiting = set(), list(ways.get(node, ()))
    while waiting:
        found = waiting.pop()
        if found not in reached:
            reached.add(found)
            waiting.extend(ways.get(found, ()))
    return reached
