"""Which axon reaches which compartment, of the transforms of connections."""

import nengo
import numpy as np
from nengo_loihi.conv import conv2d_loihi_weights

from nengo_hybrid.outline import Pattern


def matrix(transform, size):
    """
    Describe the weights of a transform that is no convolution.

    Parameters
    ----------
    transform : nengo.transforms.Transform
    size : int
        Of what it takes, if it has no shape of its own.

    Returns
    -------
    dict
        Of an `Inlet`: its "pattern"; or else its "weights", None if they are drawn.
    """
    if isinstance(transform, nengo.Sparse):
        return {"pattern": _sparse(transform)}
    init = getattr(transform, "init", np.array(1.0))
    if isinstance(init, np.ndarray) and init.ndim < 2:
        every = np.arange(size)
        return {"pattern": Pattern(every, every, every)}
    return {"weights": init.T if isinstance(init, np.ndarray) else None}


def _sparse(transform):
    """Read the places of a sparse matrix; those named twice are one synapse."""
    init = transform.init
    if isinstance(init, nengo.transforms.SparseMatrix):
        (targets, axons), data = np.array(init.indices).T.reshape(2, -1), init.data
    else:
        stored = init.tocoo()
        targets, axons, data = stored.row, stored.col, stored.data
    places, which = np.unique(np.stack([axons, targets]), axis=1, return_inverse=True)
    values = None
    if isinstance(data, np.ndarray) and data.ndim == 1:
        sums = np.bincount(which.ravel(), weights=data, minlength=places.shape[1])
        values = np.unique(sums, return_inverse=True)[1]
    labels = np.arange(places.shape[1])
    return Pattern(*places.astype(np.int64), labels, values)


def of_both_signs(found, size):
    """Describe weights for lines of positive and, behind them, of negative values."""
    if found.get("weights") is not None:
        return {"weights": np.concatenate([found["weights"], -found["weights"]])}
    if "pattern" not in found:
        return found
    pattern = found["pattern"]
    n_labels = int(pattern.labels.max(initial=-1)) + 1
    values = pattern.values
    if values is not None:
        values = np.concatenate([values, values + n_labels])
    return {
        "pattern": Pattern(
            np.concatenate([pattern.axons, pattern.axons + size]),
            np.tile(pattern.targets, 2),
            np.concatenate([pattern.labels, pattern.labels + n_labels]),
            values,
        )
    }


def repeated(found, n_times, size):
    """Describe weights whose targets come several times, as decode neurons do."""
    if "pattern" not in found:
        return {}
    pattern = found["pattern"]
    axons = np.tile(pattern.axons, n_times)
    shifts = np.repeat(size * np.arange(n_times), len(pattern.targets))
    order = np.argsort(axons, kind="stable")
    return {
        "pattern": Pattern(
            axons[order],
            (np.tile(pattern.targets, n_times) + shifts)[order],
            np.tile(pattern.labels, n_times)[order],
            pattern.values,
        )
    }


def convolution(transform):
    """
    Describe which pixel reaches which neurons, with NengoLoihi's own arithmetic.

    That is asked for one channel and one filter, with the places of the kernel for
    weights.

    Parameters
    ----------
    transform : nengo.Convolution or nengo.transforms.ConvolutionTranspose

    Returns
    -------
    Pattern
    """
    rows, columns = transform.kernel_size
    one = {
        "input_shape": _one_channel(transform.input_shape),
        "kernel_size": transform.kernel_size,
        "strides": transform.strides,
        "padding": transform.padding,
        "channels_last": transform.channels_last,
        "init": np.arange(rows * columns, dtype=float).reshape(rows, columns, 1, 1),
    }
    if not isinstance(transform, nengo.Convolution):
        one["output_shape"] = _one_channel(transform.output_shape)
    weights, indices, row_of, bases = conv2d_loihi_weights(type(transform)(1, **one))
    used = np.flatnonzero(bases >= 0)
    sizes = np.array([weights[row_of[a]].size for a in used], int)
    pixels = np.concatenate([bases[a] + indices[row_of[a]][0] for a in used])
    places = np.concatenate([weights[row_of[a]][0] for a in used]).astype(np.int64)
    n_filters = transform.n_filters
    filters = np.arange(n_filters)
    n_pixels = int(np.prod(transform.output_shape.spatial_shape))
    if transform.channels_last:
        targets = pixels[:, None] * n_filters + filters
    else:
        targets = pixels[:, None] + n_pixels * filters
    return Pattern(
        axons=np.repeat(used, sizes * n_filters),
        targets=targets.ravel(),
        labels=(places[:, None] * n_filters + filters).ravel(),
        values=_kernel_values(transform),
        n_atoms=transform.input_shape.n_channels,
        is_shared=True,
    )


def _one_channel(shape):
    spatial = shape.spatial_shape
    return (*spatial, 1) if shape.channels_last else (1, *spatial)


def _kernel_values(transform):
    """Number the weights of a kernel that is given, equal ones alike."""
    if not isinstance(transform.init, np.ndarray):
        return None
    channels = np.moveaxis(transform.init, 2, -1)  # rows, columns, filters, channels
    flat = channels.reshape(-1, channels.shape[-1])
    return np.unique(flat, axis=0, return_inverse=True)[1].ravel()
