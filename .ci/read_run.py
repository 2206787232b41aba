"""Reads a run folder with the libraries that others use: tensorboard its events, safetensors its weights.

    python read_run.py RUN

The events must be those of metrics.jsonl, epoch by epoch; the weights those of LeNet by PyTorch's names and shapes.
"""

import json
import sys
from pathlib import Path

from safetensors.numpy import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

LENET = {
    "0.weight": (6, 1, 5, 5),
    "0.bias": (6,),
    "3.weight": (16, 6, 5, 5),
    "3.bias": (16,),
    "7.weight": (120, 400),
    "7.bias": (120,),
    "9.weight": (84, 120),
    "9.bias": (84,),
    "11.weight": (10, 84),
    "11.bias": (10,),
}


def main(run):
    epochs = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert epochs, "metrics.jsonl is empty"
    checked = 0
    for part, prefix in [("train", ""), ("validation", "val_")]:
        events = EventAccumulator(str(run / "tensorboard" / part))
        events.Reload()
        scalars = events.Tags()["scalars"]
        for name in ["loss", "accuracy"]:
            if prefix + name not in epochs[0]:
                continue
            tag = f"epoch_{name}"
            assert tag in scalars, f"{part} has no {tag}, only {scalars}"
            found = [event.value for event in events.Scalars(tag)]
            wanted = [epoch[prefix + name] for epoch in epochs]
            assert len(found) == len(wanted), (part, tag, found, wanted)
            assert all(abs(a - b) <= 1e-6 * max(abs(b), 1) for a, b in zip(found, wanted)), (part, tag, found, wanted)
            checked += len(found)
    assert checked >= 2 * len(epochs), f"only {checked} values were compared"
    shapes = {name: array.shape for name, array in load_file(run / "weights.safetensors").items()}
    assert shapes == LENET, shapes
    print(f"tensorboard read {checked} values, safetensors {len(shapes)} arrays")


main(Path(sys.argv[1]))
