"""Makes steps.txt, functions.txt and rates.txt, the values that crates/nn/tests/nn/golden.rs compares with.

    python crates/nn/tests/golden/make.py

Written by PyTorch 2.15.0 on the CPU, in float64 from initial values and data that float32 holds exactly, so that what
differs is the engine's rounding alone.

A file is lines of `name: number number …`. steps.txt holds, for each run, the initial parameters and the data (shared
by all runs), the loss of each of 20 steps and the parameters after them. rates.txt holds the learning rates of 24 steps.
"""

import functools
import math

import torch

from common import exact, here, line

steps = 20
rate = {"sgd": 0.1, "momentum": 0.05, "dampened": 0.05, "nesterov": 0.05, "clip_norm": 0.1, "clip_value": 0.1}


def network(start):
    model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Tanh(), torch.nn.Linear(16, 4))
    model.load_state_dict(start)
    return model


optimizers = {
    "sgd": lambda p, lr: torch.optim.SGD(p, lr=lr, weight_decay=0.01),
    "momentum": lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.9),
    "dampened": lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.9, dampening=0.3),
    "nesterov": lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.9, nesterov=True, weight_decay=0.001),
    "adam": lambda p, lr: torch.optim.Adam(p, lr=lr),
    "adamw": lambda p, lr: torch.optim.AdamW(p, lr=lr),
    "rmsprop": lambda p, lr: torch.optim.RMSprop(p, lr=lr),
    "rmsprop_centred": lambda p, lr: torch.optim.RMSprop(
        p, lr=lr, alpha=0.9, centered=True, momentum=0.8, weight_decay=0.01
    ),
    "clip_norm": lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.9),
    "clip_value": lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.9),
}
clipping = {
    "clip_norm": lambda p: torch.nn.utils.clip_grad_norm_(p, 0.5),
    "clip_value": lambda p: torch.nn.utils.clip_grad_value_(p, 0.05),
}
scheduled = ["sgd", "momentum", "nesterov", "adam", "adamw"]


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
runs = [(o, s, "cross_entropy") for o in scheduled for s in schedules]
runs += [(o, "constant", "cross_entropy") for o in optimizers]
runs += [("sgd", "constant", l) for l in losses]

with open(here / "steps.txt", "w") as file:
    for name, values in start.items():
        line(file, f"start {name}", values)
    line(file, "x", x)
    for name, values in targets.items():
        line(file, f"target {name}", values)
    for optimizer_name, schedule_name, loss_name in dict.fromkeys(runs):
        model = network(start)
        optimizer = optimizers[optimizer_name](model.parameters(), rate.get(optimizer_name, 0.01))
        schedule = schedules[schedule_name](optimizer, rate.get(optimizer_name, 0.01))
        run, seen = f"{optimizer_name} {schedule_name} {loss_name}", []
        for _ in range(steps):
            optimizer.zero_grad()
            loss = losses[loss_name](model(x), targets[loss_name])
            loss.backward()
            clipping.get(optimizer_name, lambda p: None)(model.parameters())
            optimizer.step()
            schedule.step()
            seen.append(loss.item())
        line(file, f"{run} loss", seen)
        for name, parameter in model.named_parameters():
            line(file, f"{run} {name}", parameter)

lr = torch.optim.lr_scheduler
with open(here / "rates.txt", "w") as file:
    for name, make in {
        "step": lambda o: lr.StepLR(o, 7, 0.3),
        "multi_step": lambda o: lr.MultiStepLR(o, [3, 11, 11, 20], 0.5),
        "exponential": lambda o: lr.ExponentialLR(o, 0.9),
        "polynomial": lambda o: lr.PolynomialLR(o, 20, 2.0),
        "linear": lambda o: lr.PolynomialLR(o, 20, 1.0),
        "one_cycle": lambda o: lr.OneCycleLR(o, 0.5, total_steps=25, cycle_momentum=False),
        "one_cycle_short": lambda o: lr.OneCycleLR(
            o, 0.5, total_steps=25, pct_start=0.4, div_factor=5, final_div_factor=100, cycle_momentum=False
        ),
    }.items():
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.5)
        schedule, rates = make(optimizer), []
        for _ in range(24):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step()
        line(file, name, rates)

extreme = torch.tensor([[0.0, 1.0, -1.0], [80.0, -80.0, 0.5], [1e4, -1e4, 3.0], [0.25, 0.25, 0.25]])
functional = torch.nn.functional
labels = torch.tensor([2, 0, 1, 1])
weights = torch.tensor([0.5, 2.0, 1.25])
losses |= {
    "huber": functools.partial(functional.huber_loss, delta=0.7),
    "smooth_l1": functools.partial(functional.smooth_l1_loss, beta=0.5),
    "nll": functional.nll_loss,
    "cross_entropy_smoothed": functools.partial(functional.cross_entropy, label_smoothing=0.1),
    "cross_entropy_weighted": functools.partial(functional.cross_entropy, weight=weights),
    "cross_entropy_both": functools.partial(functional.cross_entropy, weight=weights, label_smoothing=0.3),
    "kl": functools.partial(functional.kl_div, reduction="batchmean"),
    "hinge": lambda prediction, target: torch.clamp(1 - target * prediction, min=0).mean(),
}
distribution = torch.tensor([[0.5, 0.25, 0.25], [1.0, 0.0, 0.0], [0.125, 0.125, 0.75], [0.0, 0.5, 0.5]])
cases = {
    "mse": (exact(4, 3), exact(4, 3)),
    "mae": (exact(4, 3), exact(4, 3)),
    "huber": (exact(4, 3), exact(4, 3)),
    "smooth_l1": (exact(4, 3), exact(4, 3)),
    "cross_entropy": (extreme, labels),
    "cross_entropy_smoothed": (exact(4, 3), labels),
    "cross_entropy_weighted": (exact(4, 3), labels),
    "cross_entropy_both": (exact(4, 3), labels),
    "nll": (exact(4, 3), labels),
    "bce": (extreme, torch.tensor([[0.0, 1.0, 0.5], [1.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.75, 0.0, 1.0]])),
    "kl": (exact(4, 3), distribution),
    "hinge": (exact(4, 3, scale=2.0), torch.sign(exact(4, 3))),
}
activations = {
    "relu": functional.relu,
    "leaky_relu": functools.partial(functional.leaky_relu, negative_slope=0.2),
    "elu": functools.partial(functional.elu, alpha=1.3),
    "selu": functional.selu,
    "celu": functools.partial(functional.celu, alpha=1.3),
    "gelu": functional.gelu,
    "gelu_tanh": functools.partial(functional.gelu, approximate="tanh"),
    "silu": functional.silu,
    "mish": functional.mish,
    "softplus": functools.partial(functional.softplus, threshold=1000),
    "softsign": functional.softsign,
    "relu6": functional.relu6,
    "hardtanh": functools.partial(functional.hardtanh, min_val=-0.5, max_val=2.0),
    "hardsigmoid": functional.hardsigmoid,
    "hardswish": functional.hardswish,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "softmax": lambda t: torch.softmax(t, -1),
    "log_softmax": lambda t: torch.log_softmax(t, -1),
}
with open(here / "functions.txt", "w") as file:
    for name, (prediction, target) in cases.items():
        prediction = prediction.clone().requires_grad_()
        loss = losses[name](prediction, target)
        loss.backward()
        for part, values in {"prediction": prediction, "target": target, "loss": loss, "gradient": prediction.grad}.items():
            line(file, f"{name} {part}", values)
    for name, function in activations.items():
        values = exact(4, 5, scale=2.0)
        # The kinks, and where an exponential overflows.
        values[0] = torch.tensor([0.0, -3.0, 6.0, 90.0, -90.0])
        values.requires_grad_()
        result = function(values)
        weights = exact(4, 5)
        (result * weights).sum().backward()
        for part, numbers in {"x": values, "y": result, "upstream": weights, "gradient": values.grad}.items():
            line(file, f"{name} {part}", numbers)
