//! Calls of the driver that fail, one after another.

use std::path::Path;

use warploom_device::DeviceError;

use super::machine::again;

/// Says how a scenario ended.
pub fn tell(result: Result<(), DeviceError>) {
    match result {
        Ok(()) => println!("done"),
        Err(error) => println!("error: {error}"),
    }
}

/// Whether a call gives something back.
fn is_freeing(line: &str) -> bool {
    ["destroy", "free", "unload", "release"].iter().any(|part| line.contains(part))
}

/// Whether a call only gives something back, or belongs to that.
pub fn is_of_the_end(line: &str) -> bool {
    let parts = ["context_set", "stream_wait", "stream_synchronize", "event_synchronize", "left"];
    is_freeing(line) || parts.iter().any(|part| line.starts_with(part))
}

/// Runs a scenario once for each of its calls, which fails: its error is told, unless it gives something back, and nothing is
/// left. Gives how many calls it makes.
pub fn fail_each_call(scenario: &str, libraries: &Path, environment: &[(&str, &str)]) -> usize {
    let run = |more: &[(&str, &str)]| {
        let outcome = again(scenario, libraries, &[environment, more].concat());
        assert!(outcome.succeeded, "{}\n{}", outcome.printed, outcome.log.join("\n"));
        outcome.assert_clean();
        outcome
    };
    let whole = run(&[]);
    assert!(whole.printed.contains("done"), "{}", whole.printed);
    let is_call = |line: &&String| !line.starts_with("left") && !line.starts_with("compile");
    let calls = whole.log.iter().filter(is_call).count();
    let mut told = 0;
    for call in 1..=calls {
        let outcome = run(&[("FAKE_FAIL", &call.to_string())]);
        let position = outcome.log.iter().position(|line| line.ends_with(" = 1")).unwrap();
        let failed = &outcome.log[position];
        if outcome.error().is_empty() {
            // Giving something back, now or at the end, tells nobody.
            let gives_back = outcome.log[position..=position + 1].iter().any(|line| is_freeing(line));
            let ends = outcome.log[position..].iter().all(|line| is_of_the_end(line));
            assert!(gives_back || ends, "call {call}, {failed}, failed and nobody was told");
            continue;
        }
        told += 1;
        let error = outcome.error();
        assert!(
            error.contains("refused") || error.contains("does not tell"),
            "call {call}, {failed}: {error}"
        );
        assert!(error.contains("CUDA_ERROR_FAKE (1, the fake driver's reason); "), "call {call}: {error}");
    }
    assert!(told * 2 > calls, "{told} of {calls}");
    calls
}
