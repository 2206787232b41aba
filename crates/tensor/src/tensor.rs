//! The lazy tensor: arithmetic records, looking at a value runs.

use crate::device::Device;
use crate::element::Element;
use crate::error::Error;
use crate::evaluate;
use crate::node::{Content, Kind, Node};
use crate::scope;
use smallvec::SmallVec;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use warploom_device::Memory;
use warploom_graph::{DType, Dims, Origin, Type};

/// An array of numbers on a device, or the recorded work that will make it. Cheap to clone: a clone is the same value.
///
/// No operation on tensors returns a `Result`. One that cannot be gives a tensor that carries the error, with the
/// user's file and line; the error comes out of [`Tensor::shape`], [`Tensor::to_vec`], [`Tensor::item`], a recording, or
/// an assignment, whichever is first.
#[derive(Clone)]
pub struct Tensor(pub(crate) Arc<Node>);

impl Tensor {
    pub(crate) fn leaf(
        ty: Type,
        memory: Memory,
        state: Option<u64>,
        origin: Origin,
        device: Option<Device>,
    ) -> Tensor {
        Tensor(Node::new(Kind::Leaf, ty, Content::Ready { memory, state, behind: None }, origin, device))
    }

    pub(crate) fn lazy(
        kind: Kind,
        ty: Type,
        inputs: SmallVec<[Tensor; 3]>,
        origin: Origin,
        device: Option<Device>,
    ) -> Tensor {
        Tensor(Node::new(kind, ty, Content::Inputs(inputs), origin, device))
    }

    /// A tensor that carries an error: what an operation gives that cannot be.
    pub fn failed(error: Error) -> Tensor {
        let origin = match &error {
            Error::Graph(warploom_graph::Error { origin: Some(origin), .. }) => origin.clone(),
            Error::Graph(_)
            | Error::Device(_)
            | Error::NoDevice { .. }
            | Error::MemoryLimit { .. }
            | Error::Block { .. } => Origin::here(),
        };
        let ty = Type::scalar(DType::F32);
        Tensor::lazy(Kind::Failed(Arc::new(error)), ty, SmallVec::new(), origin, None)
    }

    /// The error this tensor carries, if it does.
    pub fn error(&self) -> Option<Error> {
        match &self.0.kind {
            Kind::Failed(error) => Some(Error::clone(error)),
            _ => None,
        }
    }

    pub(crate) fn is_failed(&self) -> bool {
        matches!(self.0.kind, Kind::Failed(_))
    }

    fn check(&self) -> Result<(), Error> {
        self.error().map_or(Ok(()), Err)
    }

    pub(crate) fn ty(&self) -> &Type {
        &self.0.ty
    }

    /// The type, for code that has seen that the tensor is not failed.
    pub(crate) fn extents(&self) -> &[usize] {
        &self.0.ty.shape
    }

    /// The extents, outermost axis first; known without running anything.
    ///
    /// # Errors
    /// The error of the operation that failed to make this tensor.
    pub fn shape(&self) -> Result<Dims, Error> {
        self.check().map(|()| self.0.ty.shape.clone())
    }

    /// The element type; known without running anything.
    ///
    /// # Errors
    /// As [`Tensor::shape`].
    pub fn dtype(&self) -> Result<DType, Error> {
        self.check().map(|()| self.0.ty.dtype)
    }

    /// Number of axes; known without running anything.
    ///
    /// # Errors
    /// As [`Tensor::shape`].
    pub fn rank(&self) -> Result<usize, Error> {
        self.check().map(|()| self.0.ty.rank())
    }

    /// Number of elements; known without running anything.
    ///
    /// # Errors
    /// As [`Tensor::shape`].
    pub fn elements(&self) -> Result<usize, Error> {
        self.check().map(|()| self.0.ty.elements())
    }

    /// The device it is on.
    ///
    /// # Errors
    /// As [`Tensor::shape`].
    pub fn device(&self) -> Result<Device, Error> {
        self.check()?;
        self.0.device.clone().ok_or_else(|| Error::new("device", "the tensor has no device"))
    }

    /// Gives the tensor a name, by which errors call it. The first name stays.
    pub fn named(self, name: &str) -> Tensor {
        let _ = self.0.name.set(name.into());
        self
    }

    /// The name, if it has one.
    pub fn name(&self) -> Option<&str> {
        self.0.name.get().map(|name| &**name)
    }

    /// Where it was recorded.
    pub fn origin(&self) -> &Origin {
        &self.0.origin
    }

    /// What errors call it: its name, or how it came to be.
    pub(crate) fn described(&self) -> String {
        match self.name() {
            Some(name) => format!("`{name}`"),
            None => format!("the result of {}", self.0.op_name()),
        }
    }

    /// The elements in row-major order. Runs what is needed, and the device's pending assignments, in one program.
    ///
    /// # Errors
    /// The error the tensor carries; a dtype other than `T`'s; what the compiler or the device reports.
    #[track_caller]
    pub fn to_vec<T: Element>(&self) -> Result<Vec<T>, Error> {
        self.check_dtype::<T>("to_vec")?;
        Ok(T::from_bytes(&self.bytes_at(Location::caller())?))
    }

    /// The only element. Runs as [`Tensor::to_vec`].
    ///
    /// # Errors
    /// As [`Tensor::to_vec`]; more or fewer elements than one.
    #[track_caller]
    pub fn item<T: Element>(&self) -> Result<T, Error> {
        self.check_dtype::<T>("item")?;
        if self.0.ty.elements() != 1 {
            let message = format!("takes a tensor of one element, found {}; use to_vec", self.0.ty);
            return Err(Error::new("item", message));
        }
        let mut bytes = [0u8; 8];
        let bytes = &mut bytes[..self.0.ty.bytes()];
        evaluate::read(self, bytes, Location::caller())?;
        Ok(T::from_bytes(bytes)[0])
    }

    /// The stored bytes: elements in row-major order, little-endian. Runs as [`Tensor::to_vec`].
    ///
    /// # Errors
    /// As [`Tensor::to_vec`].
    #[track_caller]
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        self.check()?;
        self.bytes_at(Location::caller())
    }

    /// Runs what makes this value and keeps the result on the device; other looks then cost a copy only.
    ///
    /// # Errors
    /// As [`Tensor::to_vec`].
    #[track_caller]
    pub fn evaluate(&self) -> Result<(), Error> {
        self.check()?;
        evaluate::evaluate(std::slice::from_ref(self), Location::caller())
    }

    /// As [`Tensor::evaluate`], for several tensors of one device in one program.
    ///
    /// # Errors
    /// As [`Tensor::to_vec`]; tensors of several devices.
    #[track_caller]
    pub fn evaluate_all(tensors: &[&Tensor]) -> Result<(), Error> {
        let tensors: Vec<Tensor> = tensors.iter().copied().cloned().collect();
        evaluate::evaluate(&tensors, Location::caller())
    }

    /// The value on another device; the same tensor if it is there already. Runs what is needed, and is not recorded:
    /// no gradient passes.
    #[track_caller]
    pub fn to(&self, device: &Device) -> Tensor {
        if self.is_failed() || self.0.device.as_ref() == Some(device) {
            return self.clone();
        }
        self.moved(device, Location::caller()).unwrap_or_else(Tensor::failed)
    }

    #[track_caller]
    fn moved(&self, device: &Device, line: &'static Location<'static>) -> Result<Tensor, Error> {
        let (origin, ty) = (scope::origin(), self.ty());
        device.check_dtype(ty.dtype).map_err(|message| Error::at("to", message, &origin))?;
        let memory = device.allocate(ty.bytes())?;
        evaluate::send(self, device, &memory, line)?;
        Ok(Tensor::leaf(ty.clone(), memory, None, origin, Some(device.clone())))
    }

    /// Where the value is, if it is anywhere.
    pub(crate) fn memory(&self) -> Option<Memory> {
        let target = match &*self.0.content() {
            Content::Ready { memory, .. } => return Some(memory.clone()),
            Content::Inputs(_) => return None,
            Content::Alias(target) => target.clone(),
        };
        target.memory()
    }

    fn bytes_at(&self, line: &'static Location<'static>) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![0; self.0.ty.bytes()];
        evaluate::read(self, &mut bytes, line)?;
        Ok(bytes)
    }

    #[track_caller]
    fn check_dtype<T: Element>(&self, op: &str) -> Result<(), Error> {
        self.check()?;
        let found = self.0.ty.dtype;
        if found == T::DTYPE {
            return Ok(());
        }
        let want = T::DTYPE;
        let variant = format!("{want:?}");
        let message =
            format!("the tensor is {found}, {want} was asked for; use .cast(DType::{variant}) first");
        Err(Error::new(op, message))
    }
}

impl fmt::Debug for Tensor {
    /// Type and state; does not run anything.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Kind::Failed(error) = &self.0.kind {
            return write!(f, "failed tensor: {error}");
        }
        let state = match &*self.0.content() {
            Content::Inputs(_) => "not yet run",
            Content::Ready { .. } | Content::Alias(_) => "on the device",
        };
        write!(f, "{} from {} ({state})", self.0.ty, self.0.op_name())
    }
}
