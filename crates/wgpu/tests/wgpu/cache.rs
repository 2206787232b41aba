//! The pipeline cache on disk. A test of its own process, since the folder is told by the environment.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{argument, dispatch, launch, open, plan, program};
use warploom_device::Executor;
use warploom_gpu::Node;

/// Compiles until writing the cache is worth it, and runs the last kernel.
#[test]
#[ignore = "a part of the test below"]
fn compile_and_run() {
    let Some(gpu) = open() else { return };
    for i in 0..200 {
        let body = format!(
            "var x = f32(i) + {i}.0;\nfor (var k = 0u; k < 9u; k++) {{ x = sin(x) * cos(x + {i}.5) + exp(x); }}\na0[i] = u32(x) & 0u;"
        );
        let kernel = dispatch("many", &body, 1, vec![argument(0, 0, 64, true)]);
        let executable = gpu.prepare_plan(program(&[64]), &plan(vec![Node::Dispatch(kernel)])).unwrap();
        if i == 199 {
            let memory = gpu.allocate(256).unwrap();
            let token = launch(&executable, std::slice::from_ref(&memory)).unwrap();
            gpu.wait(token).unwrap();
        }
    }
}

fn run(folder: &Path) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "compile_and_run"]).env("WARPLOOM_CACHE", folder);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

fn files(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn the_cache_is_written_and_a_corrupt_one_is_replaced() {
    let Some(gpu) = open() else { return };
    if !gpu.adapter().features.contains(&"pipeline cache") {
        println!("skipped: the driver gives no cache out");
        return;
    }
    let folder = std::env::temp_dir().join(format!("warploom-cache-{}", std::process::id()));
    run(&folder);
    let [file] = &files(&folder)[..] else { panic!("{:?}", files(&folder)) };
    let written = fs::read(file).unwrap();
    for corrupt in [&b"short"[..], &[0; 1000], &written[..written.len() - 1]] {
        fs::write(file, corrupt).unwrap();
        run(&folder);
        let anew = fs::read(file).unwrap();
        assert!(anew != corrupt, "a corrupt file was kept");
        assert_eq!(files(&folder).len(), 1);
    }
    run(&folder);
    // A folder that cannot be made costs nothing but the cache.
    run(&file.join("below-a-file"));
    fs::remove_dir_all(&folder).unwrap();
}
