//! Libraries are found in simulated trees.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Folder, value};
use warploom_cuda::{FOLDERS_VARIABLE, Library, Search};

/// A machine with these files, and nothing in its environment.
fn tree(files: &[&str]) -> Folder {
    let folder = Folder::new();
    for file in files {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    folder
}

fn find(root: &Path, library: Library, environment: &[(&str, OsString)]) -> Vec<String> {
    let found = Search::simulated(root, environment).find(library);
    let shown = |file: &PathBuf| file.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
    found.files.iter().map(shown).collect()
}

#[test]
fn the_toolkit() {
    let machine = tree(&[
        "opt/toolkit/lib64/libnvrtc.so.12",
        "opt/toolkit/lib64/libnvrtc-builtins.so.12.4",
        "opt/toolkit/lib64/stubs/libcuda.so",
        "opt/toolkit/lib64/libcublasLt.so.12",
        "opt/toolkit/lib64/libnccl.so.2",
        "usr/local/cuda-13.0/lib64/libnvrtc.so",
        "usr/local/cuda-13.0/lib64/libnvrtc.so.13",
        "usr/local/cuda-13.0/lib64/libnvrtc.so.13.0.48",
    ]);
    let root = machine.path();
    let installed = [
        "usr/local/cuda-13.0/lib64/libnvrtc.so.13.0.48",
        "usr/local/cuda-13.0/lib64/libnvrtc.so.13",
        "usr/local/cuda-13.0/lib64/libnvrtc.so",
    ];
    assert_eq!(find(root, Library::Nvrtc, &[]), installed);
    for variable in ["CUDA_PATH", "CUDA_HOME"] {
        let named = [(variable, value(&root.join("opt/toolkit")))];
        let all = [&["opt/toolkit/lib64/libnvrtc.so.12"], &installed[..]].concat();
        assert_eq!(find(root, Library::Nvrtc, &named), all);
        assert_eq!(find(root, Library::CublasLt, &named), ["opt/toolkit/lib64/libcublasLt.so.12"]);
        assert_eq!(find(root, Library::Nccl, &named), ["opt/toolkit/lib64/libnccl.so.2"]);
        assert!(find(root, Library::Driver, &named).is_empty(), "a toolkit's driver is a stub for linkers");
    }
}

#[test]
fn what_the_loader_is_configured_to_search() {
    let machine = tree(&[
        "usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1",
        "data/one/libcuda.so.1",
        "data/two/libcuda.so.550.54.15",
        "data/two/libcudnn.so.9",
        "data/two/libnccl.so.2.30.7",
        "data/three/libnvrtc.so.12",
        "etc/ld.so.conf.d/README",
    ]);
    let root = machine.path();
    fs::write(root.join("etc/ld.so.conf"), "include /etc/ld.so.conf.d/*.conf\n/data/two # last\n").unwrap();
    fs::write(root.join("etc/ld.so.conf.d/gpu.conf"), "# a comment\n/data/one\n").unwrap();
    fs::write(root.join("etc/ld.so.conf.d/README"), "/data/three\n").unwrap();
    assert_eq!(find(root, Library::Driver, &[]), ["data/one/libcuda.so.1", "data/two/libcuda.so.550.54.15"]);
    assert_eq!(find(root, Library::Nvml, &[]), ["usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1"]);
    assert_eq!(find(root, Library::Cudnn, &[]), ["data/two/libcudnn.so.9"]);
    assert_eq!(find(root, Library::Nccl, &[]), ["data/two/libnccl.so.2.30.7"]);
    assert!(find(root, Library::Nvrtc, &[]).is_empty());
    let asked = [("LD_LIBRARY_PATH", value(&root.join("data/three")))];
    assert_eq!(find(root, Library::Nvrtc, &asked), ["data/three/libnvrtc.so.12"]);
}

#[test]
fn python_packages() {
    let new = "lib/python3.11/site-packages/nvidia/cu13/lib/libnvrtc.so.13";
    let old = "lib/python3.12/site-packages/nvidia/cuda_nvrtc/lib/libnvrtc.so.12";
    let machine = tree(&[
        &format!("venv/{new}"),
        "venv/lib/python3.11/site-packages/nvidia/cudnn/lib/libcudnn.so.9",
        "venv/lib/python3.11/site-packages/nvidia/nccl/lib/libnccl.so.2",
        "venv/lib/python3.11/site-packages/nvidia/cu13/lib/libcublasLt.so.13",
        &format!("other/{old}"),
        "other/bin/python3",
        &format!("home/me/.local/{old}"),
        "conda/lib/libnvrtc.so.12",
        "usr/lib/python3/dist-packages/nvidia/cuda_nvrtc/lib/libnvrtc.so.11.2",
    ]);
    let root = machine.path();
    let system = "usr/lib/python3/dist-packages/nvidia/cuda_nvrtc/lib/libnvrtc.so.11.2";
    assert_eq!(find(root, Library::Nvrtc, &[]), [system]);
    let active = [("VIRTUAL_ENV", value(&root.join("venv")))];
    assert_eq!(find(root, Library::Nvrtc, &active), [format!("venv/{new}").as_str(), system]);
    assert_eq!(
        find(root, Library::Cudnn, &active),
        ["venv/lib/python3.11/site-packages/nvidia/cudnn/lib/libcudnn.so.9"]
    );
    assert_eq!(
        find(root, Library::Nccl, &active),
        ["venv/lib/python3.11/site-packages/nvidia/nccl/lib/libnccl.so.2"]
    );
    assert_eq!(find(root, Library::CublasLt, &active).len(), 1);
    let on_the_path = [("PATH", value(&root.join("other/bin")))];
    assert_eq!(find(root, Library::Nvrtc, &on_the_path), [format!("other/{old}").as_str(), system]);
    let at_home = [("HOME", value(&root.join("home/me")))];
    assert_eq!(find(root, Library::Nvrtc, &at_home), [format!("home/me/.local/{old}").as_str(), system]);
    let conda = [("CONDA_PREFIX", value(&root.join("conda")))];
    assert_eq!(find(root, Library::Nvrtc, &conda), ["conda/lib/libnvrtc.so.12", system]);
}

#[test]
fn folders_that_are_named_are_searched_alone() {
    let machine =
        tree(&["one/libcuda.so.1", "usr/lib64/libcuda.so.1", "two/libcuda.so", "two/libcuda.so.1.1"]);
    let root = machine.path();
    let folders = std::env::join_paths([root.join("two"), root.join("one")]).unwrap();
    let named = [(FOLDERS_VARIABLE, folders)];
    assert_eq!(
        find(root, Library::Driver, &named),
        ["two/libcuda.so.1.1", "two/libcuda.so", "one/libcuda.so.1"]
    );
    assert_eq!(find(root, Library::Driver, &[(FOLDERS_VARIABLE, "".into())]), ["usr/lib64/libcuda.so.1"]);
}

#[test]
fn what_is_missing_is_said_with_where_it_was_looked_for() {
    let machine = tree(&[
        "usr/lib64/libcudart.so.13",
        "usr/lib64/libcuda.so.1.backup",
        "usr/lib64/libcudadebugger.so.1",
    ]);
    for library in Library::ALL {
        let found = Search::simulated(machine.path(), &[]).find(library);
        assert!(found.files.is_empty(), "{found:?}");
        let text = found.why_missing(library);
        let looked = machine.path().join("usr/lib64").display().to_string();
        for part in [library.file(), &looked, library.advice(), FOLDERS_VARIABLE] {
            assert!(text.contains(part), "{text}");
        }
    }
}
