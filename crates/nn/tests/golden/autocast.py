"""Makes autocast.txt, what crates/nn/tests/nn/autocast.rs compares with.

    python crates/nn/tests/golden/autocast.py

Written by PyTorch 2.15.0 on the CPU: the network and the data of steps.txt, trained for 20 steps in float32 under
torch.autocast in bfloat16. Lines as in steps.txt.
"""

import torch

from common import here, line

torch.set_default_dtype(torch.float32)
read = dict(entry.split(": ") for entry in (here / "steps.txt").read_text().splitlines() if ": " in entry)


def given(name, *shape):
    return torch.tensor([float(v) for v in read[name].split()]).reshape(shape)


shapes = {"0.weight": (16, 8), "0.bias": (16,), "2.weight": (4, 16), "2.bias": (4,)}
x = given("x", 6, 8)
targets = {"mse": given("target mse", 6, 4), "cross_entropy": given("target cross_entropy", 6).long()}
losses = {"mse": torch.nn.functional.mse_loss, "cross_entropy": torch.nn.functional.cross_entropy}
optimizers = {
    "momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01),
}
with open(here / "autocast.txt", "w") as file:
    for optimizer_name, make in optimizers.items():
        for loss_name, target in targets.items():
            model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Tanh(), torch.nn.Linear(16, 4))
            model.load_state_dict({name: given(f"start {name}", *shape) for name, shape in shapes.items()})
            optimizer, seen = make(model.parameters()), []
            for _ in range(20):
                optimizer.zero_grad()
                with torch.autocast("cpu", dtype=torch.bfloat16):
                    prediction = model(x)
                    loss = losses[loss_name](prediction, target)
                loss.backward()
                optimizer.step()
                seen.append(loss.item())
            line(file, f"{optimizer_name} {loss_name} loss", seen)
            for name, parameter in model.named_parameters():
                line(file, f"{optimizer_name} {loss_name} {name}", parameter)
