//! An examination in a process of its own, which a driver may crash or hang.

use crate::child;
use serde_json::Value;
use std::process::Command;
use std::time::{Duration, Instant};
use warploom::device::{Check, Status};

/// How long it may take: a software adapter on a busy machine needs seconds.
const LIMIT: Duration = Duration::from_secs(120);

const ADVICE: &str = "update the GPU's driver, or restart the machine; VK_DRIVER_FILES leaves out all Vulkan drivers but \
                      those that it names; until it works, use device = \"cpu\"";

/// What `warploom doctor` finds of one part, and a failed check if it does not come to its end.
pub fn examine(part: &str) -> Vec<Check> {
    let failed = |reason: String| vec![Check::problem(true, part, reason, ADVICE)];
    match std::env::current_exe() {
        Ok(binary) => {
            let mut command = Command::new(binary);
            command.args(["doctor", "--here", part]);
            run(part, command, LIMIT)
        }
        Err(error) => failed(format!("this program does not find itself: {error}")),
    }
}

fn run(part: &str, mut command: Command, limit: Duration) -> Vec<Check> {
    let ended = match child::run(&mut command, Instant::now() + limit) {
        Ok(ended) => ended,
        Err(error) => {
            return vec![Check::problem(true, part, format!("no process starts for it: {error}"), ADVICE)];
        }
    };
    let mut checks: Vec<Check> = ended.lines.iter().filter_map(|line| parse(line)).collect();
    let reason = match ended.status {
        Some(status) if status.success() => return checks,
        Some(status) => format!("its driver ended the process ({status})"),
        None => format!("its driver did not answer within {} s", limit.as_secs()),
    };
    let last = ended.last_words.map_or(String::new(), |line| format!("; its last words: {line}"));
    let after = checks.last().map_or(String::new(), |check| format!(" after the check \"{}\"", check.name));
    checks.push(Check::problem(true, part, format!("{reason}{after}{last}"), ADVICE));
    checks
}

fn parse(line: &str) -> Option<Check> {
    let value: Value = serde_json::from_str(line).ok()?;
    let text = |key: &str| value[key].as_str().map(str::to_owned);
    Some(Check {
        name: text("name")?,
        status: Status::named(value["status"].as_str()?)?,
        found: text("found")?,
        advice: text("advice"),
    })
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    const CHECK: &str = r#"{"name": "wgpu:0 kernel", "status": "ok", "found": "right", "advice": null}"#;

    fn shell(script: &str, limit: Duration) -> Vec<Check> {
        let mut command = Command::new("sh");
        command.args(["-c", &script.replace("CHECK", &format!("echo '{CHECK}'"))]);
        run("wgpu:0", command, limit)
    }

    #[test]
    fn a_process_that_ends_well_gives_its_checks() {
        assert_eq!(shell("echo noise; CHECK; echo noise >&2", LIMIT), [Check::ok("wgpu:0 kernel", "right")]);
    }

    #[test]
    fn a_crash_keeps_what_came_before_and_tells_how_it_ended() {
        let checks = shell("CHECK; echo 'driver: no such page' >&2; kill -SEGV $$", LIMIT);
        assert_eq!((checks.len(), checks[0].status, checks[1].status), (2, Status::Ok, Status::Failed));
        for part in ["signal: 11", "wgpu:0 kernel", "no such page"] {
            assert!(checks[1].found.contains(part), "{}", checks[1].found);
        }
    }

    #[test]
    fn a_hang_ends_with_the_time() {
        let began = Instant::now();
        let checks = shell("CHECK; exec sleep 60", Duration::from_secs(1));
        assert!(began.elapsed() < Duration::from_secs(30));
        assert_eq!(checks.len(), 2);
        assert!(checks[1].status == Status::Failed && checks[1].found.contains("did not answer within 1 s"));
    }
}
