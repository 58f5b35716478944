"""
The matrices of a Legendre memory, in the basis of Legendre and in one of rotations.

Source: Voelker, Kajic, Eliasmith, *Legendre Memory Units: Continuous-Time
Representation in Recurrent Neural Networks*, NeurIPS 2019.
"""

import math
import numbers
from dataclasses import dataclass

import numpy as np
from scipy.linalg import expm
from threadpoolctl import threadpool_limits

from nengo_hybrid.exceptions import BuildError, ShapeError

BASES = ("legendre", "rotations")

# The last bits of products and eigenvectors depend on how many threads share the work,
# and by its last bits a network is known to be the one of a checkpoint.
in_one_thread = threadpool_limits.wrap(limits=1, user_api="blas")


@in_one_thread
def lmu_matrices(order, theta_steps):
    """
    Compute the discretized state-space matrices of a Legendre memory.

    Zero-order hold with a time step of 1 on ::

        A_ij = (2i + 1) / theta * (-1 if i < j else (-1)^(i - j + 1))
        B_i  = (2i + 1) / theta * (-1)^i

    Parameters
    ----------
    order : int
        Number of Legendre coefficients, at least 1.
    theta_steps : float
        Length of the window, in time steps, at least 1.

    Returns
    -------
    A : (order, order) array
    B : (order, 1) array

    Raises
    ------
    BuildError
        If ``order`` or ``theta_steps`` is below 1 or not a finite number.
    """
    check_at_least_one("order", order, whole=True)
    check_at_least_one("theta_steps", theta_steps, whole=False)
    q = np.arange(order)
    scale = (2 * q + 1)[:, None] / theta_steps
    i, j = np.meshgrid(q, q, indexing="ij")
    continuous = np.zeros((order + 1, order + 1))
    continuous[:order, :order] = scale * np.where(i < j, -1.0, (-1.0) ** (i - j + 1))
    continuous[:order, order:] = scale * (-1.0) ** q[:, None]
    discrete = expm(continuous)
    return discrete[:order, :order], discrete[:order, order:]


@dataclass(frozen=True)
class Rotations:
    """
    A Legendre memory as independent rotations and a coupling of rank 2.

    With ``A = local + spread @ gather`` a step is ::

        m <- local @ m + spread @ (gather @ m) + B @ u

    Attributes
    ----------
    local : (order, order) array
        2 x 2 rotations on its diagonal, by rising angle; a 1 behind them if the
        order is odd.
    gather : (2, order) array
        From the coefficients to the two hubs.
    spread : (order, 2) array
        From the hubs to the coefficients.
    B : (order, 1) array
    from_legendre : (order, order) array
        ``m = from_legendre @ (coefficients of `lmu_matrices`)``.
    """

    local: np.ndarray
    gather: np.ndarray
    spread: np.ndarray
    B: np.ndarray
    from_legendre: np.ndarray

    @property
    def A(self):  # noqa: N802
        """The whole of what the memory does to itself, (order, order)."""
        return self.local + self.spread @ self.gather


@in_one_thread
def rotations(order, theta_steps):
    """
    Compute a Legendre memory in the basis in which it rotates.

    Orthonormal Legendre coefficients follow ``A = S - G G^T``, with S skew-symmetric
    and G of two columns, the square roots of ``(2i + 1) / theta`` at even and at odd
    i. An orthogonal change of basis turns S into 2 x 2 blocks; the bilinear rule with
    a time step of 1, ``(I - A/2)^-1 (I + A/2)``, turns these into rotations, and by
    Woodbury's identity leaves a coupling of rank 2, with ``M = (I - S/2)^-1`` ::

        local = (I + S/2) M
        gather = G^T M,  spread = -2 M G (2 I + G^T M G)^-1

    Each block is turned so that B enters its first coefficient alone, from above,
    which makes the basis unique.

    Parameters
    ----------
    order : int
    theta_steps : float

    Returns
    -------
    Rotations
    """
    check_at_least_one("order", order, whole=True)
    check_at_least_one("theta_steps", theta_steps, whole=False)
    i = np.arange(order)
    root = np.sqrt(2 * i + 1)
    row, column = np.meshgrid(i, i, indexing="ij")
    is_skew = (row - column) % 2 == 1
    skew = is_skew * np.sign(row - column) * np.outer(root, root) / theta_steps
    pair = np.stack([root * (i % 2 == 0), root * (i % 2 == 1)], axis=1)
    force = root * (-1.0) ** i / theta_steps
    basis, sizes = _rotating_basis(skew, force)
    turn, eye = _skew_blocks(sizes, order), np.eye(order)
    M = np.linalg.inv(eye - turn / 2)
    G = basis.T @ pair / math.sqrt(theta_steps)
    spread = -2 * M @ G @ np.linalg.inv(2 * np.eye(2) + G.T @ M @ G)
    gather = G.T @ M
    B = (M + spread @ gather / 2) @ basis.T @ force
    return Rotations(
        local=(eye + turn / 2) @ M,
        gather=gather,
        spread=spread,
        B=B[:, None],
        from_legendre=basis.T / root,
    )


def _rotating_basis(skew, force):
    """Return orthonormal columns that make ``skew`` blocks, and the blocks' sizes."""
    half, order = len(skew) // 2, len(skew)
    sizes, vectors = np.linalg.eigh(1j * skew)
    along = vectors.T @ force
    turned = (vectors * (np.abs(along) / along))[:, order - half :]
    columns = math.sqrt(2) * np.stack([turned.real, turned.imag], axis=2)
    columns = columns.reshape(order, 2 * half)
    if order % 2:  # one direction does not turn
        still = vectors[:, half] * (np.abs(along) / along)[half]
        columns = np.column_stack([columns, still.real])
    return columns, sizes[order - half :]


def _skew_blocks(sizes, order):
    """Return blocks ((0, -size), (size, 0)) on a diagonal, (order, order)."""
    blocks = np.zeros((order, order))
    first = 2 * np.arange(len(sizes))
    blocks[first, first + 1], blocks[first + 1, first] = -sizes, sizes
    return blocks


def delay_decoder(order, r):
    """
    Decode the input of ``r * theta`` ago from a Legendre memory.

    Parameters
    ----------
    order : int
        Number of Legendre coefficients.
    r : float or (n,) array
        Delay as a part of the window, in [0, 1].

    Returns
    -------
    (n, order) array
        Shifted Legendre polynomials ``P_i(2r - 1)``.
    """
    points = 2 * np.atleast_1d(np.asarray(r, dtype=float)) - 1
    return np.polynomial.legendre.legvander(points, order - 1)


@in_one_thread
def memory_std(order, theta_steps, x, *, last_steps=1, basis="legendre", decoder=None):
    """
    Measure how far each coefficient of a memory spreads over a data set.

    Parameters
    ----------
    order : int
    theta_steps : float
    x : (n_samples, n_steps, size_in) array
    last_steps : int
        How many of the last steps to look at.
    basis : str
        "legendre" or "rotations".
    decoder : (n, order) array, optional
        Weighted sums of the coefficients to measure in their place.

    Returns
    -------
    (size_in * order,) or (size_in * n,) array
        Standard deviation over samples and the last steps.

    Raises
    ------
    ShapeError
        If there are not that many steps.
    """
    A, B = state_space(order, theta_steps, basis)
    n_samples, n_steps, size_in = x.shape
    if not 1 <= last_steps <= n_steps:
        raise ShapeError(
            f"memory_std needs last_steps in 1..{n_steps}, the steps of x; got "
            f"{last_steps!r}"
        )
    # The state is a weighted sum of the input: its moments follow from the input's.
    response = [B[:, 0]]
    for _ in range(n_steps - 1):
        response.append(A @ response[-1])
    response = np.array(response)
    if decoder is not None:
        response = response @ decoder.T
    found = []
    for dimension in range(size_in):
        values = np.asarray(x[:, :, dimension], dtype=float)
        mean, second = values.mean(axis=0), values.T @ values / n_samples
        moments = np.zeros((2, response.shape[1]))
        for n_seen in range(n_steps - last_steps + 1, n_steps + 1):
            seen = response[:n_seen][::-1]
            moments[0] += mean[:n_seen] @ seen
            moments[1] += np.sum(seen * (second[:n_seen, :n_seen] @ seen), axis=0)
        moments /= last_steps
        found.append(np.sqrt(np.maximum(moments[1] - moments[0] ** 2, 0)))
    return np.concatenate(found)


def state_space(order, theta_steps, basis):
    """
    Return A (order, order) and B (order, 1) of a memory in a basis.

    Raises
    ------
    BuildError
        If the basis is unknown, or a size below 1.
    """
    if basis not in BASES:
        raise BuildError(f"LMU knows the bases {', '.join(BASES)}; got {basis!r}")
    if basis == "legendre":
        return lmu_matrices(order, theta_steps)
    found = rotations(order, theta_steps)
    return found.A, found.B


def check_at_least_one(name, value, *, whole):
    """Refuse what is not a finite number of at least 1."""
    kind = numbers.Integral if whole else numbers.Real
    is_number = isinstance(value, kind) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or value < 1:
        what = "a whole number" if whole else "a number of time steps"
        raise BuildError(f"LMU needs {name} to be {what} of at least 1, got {value!r}")
