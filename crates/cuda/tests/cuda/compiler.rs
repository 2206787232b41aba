//! Kernels compiled by NVRTC where it is installed, and the cache of what was compiled.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::support::Folder;
use crate::support::nvrtc::{Sweep, compiler};
use warploom_cuda::Cache;

const SOURCE: &str = "extern \"C\" __global__ void kernel_main(const float* a0, const float* a1, float* a2) {
    const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
    a2[i] = a0[i] * a1[i] + a2[i];
}
";

#[test]
fn a_source_becomes_code_for_each_architecture() {
    let Some(compiler) = compiler() else { return };
    println!("NVRTC {:?} of {}", compiler.version(), compiler.path().display());
    for capability in [(8, 0), (9, 0)] {
        let architecture = compiler.architecture(capability).unwrap();
        let cubin = compiler.compile("product", SOURCE, architecture).unwrap();
        assert_eq!(&cubin[..4], b"\x7fELF");
        let holds = |text: &[u8]| cubin.windows(text.len()).any(|window| window == text);
        assert!(holds(b".text.kernel_main"));
    }
    let newer = compiler.architecture((8, 7)).unwrap();
    assert!((80..=87).contains(&newer), "{newer}");
    let error = compiler.architecture((3, 5)).unwrap_err().to_string();
    assert!(error.contains("compute capability 3.5") && error.contains("older CUDA"), "{error}");
    let error = compiler.architecture((99, 0)).unwrap_err().to_string();
    assert!(error.contains("newer CUDA"), "{error}");
}

#[test]
fn a_rejected_source_is_told_with_kernel_line_and_message() {
    let Some(compiler) = compiler() else { return };
    let wrong = SOURCE.replace("a0[i] *", "nothing[i] *");
    let error = compiler.compile("sum of squares", &wrong, 90).unwrap_err().to_string();
    for part in
        ["kernel sum of squares", "line 3", "\"nothing\" is undefined", ">    3 |     a2[i] = nothing[i]"]
    {
        assert!(error.contains(part), "{error}");
    }
    let error = compiler.compile("zero", "a\0b", 90).unwrap_err().to_string();
    assert!(error.contains("kernel zero has a source with a zero in it"), "{error}");
}

#[test]
fn a_sweep_names_what_spills_and_what_is_rejected() {
    let Some(compiler) = compiler() else { return };
    // Two blocks that share a multiprocessor leave each thread 32 registers.
    let greedy = SOURCE.replace("kernel_main", "__launch_bounds__(1024, 2) kernel_main").replace(
        "a2[i] = a0[i] * a1[i] + a2[i];",
        "float total0[64];
    for (int j = 0; j < 64; j++) total0[j] = a0[i + j];
    for (int j = 0; j < 64; j++) for (int k = 0; k < 64; k++) total0[k] = total0[k] * total0[(k + j) % 64] + a1[k];
    for (int j = 0; j < 64; j++) a2[i + j] = total0[j];",
    );
    let sources = [(SOURCE.to_owned(), "small".to_owned()), (greedy, "greedy".to_owned())];
    let table = Sweep::run(&compiler, &BTreeMap::from(sources.clone()), true).unwrap();
    println!("{table}");
    let spilling = table.spilling();
    assert!(
        spilling.len() == 2 && spilling.iter().all(|told| told.starts_with("greedy on sm_")),
        "{spilling:?}"
    );
    let wrong = (SOURCE.replace("a0[i] *", "nothing[i] *"), "wrong".to_owned());
    let error = Sweep::run(&compiler, &sources.into_iter().chain([wrong]).collect(), true).err().unwrap();
    for part in ["for sm_80: ", "kernel wrong is rejected", "line 3", "nothing[i]"] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn several_threads_compile_at_once() {
    let Some(compiler) = compiler() else { return };
    let sources: Vec<String> = (0..6).map(|i| SOURCE.replace("* a1[i]", &format!("* {i}.0f"))).collect();
    let alone: Vec<_> = sources.iter().map(|source| compiler.compile("k", source, 80).unwrap()).collect();
    let compile = |source: &String| compiler.compile("k", source, 80).unwrap();
    let together: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = sources.iter().map(|source| scope.spawn(|| compile(source))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(alone == together);
    assert!(alone.windows(2).all(|pair| pair[0] != pair[1]));
}

#[test]
fn a_key_says_everything_that_code_depends_on() {
    let Some(compiler) = compiler() else { return };
    let key = compiler.key(SOURCE, 90);
    assert_eq!(key, compiler.key(SOURCE, 90));
    assert_ne!(key, compiler.key(SOURCE, 80));
    assert_ne!(key, compiler.key(&SOURCE.replace('*', "+"), 90));
    let text = String::from_utf8(key).unwrap();
    let (major, minor) = compiler.version();
    assert!(text.contains("--fmad=false") && text.contains(&format!("{major}.{minor}")), "{text}");
}

fn files(folder: &Path) -> usize {
    fs::read_dir(folder).map_or(0, |entries| entries.count())
}

#[test]
fn what_was_put_is_there() {
    let folder = Folder::new();
    let folder = folder.path().join("new");
    let cache = Cache::at(&folder, 1 << 20);
    assert_eq!(cache.get(b"key"), None);
    cache.put(b"key", b"code");
    cache.put(b"other", b"");
    assert_eq!(cache.get(b"key").as_deref(), Some(&b"code"[..]));
    assert_eq!(cache.get(b"other").as_deref(), Some(&b""[..]));
    cache.put(b"key", b"new code");
    assert_eq!(cache.get(b"key").as_deref(), Some(&b"new code"[..]));
    assert_eq!(files(&folder), 2, "nothing of writing is left");
}

#[test]
fn damaged_entries_are_as_none_and_are_made_again() {
    let folder = Folder::new();
    let cache = Cache::at(folder.path(), 1 << 20);
    cache.put(b"key", b"some code");
    let path = cache.path(b"key");
    let whole = fs::read(&path).unwrap();
    for i in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[i] ^= 0x10;
        fs::write(&path, &damaged).unwrap();
        assert_eq!(cache.get(b"key"), None, "byte {i}");
        fs::write(&path, &whole[..i]).unwrap();
        assert_eq!(cache.get(b"key"), None, "{i} bytes");
    }
    cache.put(b"key", b"some code");
    assert_eq!(cache.get(b"key").as_deref(), Some(&b"some code"[..]));
    // Another key's entry under this key's name: as two keys of one hash would be.
    fs::copy(&path, cache.path(b"yek")).unwrap();
    assert_eq!(cache.get(b"yek"), None);
}

#[test]
fn the_oldest_entries_make_room() {
    let folder = Folder::new();
    let cache = Cache::at(folder.path(), 10_000);
    let key = |i: u8| [b'k', i];
    for i in 0..20 {
        cache.put(&key(i), &[i; 900]);
        let file = fs::File::options().write(true).open(cache.path(&key(i))).unwrap();
        let age = std::time::Duration::from_secs(1000 - 10 * u64::from(i));
        file.set_modified(std::time::SystemTime::now() - age).unwrap();
    }
    fs::write(folder.path().join("of another program"), [0; 50_000]).unwrap();
    cache.prune();
    let kept: Vec<u8> = (0..20).filter(|i| cache.get(&key(*i)).is_some()).collect();
    assert_eq!(kept, (12..20).collect::<Vec<_>>());
    assert!(folder.path().join("of another program").exists());
}

#[test]
fn a_folder_that_cannot_be_written_costs_nothing_else() {
    let folder = Folder::new();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let cache = Cache::at(&file, 1 << 20);
    cache.put(b"key", b"code");
    cache.prune();
    assert_eq!(cache.get(b"key"), None);
}
