"""Values of scikit-learn and PyTorch that tests/metrics.rs compares with. Run by hand; prints Rust."""

import numpy as np
import sklearn.metrics as m
import torch

rng = np.random.default_rng(7)
n, classes = 23, 5
logits = np.round(rng.normal(size=(n, classes)), 2).astype(np.float32)
labels = rng.integers(0, 4, size=n)  # class 4 has no example
said = logits.argmax(1)
print("logits", logits.reshape(-1).tolist())
print("labels", labels.tolist())
for average in ["macro", "micro", "weighted"]:
    print(average, [f(labels, said, average=average, zero_division=0)
                    for f in (m.precision_score, m.recall_score, m.f1_score)])
print("accuracy", m.accuracy_score(labels, said))
for k in (2, 3):
    print("top", k, m.top_k_accuracy_score(labels, logits, k=k, labels=range(classes)))
print("confusion", m.confusion_matrix(labels, said, labels=range(classes)).tolist())
target = torch.tensor(labels)
print("cross entropy", torch.nn.functional.cross_entropy(torch.tensor(logits), target).item())

y = rng.normal(size=(n, 1)).astype(np.float32).round(2)
p = rng.normal(size=(n, 1)).astype(np.float32).round(2)
print("p", p.reshape(-1).tolist())
print("y", y.reshape(-1).tolist())
print("mse", m.mean_squared_error(y.astype(float), p.astype(float)),
      "rmse", m.mean_squared_error(y.astype(float), p.astype(float)) ** 0.5,
      "mae", m.mean_absolute_error(y.astype(float), p.astype(float)))
t, s = y[:, 0] > 0, p[:, 0] > 0.5
print("binary", [f(t, s) for f in (m.accuracy_score, m.precision_score, m.recall_score, m.f1_score)])

# A step on a weighted loss: Σ w·loss / batch, as Keras reduces it.
w = torch.zeros(classes, 3, requires_grad=True)
x = torch.tensor(np.round(rng.normal(size=(8, 3)), 2), dtype=torch.float32)
t = torch.tensor([0, 1, 2, 3, 0, 1, 2, 0])
weights = torch.tensor([0.5, 2.0, 1.0, 4.0, 1.0])[t]
each = torch.nn.functional.cross_entropy(x @ w.T, t, reduction="none")
loss = (each * weights).sum() / 8
loss.backward()
print("x", x.reshape(-1).tolist())
print("loss", loss.item(), "next", (w - 0.5 * w.grad).reshape(-1).tolist())
