//! LeNet-5.

use crate::layers::{Convolution, Dense, Flatten, MaxPool, Sequential};

/// LeNet-5 (LeCun et al. 1998) with ReLU and max pooling, for pictures `[channels, height, width]` of 12 by 12 and more; on
/// `[1, 28, 28]` with 10 classes it has 61,706 parameters. It gives logits. Names are those of
/// torch.nn.Sequential(Conv2d, ReLU, MaxPool2d, Conv2d, ReLU, MaxPool2d, Flatten, Linear, ReLU, Linear, ReLU, Linear).
pub fn lenet(classes: usize) -> Sequential {
    Sequential::default()
        .then(Convolution::new(6, 5).padding(2).relu())
        .then(MaxPool::new(2))
        .then(Convolution::new(16, 5).relu())
        .then(MaxPool::new(2))
        .then(Flatten::new())
        .then(Dense::new(120).relu())
        .then(Dense::new(84).relu())
        .then(Dense::new(classes))
}
