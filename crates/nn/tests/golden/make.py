"""Makes steps.txt and functions.txt, the values that crates/nn/tests/nn/golden.rs compares with.

    python crates/nn/tests/golden/make.py

Written by PyTorch 2.15.0 on the CPU, in float64 from initial values and data that float32 holds exactly, so that what
differs is the engine's rounding alone.

A file is lines of `name: number number …`. steps.txt holds, for each run, the initial parameters and the data (shared
by all runs), the loss of each of 20 steps and the parameters after them.
"""

import math
import pathlib

import torch

torch.set_default_dtype(torch.float64)
here = pathlib.Path(__file__).parent
steps, rate = 20, {"sgd": 0.1, "momentum": 0.05, "nesterov": 0.05, "adam": 0.01, "adamw": 0.01}


def exact(*shape, scale=1.0):
    """Numbers that float32 holds."""
    return (torch.randn(*shape) * scale).float().double()


def line(file, name, values):
    values = torch.as_tensor(values).detach().flatten().tolist()
    print(f"{name}: " + " ".join(f"{v:.9g}" for v in values), file=file)


def network(start):
    model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Tanh(), torch.nn.Linear(16, 4))
    model.load_state_dict(start)
    return model


optimizers = {
    "sgd": lambda p, lr: torch.optim.SGD(p, lr=lr, weight_decay=0.01),
    "momentum": lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.9),
    "nesterov": lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.9, nesterov=True, weight_decay=0.001),
    "adam": lambda p, lr: torch.optim.Adam(p, lr=lr),
    "adamw": lambda p, lr: torch.optim.AdamW(p, lr=lr),
}


def warmed(step, total=20, warmup=5, lowest=0.1):
    if step < warmup:
        return (step + 1) / warmup
    return lowest + (1 - lowest) * (1 + math.cos(math.pi * (step - warmup) / (total - warmup))) / 2


schedules = {
    "constant": lambda o, lr: torch.optim.lr_scheduler.ConstantLR(o, factor=1.0),
    "cosine": lambda o, lr: torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=steps, eta_min=lr / 100),
    "warmup": lambda o, lr: torch.optim.lr_scheduler.LambdaLR(o, warmed),
}

torch.manual_seed(1)
shapes = {"0.weight": (16, 8), "0.bias": (16,), "2.weight": (4, 16), "2.bias": (4,)}
start = {name: exact(*shape, scale=0.4) for name, shape in shapes.items()}
x = exact(6, 8)
targets = {
    "mse": exact(6, 4),
    "mae": exact(6, 4),
    "cross_entropy": torch.tensor([0, 3, 1, 2, 3, 0]),
    "bce": torch.rand(6, 4).float().double(),
}
losses = {
    "mse": torch.nn.functional.mse_loss,
    "mae": torch.nn.functional.l1_loss,
    "cross_entropy": torch.nn.functional.cross_entropy,
    "bce": torch.nn.functional.binary_cross_entropy_with_logits,
}
runs = [(o, s, "cross_entropy") for o in optimizers for s in schedules] + [("sgd", "constant", l) for l in losses]

with open(here / "steps.txt", "w") as file:
    for name, values in start.items():
        line(file, f"start {name}", values)
    line(file, "x", x)
    for name, values in targets.items():
        line(file, f"target {name}", values)
    for optimizer_name, schedule_name, loss_name in dict.fromkeys(runs):
        model = network(start)
        optimizer = optimizers[optimizer_name](model.parameters(), rate[optimizer_name])
        schedule = schedules[schedule_name](optimizer, rate[optimizer_name])
        run, seen = f"{optimizer_name} {schedule_name} {loss_name}", []
        for _ in range(steps):
            optimizer.zero_grad()
            loss = losses[loss_name](model(x), targets[loss_name])
            loss.backward()
            optimizer.step()
            schedule.step()
            seen.append(loss.item())
        line(file, f"{run} loss", seen)
        for name, parameter in model.named_parameters():
            line(file, f"{run} {name}", parameter)

extreme = torch.tensor([[0.0, 1.0, -1.0], [80.0, -80.0, 0.5], [1e4, -1e4, 3.0], [0.25, 0.25, 0.25]])
cases = {
    "mse": (exact(4, 3), exact(4, 3)),
    "mae": (exact(4, 3), exact(4, 3)),
    "cross_entropy": (extreme, torch.tensor([2, 0, 1, 1])),
    "bce": (extreme, torch.tensor([[0.0, 1.0, 0.5], [1.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.75, 0.0, 1.0]])),
}
activations = {
    "relu": torch.nn.functional.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "gelu": torch.nn.functional.gelu,
    "softmax": lambda t: torch.softmax(t, -1),
}
with open(here / "functions.txt", "w") as file:
    for name, (prediction, target) in cases.items():
        prediction = prediction.clone().requires_grad_()
        loss = losses[name](prediction, target)
        loss.backward()
        for part, values in {"prediction": prediction, "target": target, "loss": loss, "gradient": prediction.grad}.items():
            line(file, f"{name} {part}", values)
    for name, function in activations.items():
        values = exact(4, 5, scale=2.0).requires_grad_()
        result = function(values)
        weights = exact(4, 5)
        (result * weights).sum().backward()
        for part, numbers in {"x": values, "y": result, "upstream": weights, "gradient": values.grad}.items():
            line(file, f"{name} {part}", numbers)
