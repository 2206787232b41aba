"""Makes layers.txt, the values that crates/nn/tests/nn/golden_layers.rs compares with.

    python crates/nn/tests/golden/layers.py

Written by PyTorch 2.15.0 on the CPU. For each case: the input x, the variables by their names in the state_dict, the
output y, a cotangent, and the gradients that it gives; each as `case name shape: …` and `case name: …`.
"""

import torch
from torch import nn

from common import exact, here, tensor

torch.manual_seed(2)


def scattered(module):
    """The module with all floating variables drawn anew; variances stay above 0."""
    for name, value in module.state_dict().items():
        if value.is_floating_point():
            value.copy_(exact(*value.shape, scale=0.5) + (1.5 if "var" in name else 0.25))
            if "var" in name:
                value.abs_()
    return module


def case(file, name, module, x, training=True):
    module.train(training)
    for variable, value in module.state_dict().items():
        tensor(file, f"{name} start {variable}", value)
    tensor(file, f"{name} x", x)
    if x.is_floating_point():
        x = x.clone().requires_grad_()
    y = module(x)
    upstream = exact(*y.shape)
    (y * upstream).sum().backward()
    tensor(file, f"{name} y", y)
    tensor(file, f"{name} upstream", upstream)
    if x.is_floating_point():
        tensor(file, f"{name} gradient x", x.grad)
    for variable, value in module.named_parameters():
        tensor(file, f"{name} gradient {variable}", value.grad)
    for variable, value in module.named_buffers():
        tensor(file, f"{name} end {variable}", value)


ties = lambda *shape: torch.round(exact(*shape) * 1.5)
cases = {
    "batch_norm_1d": (nn.BatchNorm1d(3), exact(6, 3)),
    "batch_norm_2d": (nn.BatchNorm2d(2), exact(3, 2, 4, 3) * 2 + 5),
    "layer_norm": (nn.LayerNorm(5), exact(4, 3, 5) + 2),
    "layer_norm_two_axes": (nn.LayerNorm([3, 5]), exact(4, 3, 5)),
    "group_norm": (nn.GroupNorm(2, 4), exact(3, 4, 5)),
    "group_norm_2d": (nn.GroupNorm(4, 4), exact(2, 4, 3, 2)),
    "embedding": (nn.Embedding(5, 3), torch.tensor([[4, 0, 4], [1, 1, 4]])),
    "prelu": (nn.PReLU(), exact(3, 4)),
    "prelu_channels": (nn.PReLU(3), exact(2, 3, 4)),
    "linear": (nn.Linear(4, 3), exact(2, 5, 4)),
    "conv1d": (nn.Conv1d(2, 3, 3, stride=2, padding=2, dilation=2), exact(2, 2, 9)),
    "conv1d_groups": (nn.Conv1d(4, 6, 2, groups=2, bias=False), exact(2, 4, 5)),
    "conv2d": (nn.Conv2d(2, 3, (3, 2), stride=(2, 1), padding=(1, 2), dilation=(1, 2)), exact(2, 2, 6, 5)),
    "conv2d_depthwise": (nn.Conv2d(3, 6, 3, padding=1, groups=3), exact(2, 3, 4, 5)),
    "conv_transpose1d": (nn.ConvTranspose1d(4, 2, 3, stride=2, padding=1, output_padding=1, groups=2), exact(2, 4, 4)),
    "conv_transpose2d": (nn.ConvTranspose2d(3, 2, 4, stride=2, padding=1, bias=False), exact(2, 3, 3, 2)),
    "conv_transpose2d_cropped": (
        nn.ConvTranspose2d(2, 4, (2, 3), stride=(1, 3), padding=(2, 1), output_padding=(0, 2), dilation=(1, 2), groups=2),
        exact(2, 2, 6, 3),
    ),
    "max_pool1d": (nn.MaxPool1d(3, stride=1, padding=1, dilation=2), ties(2, 2, 8)),
    "max_pool2d": (nn.MaxPool2d(3, stride=2, padding=1), ties(2, 2, 6, 5)),
    "max_pool2d_plain": (nn.MaxPool2d(2), exact(2, 2, 5, 4)),
    "avg_pool1d": (nn.AvgPool1d(2), exact(2, 2, 7)),
    "avg_pool2d": (nn.AvgPool2d(3, stride=2, padding=1), exact(2, 2, 6, 5)),
    "avg_pool2d_within": (nn.AvgPool2d((2, 3), stride=(1, 2), padding=(1, 1), count_include_pad=False), exact(2, 2, 4, 5)),
    "global_average": (nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), exact(2, 3, 4, 5)),
    "global_max": (nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten()), exact(2, 3, 4, 5)),
}

with open(here / "layers.txt", "w") as file:
    for name, (module, x) in cases.items():
        case(file, name, scattered(module), x)
    case(file, "batch_norm_evaluated", scattered(nn.BatchNorm2d(2)), exact(3, 2, 4, 3), training=False)
    # The running statistics over three batches.
    norm = scattered(nn.BatchNorm1d(3, momentum=0.3, eps=1e-3))
    for variable, value in norm.state_dict().items():
        tensor(file, f"batch_norm_running start {variable}", value)
    for step in range(3):
        x = exact(5, 3, 2) * (step + 1) - step
        tensor(file, f"batch_norm_running x {step}", x)
        tensor(file, f"batch_norm_running y {step}", norm(x))
    for variable, value in norm.named_buffers():
        tensor(file, f"batch_norm_running end {variable}", value)
