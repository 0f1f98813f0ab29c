//! The worker's side: takes orders until there is nobody to give them.

use std::any::Any;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use gathering_sandbox::{receive_message, send_message};

use super::{Answer, MAX_ANSWER, MAX_JOB, Order, jobs};

/// How deep a job may call, in bytes of stack.
const STACK: usize = 16 << 20;

/// Is a worker: to be called by a program whose first arguments are `__worker native`.
///
/// Its standard input is the server's socket.
pub fn serve() -> ExitCode {
    let serving = std::thread::Builder::new().name("job".to_owned()).stack_size(STACK).spawn(run);
    match serving.map(std::thread::JoinHandle::join) {
        Ok(Ok(Ok(()))) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn run() -> io::Result<()> {
    let socket = take_socket()?;
    let jobs = jobs();
    while let Some((order, files)) = receive_message::<Order>(&socket, MAX_JOB)? {
        let Order { job, input } = order;
        let answer = match jobs.iter().find(|known| known.name == job) {
            None => Answer::Refused(format!("it knows no job `{job}`")),
            Some(known) => {
                let files = files.into_iter().map(File::from).collect();
                match catch_unwind(AssertUnwindSafe(|| (known.run)(&input, files))) {
                    Ok(Ok(output)) => Answer::Done(output),
                    Ok(Err(error)) => {
                        Answer::Refused(format!("the job `{job}` cannot be read or answered: {error}"))
                    }
                    Err(payload) => Answer::Panicked(said(&*payload)),
                }
            }
        };
        let is_last = !matches!(answer, Answer::Done(_));
        match send_message(&socket, &answer, &[], MAX_ANSWER) {
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                let refused = Answer::Refused(format!("the answer of the job `{job}` is too large: {error}"));
                send_message(&socket, &refused, &[], MAX_ANSWER)?;
            }
            sent => sent?,
        }
        if is_last {
            break;
        }
    }
    Ok(())
}

/// Moves the server's socket away from standard input.
fn take_socket() -> io::Result<UnixStream> {
    let socket = rustix::io::fcntl_dupfd_cloexec(std::io::stdin().as_fd(), 3)?;
    let null: OwnedFd = File::open("/dev/null")?.into();
    rustix::stdio::dup2_stdin(&null)?;
    Ok(UnixStream::from(socket))
}

fn said(payload: &(dyn Any + Send)) -> String {
    let said = payload.downcast_ref::<String>().map(String::as_str);
    let said = said.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no message");
    said.chars().take(500).collect()
}
