//! Measures what confinement adds to running `/bin/true`, beside `bwrap --unshare-all` if that is installed.
//!
//! `cargo build --release -p gathering-sandbox --bins && cargo run --release -p gathering-sandbox --example latency`,
//! with another launcher as an argument if wanted.
#![expect(clippy::print_stdout, reason = "it prints what it measured")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use gathering_sandbox::{Job, Policy, Tier, spawn};

const ROUNDS: usize = 200;
/// As many as the core plugin protects of a working folder.
const PROTECTED: usize = 17;
const PROGRAM: &str = "/bin/true";
const BWRAP: &[&str] = &[
    "--unshare-all",
    "--die-with-parent",
    "--ro-bind",
    "/usr",
    "/usr",
    "--symlink",
    "usr/bin",
    "/bin",
    "--symlink",
    "usr/lib",
    "/lib",
    "--symlink",
    "usr/lib64",
    "/lib64",
    "--proc",
    "/proc",
    "--dev",
    "/dev",
    "--tmpfs",
    "/tmp",
    PROGRAM,
];

type Way<'a> = (&'static str, Box<dyn Fn() -> Result<(), Box<dyn Error>> + 'a>);

fn main() -> Result<(), Box<dyn Error>> {
    let launcher = match std::env::args_os().nth(1) {
        Some(path) => PathBuf::from(path),
        None => {
            let me = std::env::current_exe()?;
            me.ancestors().nth(2).ok_or("this program lies in no target directory")?.join("sandbox-launcher")
        }
    };
    let folder = std::env::temp_dir().join(format!("latency-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let with_folder = Policy { write: vec![folder.clone()], ..Policy::default() };
    let protected = (0..PROTECTED).map(|n| folder.join(format!(".protected{n}"))).collect();
    let with_protected = Policy { protected, ..with_folder.clone() };
    let mut ways: Vec<Way<'_>> = vec![
        ("plain", Box::new(|| plain(PROGRAM, &[]))),
        ("isolated", Box::new(|| confined(&launcher, Tier::Isolated, &Policy::default()))),
        ("  with a folder", Box::new(|| confined(&launcher, Tier::Isolated, &with_folder))),
        ("  and protected paths", Box::new(|| confined(&launcher, Tier::Isolated, &with_protected))),
        ("confined", Box::new(|| confined(&launcher, Tier::Confined, &Policy::default()))),
    ];
    match plain("bwrap", BWRAP) {
        Ok(()) => ways.push(("bwrap --unshare-all", Box::new(|| plain("bwrap", BWRAP)))),
        Err(error) => println!("NOT RUN: bwrap: {error}"),
    }
    let mut times = vec![Vec::with_capacity(ROUNDS); ways.len()];
    // In turns, so that what else the machine does is shared by all.
    for _ in 0..ROUNDS {
        for ((_, run), times) in ways.iter().zip(&mut times) {
            let started = Instant::now();
            run()?;
            times.push(started.elapsed());
        }
    }
    println!(
        "{:22} {:>9} {:>9} {:>9} {:>14}",
        "from spawn to exit", "p10", "median", "p90", "added (median)"
    );
    std::fs::remove_dir_all(&folder)?;
    let base = quantile(&mut times[0], 0.5);
    for ((name, _), times) in ways.iter().zip(&mut times) {
        let [low, middle, high] = [0.1, 0.5, 0.9].map(|part| quantile(times, part));
        println!("{name:22} {low:>9.2?} {middle:>9.2?} {high:>9.2?} {:>14.2?}", middle.saturating_sub(base));
    }
    Ok(())
}

fn plain(program: &str, args: &[&str]) -> Result<(), Box<dyn Error>> {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if command.status()?.success() { Ok(()) } else { Err(format!("`{program}` failed").into()) }
}

fn confined(launcher: &Path, tier: Tier, policy: &Policy) -> Result<(), Box<dyn Error>> {
    let exit = spawn(launcher, tier, policy, Job { program: PROGRAM.into(), ..Job::default() })?.wait()?;
    if exit.success() { Ok(()) } else { Err(format!("{exit:?}").into()) }
}

fn quantile(times: &mut [Duration], part: f64) -> Duration {
    times.sort_unstable();
    times[((times.len() - 1) as f64 * part) as usize]
}
