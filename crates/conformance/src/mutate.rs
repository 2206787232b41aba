//! Planted miscompiles: each changes a compiled program in one way that a defect of the compiler could. The random programs
//! must find every one of them.
