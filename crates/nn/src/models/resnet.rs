//! Residual networks.

use crate::Parameters;
use crate::layers::{BatchNorm, Conv, Convolution, GlobalAveragePool, Linear};
use crate::module::{Mode, Module};
use warploom_tensor::{ElementwiseMethods, Error, Tensor, module_scope};

/// ResNet-18 (He et al. 2016) for small pictures `[channels, height, width]` such as CIFAR's: the first convolution is 3 by 3
/// with stride 1, and no pooling follows it. With 3 channels and 10 classes it has 11,173,962 parameters. On the current
/// device, drawn as torch.nn's layers are.
///
/// # Errors
/// What the device reports.
#[track_caller]
pub fn resnet18(channels: usize, classes: usize) -> Result<ResNet, Error> {
    let stage = |name: &str, inputs: usize, outputs: usize, stride: usize| {
        let block = |position: &str, inputs: usize, stride: usize| {
            module_scope(position, || BasicBlock::new(inputs, outputs, stride))
        };
        module_scope(name, || Ok::<_, Error>(vec![block("0", inputs, stride)?, block("1", outputs, 1)?]))
    };
    Ok(ResNet {
        conv1: module_scope("conv1", || three_by_three(64, 1).conv2d(channels))?,
        bn1: module_scope("bn1", || BatchNorm::new(64))?,
        layer1: stage("layer1", 64, 64, 1)?,
        layer2: stage("layer2", 64, 128, 2)?,
        layer3: stage("layer3", 128, 256, 2)?,
        layer4: stage("layer4", 256, 512, 2)?,
        fc: module_scope("fc", || Linear::new(512, classes))?,
    })
}

/// A residual network of four stages, with torchvision's names: `layer2.0.downsample.1.running_mean`. It gives logits
/// `[batch, classes]` for `[batch, channels, height, width]`.
#[derive(Parameters)]
pub struct ResNet {
    conv1: Conv,
    bn1: BatchNorm,
    layer1: Vec<BasicBlock>,
    layer2: Vec<BasicBlock>,
    layer3: Vec<BasicBlock>,
    layer4: Vec<BasicBlock>,
    fc: Linear,
}

impl Module for ResNet {
    #[track_caller]
    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        let mut x = self.bn1.forward(&self.conv1.forward(x, mode), mode).relu();
        for block in [&self.layer1, &self.layer2, &self.layer3, &self.layer4].into_iter().flatten() {
            x = block.forward(&x, mode);
        }
        self.fc.forward(&GlobalAveragePool.forward(&x, mode), mode)
    }
}

/// Two convolutions of 3 by 3, each followed by batch normalisation, beside a shortcut.
#[derive(Parameters)]
pub struct BasicBlock {
    conv1: Conv,
    bn1: BatchNorm,
    conv2: Conv,
    bn2: BatchNorm,
    downsample: Option<(Conv, BatchNorm)>,
}

impl BasicBlock {
    /// From so many channels to others; where that or the stride changes the shape, the shortcut is a convolution of 1 by 1
    /// with batch normalisation.
    ///
    /// # Errors
    /// What the device reports.
    #[track_caller]
    pub fn new(inputs: usize, outputs: usize, stride: usize) -> Result<BasicBlock, Error> {
        let norm = || BatchNorm::new(outputs);
        let downsample = || {
            let conv = Convolution::new(outputs, 1).stride(stride).no_bias();
            Ok::<_, Error>((module_scope("0", || conv.conv2d(inputs))?, module_scope("1", norm)?))
        };
        let changes = stride != 1 || inputs != outputs;
        Ok(BasicBlock {
            conv1: module_scope("conv1", || three_by_three(outputs, stride).conv2d(inputs))?,
            bn1: module_scope("bn1", norm)?,
            conv2: module_scope("conv2", || three_by_three(outputs, 1).conv2d(outputs))?,
            bn2: module_scope("bn2", norm)?,
            downsample: changes.then(|| module_scope("downsample", downsample)).transpose()?,
        })
    }
}

impl Module for BasicBlock {
    #[track_caller]
    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        let inner = self.bn1.forward(&self.conv1.forward(x, mode), mode).relu();
        let body = self.bn2.forward(&self.conv2.forward(&inner, mode), mode);
        let shortcut = match &self.downsample {
            Some((conv, norm)) => norm.forward(&conv.forward(x, mode), mode),
            None => x.clone(),
        };
        (body + shortcut).relu()
    }
}

fn three_by_three(outputs: usize, stride: usize) -> Convolution {
    Convolution::new(outputs, 3).stride(stride).padding(1).no_bias()
}
