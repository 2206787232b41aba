"""What the scripts beside this one share. Values are computed in float64, from numbers that float32 holds exactly."""

import pathlib

import torch

torch.set_default_dtype(torch.float64)
here = pathlib.Path(__file__).parent


def exact(*shape, scale=1.0):
    """Numbers that float32 holds."""
    return (torch.randn(*shape) * scale).float().double()


def line(file, name, values):
    values = torch.as_tensor(values).detach().flatten().tolist()
    print(f"{name}: " + " ".join(f"{v:.9g}" for v in values), file=file)


def tensor(file, name, values):
    """A line with the shape, then one with the values."""
    line(file, f"{name} shape", list(values.shape))
    line(file, name, values)
