"""Scalars of a training, in the event files that TensorBoard shows."""

from pathlib import Path

import tensorflow as tf

PLUGIN = "scalars"


class Scalars:
    """
    Write scalars by epoch; what a folder holds already is not written again.

    TensorFlow writes the files; TensorBoard itself need not be installed.

    Parameters
    ----------
    folder : path-like
        Made if it is missing.
    goes_on : bool
        Whether the files that are there are of the same training.
    """

    def __init__(self, folder, *, goes_on):
        self._written = last_steps(folder) if goes_on else {}
        self._writer = tf.summary.create_file_writer(str(folder))
        plugin = tf.compat.v1.SummaryMetadata.PluginData(plugin_name=PLUGIN)
        self._metadata = tf.compat.v1.SummaryMetadata(plugin_data=plugin)
        self._metadata.data_class = 1  # DATA_CLASS_SCALAR of summary.proto

    def write(self, step, values):
        """
        Write values of one epoch, and see that they are in the file.

        Parameters
        ----------
        step : int
        values : dict of str to float
        """
        with self._writer.as_default():
            for tag, value in values.items():
                if step > self._written.get(tag, -1):
                    tf.summary.write(tag, float(value), step, metadata=self._metadata)
        self._writer.flush()

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self._writer.close()


def last_steps(folder):
    """Return the last step of every tag in the event files of a folder."""
    found = {}
    for path in sorted(Path(folder).glob("events.out.tfevents.*")):
        for tag, step, _ in read_scalars(path):
            found[tag] = max(step, found.get(tag, -1))
    return found


def read_scalars(path):
    """
    Read an event file up to its end, or to where a killed process cut it off.

    Yields
    ------
    tag : str
    step : int
    value : float
    """
    try:
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                yield value.tag, event.step, float(tf.make_ndarray(value.tensor))
    except tf.errors.DataLossError:
        return
