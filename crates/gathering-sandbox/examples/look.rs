//! Measures one look at the tree of an idle and of a busy program, without and with its folders being walked.
//!
//! `cargo build --release -p gathering-sandbox --bins && cargo run --release -p gathering-sandbox --example look`.
#![expect(clippy::print_stdout, reason = "it prints what it measured")]

use std::error::Error;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::time::{Duration, Instant};

use gathering_sandbox::{Budget, Child, Job, Limits, Policy, Stdio, Tier, ToolUser, spawn};

const ROUNDS: usize = 200;
const IDLE: &str = "sleep 600";
/// Writes the same 8 MiB over and over.
const BUSY: &str = "while :; do head -c 8M /dev/zero > same; done";

fn main() -> Result<(), Box<dyn Error>> {
    let me = std::env::current_exe()?;
    let launcher =
        me.ancestors().nth(2).ok_or("this program lies in no target directory")?.join("sandbox-launcher");
    let folder = std::env::temp_dir().join(format!("gathering-look-{}", std::process::id()));
    fs::create_dir(&folder)?;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755))?;
    if rustix::process::geteuid().is_root() {
        let ToolUser { uid, gid } = ToolUser::default();
        chown(&folder, Some(uid), Some(gid))?;
    }
    println!("{} processes on this machine", fs::read_dir("/proc")?.count());
    for tier in [Tier::Isolated, Tier::Confined] {
        for (name, script) in [("idle", IDLE), ("busy", BUSY)] {
            let limits = Limits { disk_bytes: 1 << 30, cpu_seconds: 600, ..Limits::default() };
            let budget = Budget::from(&limits);
            let policy =
                Policy { write: vec![folder.clone()], cwd: folder.clone(), limits, ..Policy::default() };
            let job = Job {
                program: "/bin/sh".into(),
                args: vec!["-c".into(), script.into()],
                stderr: Stdio::Null,
                ..Job::default()
            };
            let child = spawn(&launcher, tier, &policy, job)?;
            let mut times = looks(&child, &budget)?;
            times.sort_unstable();
            println!("{tier}, {name}: median {:?}, p95 {:?}", times[ROUNDS / 2], times[ROUNDS * 95 / 100]);
            child.kill()?;
        }
    }
    fs::remove_dir_all(folder)?;
    Ok(())
}

fn looks(child: &Child, budget: &Budget) -> Result<Vec<Duration>, Box<dyn Error>> {
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let began = Instant::now();
        child.hold_to(budget)?;
        times.push(began.elapsed());
        child.wait_timeout(Duration::from_millis(5))?;
    }
    Ok(times)
}
