//! What can be said on the command line.

use clap::{Args, Parser, Subcommand};
use std::num::NonZero;
use std::path::PathBuf;

/// From data files to a trained network, on whatever device is there.
#[derive(Parser)]
#[command(name = "warploom", version, max_term_width = 100)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Train a recipe; writes the run folder
    Train(Train),
    /// Score a run's weights on its test data
    Evaluate(Evaluate),
    /// Predict files with a run's weights
    Predict(Predict),
    /// Say how much memory a recipe will use, before it runs
    Plan(Plan),
    /// Show how a recipe's training step is computed: graph, kernels, memory
    Explain(Explain),
    /// Write a recipe to start from
    New(New),
    /// List the built-in recipes
    Recipes(Recipes),
    /// Run benchmark workloads
    #[command(after_help = BENCH_EXAMPLES)]
    Bench(Bench),
    /// List the devices of this machine
    #[command(after_help = DEVICES_EXAMPLES)]
    Devices(Devices),
    /// Find out why a GPU is missing or does not work: examine the system, let every device compute
    #[command(after_help = DOCTOR_EXAMPLES)]
    Doctor(Doctor),
}

const BENCH_EXAMPLES: &str = "\
gpu-check examines a GPU within minutes and writes one page: every op and random programs against the reference, losses as on \
the CPU, memory as planned, and the workloads side by side with PyTorch and JAX where they are found. Exit code 3 where the \
GPU computes wrongly.

Examples:
  warploom bench W3,W4                      two workloads on the CPU
  warploom bench digits --devices cpu,gpu   a recipe on two devices
  warploom bench gpu-check --peers peers    a GPU from all sides, as gpu-check.html";

const DEVICES_EXAMPLES: &str = "\
Examples:
  warploom devices                          what can be named in `device =`
  warploom devices --json | jq '.[].id'     for scripts
  warploom train digits device=wgpu:0       to train on one of them";

const DOCTOR_EXAMPLES: &str = "\
Ends with what to install or change, in order. Exit code 0 where all that is here works, with or without a GPU; \
3 where something does not.

Examples:
  warploom doctor                           the system, then every device
  warploom doctor --device wgpu:0           the system, then one device
  warploom doctor --json | jq '.checks[] | select(.status == \"failed\")'";

#[derive(Args)]
pub struct Train {
    /// A recipe file or a built-in name
    pub recipe: String,
    /// key=value, for any key of the recipe: train.epochs=5 device=cpu
    pub overrides: Vec<String>,
    /// The run folder, `runs/<name>` if not said
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// End with one JSON object on standard output
    #[arg(long)]
    pub json: bool,
    /// No progress on standard error
    #[arg(long, short)]
    pub quiet: bool,
    /// Go on where an interrupted run into the same folder stopped
    #[arg(long)]
    pub resume: bool,
    /// Check every kernel against a reference the first time it runs; the first that differs ends the run
    #[arg(long)]
    pub verify: bool,
    /// Write a timeline of the run, for ui.perfetto.dev: kernels, copies, host and loader. A GPU then waits for every launch
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
}

#[derive(Args)]
pub struct Evaluate {
    /// The folder of a run
    pub run: PathBuf,
    /// key=value, for any key of the run's recipe
    pub overrides: Vec<String>,
    /// Test on other data: a CSV file, a folder of pictures, or a folder of IDX files
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct Predict {
    /// The folder of a run
    pub run: PathBuf,
    /// Raw files: pictures or folders of pictures, CSV files, IDX files
    #[arg(required = true)]
    pub inputs: Vec<PathBuf>,
    /// On another device than the run's: cpu, wgpu:0, gpu
    #[arg(long, value_name = "ID")]
    pub device: Option<String>,
    /// Write to a file: JSON lines if its name ends with .json or .jsonl, else CSV
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Print one JSON object for each example
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct Plan {
    /// A recipe file or a built-in name
    pub recipe: String,
    /// key=value, for any key of the recipe
    pub overrides: Vec<String>,
    /// For another device than the recipe's: cpu, wgpu:0, gpu
    #[arg(long, value_name = "ID")]
    pub device: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct Explain {
    /// A recipe file or a built-in name
    pub recipe: String,
    /// key=value, for any key of the recipe
    pub overrides: Vec<String>,
    /// For another device than the recipe's: cpu, wgpu:0, gpu
    #[arg(long, value_name = "ID")]
    pub device: Option<String>,
    /// Print the instructions of every kernel, and its source where the device has one
    #[arg(long)]
    pub kernels: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct Recipes {
    /// Print one JSON list
    #[arg(long)]
    pub json: bool,
    /// Print the JSON Schema of recipes
    #[arg(long)]
    pub schema: bool,
    /// Print the reference of all keys, as docs/recipes.md has it
    #[arg(long)]
    pub reference: bool,
}

#[derive(Args)]
pub struct New {
    /// A built-in recipe to start from, or your data: a CSV file, a folder of pictures, a folder of IDX files
    pub from: Option<String>,
    /// The folder in which recipe.toml is written
    #[arg(default_value = ".")]
    pub folder: PathBuf,
    /// The column of a CSV file that is to be predicted
    #[arg(long, value_name = "COLUMN")]
    pub target: Option<String>,
}

#[derive(Args)]
pub struct Bench {
    /// Identifiers or names such as W3 or mlp, separated by commas, or all; or a recipe, trained on each device; or
    /// gpu-check
    #[arg(required_unless_present = "first_step")]
    pub workload: Option<String>,
    /// key=value, for any key of a recipe
    pub overrides: Vec<String>,
    /// Print one JSON object a line
    #[arg(long)]
    pub json: bool,
    /// Seconds to measure each phase [default: 4, of gpu-check 0.5]
    #[arg(long)]
    pub budget: Option<f64>,
    /// Threads of the CPU [default: all]
    #[arg(long)]
    pub threads: Option<NonZero<usize>>,
    /// In which workloads multiply: f32, tf32, bf16 or f16 [default: f32]; gpu-check takes what the device has
    #[arg(long, value_name = "NAME")]
    pub precision: Option<String>,
    /// One or more, separated by commas, to compare [default: cpu, of gpu-check gpu]
    #[arg(long, alias = "device", value_name = "DEVICE,…")]
    pub devices: Option<String>,
    /// gpu-check: a folder with bench_torch.py and bench_jax.py, to run the same work with other frameworks
    #[arg(long, value_name = "DIR")]
    pub peers: Option<PathBuf>,
    /// gpu-check: the Python that has the other frameworks
    #[arg(long, default_value = "python3", value_name = "PROGRAM")]
    pub python: PathBuf,
    /// gpu-check: ends after so many minutes with what it has
    #[arg(long, default_value_t = 9.0, value_name = "N")]
    pub minutes: f64,
    /// gpu-check: the report; its numbers stand beside it as .json
    #[arg(long, default_value = "gpu-check.html", value_name = "FILE")]
    pub out: PathBuf,
    /// Run one training step of W3 and say so
    #[arg(long, hide = true, value_name = "ID")]
    pub first_step: Option<String>,
    /// Measure in this process, where each workload would have one of its own
    #[arg(long, hide = true)]
    pub here: bool,
    /// Measure growing batches
    #[arg(long, hide = true)]
    pub sweep: bool,
}

#[derive(Args)]
pub struct Devices {
    /// Print one JSON list
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct Doctor {
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// Let only this device compute: cpu, wgpu:0, gpu
    #[arg(long, value_name = "ID")]
    pub device: Option<String>,
    /// Examine a part in this process, where it would have one of its own
    #[arg(long, hide = true, value_name = "PART")]
    pub here: Option<String>,
}
