//! What the emulation must find: barriers that are missing, threads that do not all come to one, accesses out of bounds.

use crate::emulated::{WORKGROUP, Words, launch, plan};
use warploom_cuda::CudaCpp;
use warploom_emulate::{is_available, sanitized};
use warploom_gpu::{Dialect, Elements, Plan, Shared};
use warploom_graph::DType;

/// Each block reverses its numbers through shared memory, after a detour through an array of each thread's own.
fn reversing() -> (Plan, Vec<Words>) {
    let shared = [Shared { name: "tile".into(), element: "u32", length: WORKGROUP as usize }];
    let body = format!(
        "    {}\n    own[1] = thread + {WORKGROUP}u * group;\n    tile[thread] = own[0] + own[1];\n    {}\n    \
         a0[{WORKGROUP}u * group + thread] = tile[{}u - thread];",
        CudaCpp.local_array("u32", "own", 2),
        CudaCpp.barrier(),
        WORKGROUP - 1,
    );
    let groups = [3, 2, 4];
    let count = (groups.iter().product::<u32>() * WORKGROUP) as usize;
    let arguments = vec![(Elements::Words(DType::U32), true, vec![0; count])];
    (plan(&[], &shared, &body, &arguments, groups), arguments)
}

/// The same plan with other text.
fn changed(mut plan: Plan, from: &str, to: &str) -> Plan {
    for node in &mut plan.nodes {
        let warploom_gpu::Node::Dispatch(dispatch) = node else { continue };
        assert!(dispatch.source.contains(from), "{from} is not in the source");
        dispatch.source = dispatch.source.replace(from, to);
    }
    plan
}

#[test]
fn blocks_are_numbered_and_share() {
    let (plan, arguments) = reversing();
    let Some(results) = launch(plan, &arguments) else { return };
    let reversed = |i: u32| i / WORKGROUP * WORKGROUP + (WORKGROUP - 1 - i % WORKGROUP);
    let count = arguments[0].2.len() as u32;
    assert_eq!(results.expect("it runs")[0], (0..count).map(reversed).collect::<Vec<_>>());
}

#[test]
fn a_missing_barrier_is_found() {
    let (plan, arguments) = reversing();
    let Some(results) = launch(changed(plan, CudaCpp.barrier(), ""), &arguments) else { return };
    let error = results.expect_err("a barrier is missing").to_string();
    assert!(error.contains("in another order"), "{error}");
}

#[test]
fn a_barrier_that_not_all_threads_reach_is_found() {
    let (plan, arguments) = reversing();
    let some = format!("if (thread < 32u) {{ {} }}", CudaCpp.barrier());
    let Some(results) = launch(changed(plan, CudaCpp.barrier(), &some), &arguments) else { return };
    let error = results.expect_err("half of the threads wait").to_string();
    assert!(error.contains("while others wait at a barrier"), "{error}");
}

#[test]
fn accesses_out_of_bounds_are_found() {
    if !is_available() {
        return;
    }
    let bytes = |arguments: &[Words]| arguments[0].2.iter().flat_map(|word| word.to_le_bytes()).collect();
    let (sound, arguments) = reversing();
    sanitized(&sound, |_| bytes(&arguments)).expect("nothing is out of bounds");
    let last = format!("tile[{}u - thread]", WORKGROUP - 1);
    let beyond_shared = changed(sound.clone(), &last, &format!("tile[{WORKGROUP}u - thread]"));
    let said = sanitized(&beyond_shared, |_| bytes(&arguments)).expect_err("one beyond what is shared");
    assert!(said.contains("out of bounds") || said.contains("global-buffer-overflow"), "{said}");
    let beyond_memory = changed(sound, "u * group + thread] =", "u * group + thread + 1u] =");
    let said = sanitized(&beyond_memory, |_| bytes(&arguments)).expect_err("one beyond the memory");
    assert!(said.contains("heap-buffer-overflow"), "{said}");
}

/// Four threads write a byte of each word; every second one keeps what was there.
#[test]
fn parts_of_words_are_written_side_by_side() {
    let body = format!(
        "    if ((thread & 1u) == 1u) {{\n        {}\n    }}",
        CudaCpp.store_part("a0", "thread", 1, "thread"),
    );
    let arguments = [(Elements::Atomic, true, vec![0x4433_2211; WORKGROUP as usize])];
    let Some(results) = launch(plan(&[], &[], &body, &arguments, [1, 1, 1]), &arguments) else { return };
    let results = results.expect("it runs");
    for word in 0..16 {
        assert_eq!(results[0][word as usize], (4 * word + 3) << 24 | 0x33_0011 | (4 * word + 1) << 8);
    }
}
