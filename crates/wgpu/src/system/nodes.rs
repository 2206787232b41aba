//! Device nodes, and whether this user may open them.

use std::fs;
use std::io;
use std::path::Path;

use warploom_device::Check;

use super::hardware::Gpu;
use super::{System, listing};

impl System {
    /// NVIDIA's nodes, one for each GPU.
    pub(super) fn nvidia_nodes(&self) -> Vec<String> {
        let is_number = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
        let names = self.names("/dev").into_iter();
        let numbered = names.filter(|name| name.strip_prefix("nvidia").is_some_and(is_number));
        numbered.map(|name| format!("/dev/{name}")).collect()
    }

    /// Nodes that programs compute and render through, one for each GPU that a module of the kernel's own drives.
    pub(super) fn render_nodes(&self) -> Vec<String> {
        self.nodes_of_dri("renderD")
    }

    fn nodes_of_dri(&self, start: &str) -> Vec<String> {
        let names = self.names("/dev/dri").into_iter().filter(|name| name.starts_with(start));
        names.map(|name| format!("/dev/dri/{name}")).collect()
    }

    /// The nodes that Vulkan drivers open.
    fn nodes(&self) -> Vec<String> {
        let mut nodes = self.render_nodes();
        nodes.extend(self.nvidia_nodes());
        nodes.extend(
            ["/dev/nvidiactl", "/dev/dxg"].map(str::to_owned).into_iter().filter(|path| self.exists(path)),
        );
        nodes
    }

    /// Whether there are nodes for the GPUs that are driven, and whether they open.
    pub(super) fn check_nodes(&self, gpus: &[Gpu]) -> Vec<Check> {
        let (nodes, cards) = (self.nodes(), self.nodes_of_dri("card"));
        let is_there = |gpu: &Gpu| match gpu.is_driven_by_nvidia() {
            true => !self.nvidia_nodes().is_empty(),
            false => gpu.place.starts_with("/dev/") || nodes.iter().any(|node| node.starts_with("/dev/dri/")),
        };
        let without: Vec<&Gpu> = gpus.iter().filter(|gpu| gpu.is_driven() && !is_there(gpu)).collect();
        let mut checks = Vec::new();
        if let Some(first) = without.first() {
            checks.push(self.no_nodes(first, &without));
        } else if nodes.is_empty() {
            checks.push(Check::skipped("device nodes", "no GPU is driven by the kernel"));
        } else {
            checks.push(Check::ok("device nodes", listing(nodes.iter().chain(&cards))));
        }
        if !nodes.is_empty() {
            checks.push(self.check_permissions(&nodes));
        }
        checks
    }

    fn no_nodes(&self, first: &Gpu, without: &[&Gpu]) -> Check {
        let (wanted, flags) = match first.is_driven_by_nvidia() {
            true => ("/dev/nvidia*", "--gpus all -e NVIDIA_DRIVER_CAPABILITIES=all"),
            false => ("/dev/dri/renderD*", "--device /dev/dri"),
        };
        let cards = self.names("/sys/class/drm").iter().filter(|name| is_card(name)).count();
        let shown = match cards {
            0 => String::new(),
            1 => ", though /sys/class/drm lists 1 card".into(),
            count => format!(", though /sys/class/drm lists {count} cards"),
        };
        let container = if self.is_container() { "; this is a container" } else { "" };
        let found = format!("there is no {wanted} for {}{shown}{container}", listing(without));
        let advice = match (self.is_container(), first.is_driven_by_nvidia()) {
            (true, _) => format!("give the container the device when it starts: docker run {flags} …"),
            (false, true) => "let NVIDIA's tools make the nodes: sudo nvidia-modprobe -c 0 -u".into(),
            (false, false) => {
                "see `dmesg` for why the kernel's module made none; in a container, start it with --device /dev/dri"
                    .into()
            }
        };
        Check::problem(true, "device nodes", found, advice)
    }

    fn check_permissions(&self, nodes: &[String]) -> Check {
        let name = "permissions";
        let refused: Vec<(&String, io::Error)> =
            nodes.iter().filter_map(|node| Some((node, (self.open)(&self.at(node)).err()?))).collect();
        let Some((node, error)) = refused.first() else {
            return Check::ok(name, "every node opens");
        };
        let (user, groups) = self.user();
        let what: Vec<String> =
            refused.iter().map(|(node, _)| format!("{node}{}", self.owner(node).1)).collect();
        let reason = error.to_string();
        let reason = reason.split(" (os error").next().unwrap_or_default();
        let found = format!(
            "{} cannot be opened by user {user} (groups {}): {reason}",
            listing(what),
            listing(&groups)
        );
        let advice = match self.owner(node).0 {
            _ if error.kind() != io::ErrorKind::PermissionDenied => {
                "restart the machine, or load the GPU's kernel module again; see `dmesg`".into()
            }
            Some(group) if self.is_container() => format!(
                "start the container with --device {node} --group-add {group}, so that its user may open the device"
            ),
            Some(group) if group != "root" && !groups.contains(&group) => {
                format!(
                    "add the user to the group {group}, then log in again: sudo usermod -aG {group} $USER"
                )
            }
            Some(_) | None => format!(
                "let a group open it: a rule of udev such as SUBSYSTEM==\"drm\", GROUP=\"render\", MODE=\"0660\"; until the \
                 machine restarts, sudo chmod 666 {node}"
            ),
        };
        let others_do =
            refused.len() < nodes.len() && refused.iter().all(|(node, _)| node.starts_with("/dev/dri/"));
        Check::problem(!others_do, name, found, advice)
    }

    /// Name or number of the user, and of the user's groups.
    fn user(&self) -> (String, Vec<String>) {
        let status = self.read("/proc/self/status").unwrap_or_default();
        let numbers = |key: &str| -> Vec<&str> {
            let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
            line.unwrap_or_default().split_whitespace().collect()
        };
        // Real, effective, saved, file system: the second counts.
        let effective = |key: &str| numbers(key).get(1).copied().unwrap_or("?");
        let mut groups = vec![effective("Gid")];
        groups.extend(numbers("Groups"));
        let mut groups: Vec<String> =
            groups.into_iter().map(|group| self.entry("/etc/group", group)).collect();
        groups.sort();
        groups.dedup();
        (self.entry("/etc/passwd", effective("Uid")), groups)
    }

    /// The name that a number has in a file of lines `name:password:number:…`, or the number.
    fn entry(&self, file: &str, number: &str) -> String {
        let text = self.read(file).unwrap_or_default();
        let is_it = |line: &&str| line.split(':').nth(2) == Some(number);
        let name = text.lines().find(is_it).and_then(|line| line.split(':').next());
        name.unwrap_or(number).into()
    }

    /// A node's group, and its owners and mode for people.
    #[cfg(unix)]
    fn owner(&self, node: &str) -> (Option<String>, String) {
        use std::os::unix::fs::MetadataExt;
        let Ok(about) = fs::metadata(self.at(Path::new(node))) else { return (None, String::new()) };
        let user = self.entry("/etc/passwd", &about.uid().to_string());
        let group = self.entry("/etc/group", &about.gid().to_string());
        let shown = format!(" ({user}:{group}, mode {:03o})", about.mode() & 0o777);
        (Some(group), shown)
    }

    #[cfg(not(unix))]
    fn owner(&self, _: &str) -> (Option<String>, String) {
        (None, String::new())
    }
}

/// `card0`, and not its outputs such as `card0-DP-1`.
fn is_card(name: &str) -> bool {
    name.strip_prefix("card").is_some_and(|rest| !rest.contains('-'))
}
