//! Memory of this machine that is free.

use std::fs;

/// All and free memory in bytes, and what limits it; nothing where the system does not say.
pub fn host() -> Option<(u64, u64, &'static str)> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
    };
    let (total, free) = (field("MemTotal")?, field("MemAvailable")?);
    let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    // Version 2 of control groups, then version 1. Without a limit the file has a word, or a number above all memory.
    let groups = [
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ];
    let limit = groups.iter().find_map(|(limit, used)| Some((number(limit)?, number(used)?)));
    match limit.filter(|(limit, _)| *limit < total) {
        Some((limit, used)) => Some((limit, free.min(limit.saturating_sub(used)), "by the control group")),
        None => Some((total, free, "in this machine")),
    }
}
