"""
Rotations of pairs in integers: a quarter turn or several, and three shears.

A shear of integers can be undone exactly, whatever is rounded, so that a rotation made
of shears neither grows nor shrinks what it turns.
"""

import math

import numpy as np

# How far from 2 x 2 rotations a matrix may be to count as them.
TOLERANCE = 1e-9


def angles(weights):
    """
    Read the angles of 2 x 2 rotations off a matrix.

    Parameters
    ----------
    weights : (n, n) array

    Returns
    -------
    (n // 2,) array or None
        Radians; None if the matrix is not rotations along its diagonal, with a 1 behind
        them if n is odd.
    """
    n = len(weights)
    if weights.shape != (n, n):
        return None
    first = 2 * np.arange(n // 2)
    cosine, sine = weights[first, first], weights[first + 1, first]
    wanted = np.zeros((n, n))
    wanted[first, first] = wanted[first + 1, first + 1] = cosine
    wanted[first + 1, first], wanted[first, first + 1] = sine, -sine
    if n % 2:
        wanted[-1, -1] = 1
    is_near = np.abs(weights - wanted).max(initial=0) <= TOLERANCE
    if not is_near or np.abs(np.hypot(cosine, sine) - 1).max(initial=0) > TOLERANCE:
        return None
    return np.arctan2(sine, cosine)


def shears(angle, bits):
    """
    Turn an angle into quarters, and the factors of three shears, as integers.

    Parameters
    ----------
    angle : float
        Radians, in [-pi, pi].
    bits : int
        Of a factor.

    Returns
    -------
    quarter, tangent, sine : int
        Quarter turns, and ``tan(rest / 2)`` and ``sin(rest)`` of the rest in units of
        ``2**-bits``, rounded so that the angle they give, of cosine ``1 - tangent
        * sine``, is nearest.

    Examples
    --------
    >>> shears(math.pi / 2, 12)
    (1, 0, 0)
    """
    quarter = round(angle / (math.pi / 2))
    rest, one = angle - quarter * math.pi / 2, 2**bits
    exact = math.tan(rest / 2) * one
    nearest = (0, 0)
    if abs(exact) >= 0.25:
        step = 1 if exact > 0 else -1
        tried = {step * max(1, abs(round(exact)) + i) for i in range(-2, 3)}
        found = [(t, round((1 - math.cos(rest)) * one**2 / t)) for t in sorted(tried)]
        nearest = min(found, key=lambda pair: _mismatch(pair, rest, exact, one))
    return quarter % 4, *nearest


def _mismatch(pair, rest, exact, one):
    """Weigh the error of the angle against how far from a circle it turns."""
    product = pair[0] * pair[1] / one**2
    angle = math.acos(max(-1.0, 1 - product))
    return abs(angle - abs(rest)) * 100 + abs(pair[0] / exact - 1)
