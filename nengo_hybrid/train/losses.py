"""The loss of a training: the cross-entropy of what the output's neurons say."""

import tensorflow as tf


def cross_entropy(means, labels, *, logit_scale, label_smoothing=0.0):
    """
    Return the cross-entropy of each sample's answer.

    Parameters
    ----------
    means : (n_samples, n_classes) tensor
        Activity of the output, averaged over the steps that are read.
    labels : (n_samples,) int tensor
    logit_scale : float
        Factor on the means; what comes of it goes into the softmax.
    label_smoothing : float
        Part of the target, in [0, 1), spread evenly over all classes.

    Returns
    -------
    (n_samples,) tensor
    """
    logits = logit_scale * means
    if not label_smoothing:
        return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    n_classes = means.shape[1]
    target = tf.one_hot(tf.cast(labels, tf.int32), n_classes, dtype=logits.dtype)
    target = (1 - label_smoothing) * target + label_smoothing / n_classes
    return tf.nn.softmax_cross_entropy_with_logits(target, logits)
