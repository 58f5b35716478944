"""The progress bar: where it begins, and the time it says is left."""

import pytest

pytest.importorskip("tensorflow")


def test_the_time_left_is_that_of_what_is_left_after_a_resume(monkeypatch):
    from nengo_hybrid.train.progress import EpochProgress

    now = [100.0]
    monkeypatch.setattr("rich.console.monotonic", lambda: now[0])
    # 4 epochs of 10 minibatches, 25 of them done in another run.
    bar = EpochProgress(4, 10, enabled=False, n_done=25)
    (task,) = bar.bar.tasks
    assert (task.completed, task.total) == (25, 40)
    assert task.description == "train, epoch 3/4"
    for loss in (1.0, 0.5, 0.25):
        now[0] += 2.0
        bar.minibatch_done(loss)
    assert (task.completed, task.time_remaining) == (28, 24)  # 12 of 2 s
    assert task.fields["status"] == "loss 0.250 "
    bar.epoch_done({"val_accuracy": 0.5})
    assert task.description == "train, epoch 4/4"
    bar.minibatch_done(0.125)
    assert task.fields["status"] == "loss 0.125 validation 50.0 %"
