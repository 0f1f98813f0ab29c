//! Jobs that misbehave in each way, in a worker that is this test program itself.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use gathering_core::ReachedLimit;
use gathering_sandbox::{Confinement, Prober};
use serde::{Deserialize, Serialize};

use super::failure::WorkerFailure;
use super::process::Program;
use super::{Job, Workers};

/// Says who it is, and what is in its files.
#[derive(Serialize, Deserialize)]
pub(super) struct Echo {
    text: String,
}

impl Job for Echo {
    const NAME: &'static str = "test.echo";
    type Output = (u64, String, Vec<String>);

    fn run(self, files: Vec<File>) -> Self::Output {
        // Its process id is the same in every namespace.
        static WHO: OnceLock<u64> = OnceLock::new();
        let read = |mut file: File| {
            let mut text = String::new();
            file.read_to_string(&mut text).map(|_| text).unwrap_or_else(|error| error.to_string())
        };
        (*WHO.get_or_init(|| getrandom::u64().unwrap()), self.text, files.into_iter().map(read).collect())
    }
}

/// What no parser should do.
#[derive(Serialize, Deserialize)]
pub(super) enum Crash {
    Abort,
    Panic,
    StackOverflow,
    Loop,
    Memory,
    Answer(usize),
    /// Takes so many milliseconds.
    Busy(u64),
    LookAround,
    Write,
}

impl Job for Crash {
    const NAME: &'static str = "test.crash";
    type Output = String;

    fn run(self, files: Vec<File>) -> Self::Output {
        match self {
            Self::Abort => std::process::abort(),
            Self::Panic => panic!("no such luck"),
            Self::StackOverflow => format!("{}", deeper(std::hint::black_box(1))),
            Self::Loop => loop {
                std::hint::spin_loop();
            },
            Self::Memory => {
                let mut held: Vec<Vec<u8>> = Vec::new();
                loop {
                    held.push(vec![held.len() as u8 | 1; 16 << 20]);
                }
            }
            Self::Answer(size) => "x".repeat(size),
            Self::Busy(milliseconds) => {
                let began = Instant::now();
                while began.elapsed() < Duration::from_millis(milliseconds) {
                    std::hint::spin_loop();
                }
                "done".to_owned()
            }
            Self::LookAround => {
                let folders = ["/home", "/root"].map(|path| std::fs::read_dir(path).is_ok());
                let socket = std::net::UdpSocket::bind("127.0.0.1:0");
                format!("{folders:?}, {:?}, {:?}", std::fs::read("/etc/shadow").is_ok(), socket.is_ok())
            }
            Self::Write => {
                let mut file = files.into_iter().next().unwrap();
                file.write_all(b"from the worker").map(|()| "written".to_owned()).unwrap()
            }
        }
    }
}

fn deeper(depth: u64) -> u64 {
    let here = [depth; 64];
    std::hint::black_box(&here);
    if depth == 0 { 0 } else { deeper(here[63].wrapping_add(1)).wrapping_add(1) }
}

/// The worker. It is ended by what starts it: run by itself it would read the terminal.
#[test]
#[ignore = "it is what the other tests start"]
fn is_a_worker() {
    super::serve();
}

fn workers() -> Option<Workers> {
    let this = std::env::current_exe().unwrap();
    let folder = this.ancestors().nth(2).unwrap();
    let found = ["sandbox-launcher", "gathering"].map(|name| folder.join(name));
    let Some(launcher) = found.into_iter().find(|program| program.is_file()) else {
        println!("NOT RUN: no launcher was built beside this test: run the tests of the whole workspace");
        return None;
    };
    let prober = Prober::new(Confinement::Sandbox { launcher, tier: None, or_unconfined: false });
    if prober.holds().word() == "none" {
        println!("NOT RUN: no tier of the sandbox holds here");
        return None;
    }
    let arguments = ["worker::tests::is_a_worker", "--exact", "--ignored", "--nocapture"];
    let program = Program { path: this, arguments: arguments.map(str::to_owned).into() };
    Some(Workers::of(Arc::new(prober), Some(program)))
}

async fn echo(workers: &Workers, text: &str) -> (u64, String, Vec<String>) {
    workers.try_run(Echo { text: text.to_owned() }, Vec::new()).await.unwrap()
}

#[tokio::test]
async fn a_worker_is_reused_and_reads_the_files_that_it_is_handed() {
    let Some(workers) = workers() else { return };
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"in the file").unwrap();
    file.rewind().unwrap();

    let first = workers.try_run(Echo { text: "a".to_owned() }, vec![file.into()]).await.unwrap();
    let second = echo(&workers, "b").await;

    assert_eq!((first.1.as_str(), first.2), ("a", vec!["in the file".to_owned()]));
    assert_eq!((second.0, second.1.as_str()), (first.0, "b"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_is_given_up_as_it_is_done_costs_no_other_its_worker() {
    let Some(workers) = workers() else { return };
    for round in 0..60_u64 {
        // Around the moment at which the answer comes, now before it, now after it.
        let patience = Duration::from_micros(5_000 + 50 * round);

        let _ = tokio::time::timeout(patience, workers.try_run(Crash::Busy(5), Vec::new())).await;

        assert_eq!(echo(&workers, "the next").await.1, "the next", "round {round}");
    }
}

#[tokio::test]
async fn a_worker_sees_no_files_of_the_machine_and_no_network() {
    let Some(workers) = workers() else { return };

    let seen = workers.try_run(Crash::LookAround, Vec::new()).await.unwrap();

    assert_eq!(seen, "[false, false], false, false");
}

#[tokio::test]
async fn a_crash_costs_its_call_and_says_what_happened() {
    let Some(workers) = workers() else { return };

    for (crash, expected) in [
        (Crash::Abort, WorkerFailure::Crashed("signal 6".to_owned())),
        (Crash::Panic, WorkerFailure::Crashed("it panicked: no such luck".to_owned())),
        (Crash::StackOverflow, WorkerFailure::Crashed("its stack overflowed".to_owned())),
        (Crash::Memory, WorkerFailure::LimitReached(ReachedLimit::Memory)),
    ] {
        let failure = workers.try_run(crash, Vec::new()).await.unwrap_err();

        assert_eq!(failure, expected);
        assert_eq!(echo(&workers, "next").await.1, "next");
    }
}

#[tokio::test]
async fn a_loop_is_ended_with_its_call() {
    let Some(workers) = workers() else { return };
    let before = echo(&workers, "before").await.0;
    let started = Instant::now();

    let looping =
        tokio::time::timeout(Duration::from_millis(300), workers.try_run(Crash::Loop, Vec::new())).await;

    assert!(looping.is_err());
    assert_ne!(echo(&workers, "after").await.0, before);
    // It takes milliseconds; this is for machines that are drowning.
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn an_answer_has_a_limit() {
    let Some(workers) = workers() else { return };

    let failure = workers.try_run(Crash::Answer(60 << 20), Vec::new()).await.unwrap_err();

    assert!(matches!(&failure, WorkerFailure::Protocol(said) if said.contains("too large")), "{failure:?}");
    assert_eq!(workers.try_run(Crash::Answer(1 << 20), Vec::new()).await.unwrap().len(), 1 << 20);
}

#[tokio::test]
async fn a_worker_writes_into_the_file_that_it_is_handed() {
    let Some(workers) = workers() else { return };
    let mut file = tempfile::tempfile().unwrap();

    workers.try_run(Crash::Write, vec![file.try_clone().unwrap().into()]).await.unwrap();

    let mut text = String::new();
    file.rewind().unwrap();
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "from the worker");
}

#[tokio::test]
async fn nothing_runs_where_no_tier_holds() {
    let launcher = "/nowhere/gathering".into();
    let prober = Prober::new(Confinement::Sandbox { launcher, tier: None, or_unconfined: false });

    let failure =
        Workers::new(Arc::new(prober)).try_run(Echo { text: String::new() }, Vec::new()).await.unwrap_err();

    assert!(matches!(failure, WorkerFailure::SetupFailed(_)), "{failure:?}");
}
