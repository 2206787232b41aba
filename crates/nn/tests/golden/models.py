"""Makes models.txt, the values that crates/nn/tests/nn/golden_models.rs compares with.

    python crates/nn/tests/golden/models.py

Written by PyTorch 2.15.0 on the CPU in float64. For each model: the shape of every variable of its state_dict, the losses
of three steps of SGD (learning rate 0.01, momentum 0.9), and of every variable after them the sum, the sum of squares, the
first and the last element; then the logits in evaluation. Weights and pictures are not stored: `scrambled` makes them here
and there.
"""

import math

import torch
from torch import nn

from common import here, line


def scrambled(shape, salt):
    """Numbers in [-1, 1) by position and salt; float32 holds them."""
    x = (torch.arange(math.prod(shape), dtype=torch.int64) * 2654435761 + salt * 40503) & 0xFFFFFFFF
    x = ((x ^ (x >> 16)) * 2246822519) & 0xFFFFFFFF
    x = (x ^ (x >> 13)) >> 8
    return (x.double() / 2**23 - 1).reshape(shape)


def start(model):
    for salt, (name, value) in enumerate(model.state_dict().items()):
        if not value.is_floating_point() or "running" in name:
            continue
        if value.dim() == 1:
            norm = "bn" in name or "downsample" in name
            value.copy_((scrambled(value.shape, salt) * 0.125 + (1 if norm and "weight" in name else 0)).float())
        else:
            # A power of two near the bound of Kaiming's method, so that float32 holds the product.
            bound = 2.0 ** round(math.log2(math.sqrt(3 / math.prod(value.shape[1:]))))
            value.copy_(scrambled(value.shape, salt) * bound)


def lenet():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        shortcut = x if self.downsample is None else self.downsample(x)
        return torch.relu(self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x))))) + shortcut)


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64)
        widths = [64, 64, 128, 256, 512]
        for i, (inputs, outputs) in enumerate(zip(widths, widths[1:])):
            stage = nn.Sequential(Block(inputs, outputs, 1 if i == 0 else 2), Block(outputs, outputs, 1))
            setattr(self, f"layer{i + 1}", stage)
        self.fc = nn.Linear(512, 10)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


with open(here / "models.txt", "w") as file:
    for name, model, shape in [("lenet", lenet(), (16, 1, 28, 28)), ("resnet18", ResNet(), (4, 3, 32, 32))]:
        start(model)
        x, labels = scrambled(shape, 2000), torch.arange(shape[0]) * 7 % 10
        optimizer, losses = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9), []
        for _ in range(3):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        line(file, f"{name} losses", losses)
        line(file, f"{name} parameters", sum(p.numel() for p in model.parameters()))
        for variable, value in model.state_dict().items():
            line(file, f"{name} shape {variable}", value.shape)
            flat = value.double().flatten()
            line(file, f"{name} end {variable}", [flat.sum(), flat.square().sum(), flat[0], flat[-1]])
        line(file, f"{name} logits", model.eval()(x))
