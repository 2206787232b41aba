//! NVIDIA's GPUs: the kernels of `warploom-gpu` as CUDA C++.
