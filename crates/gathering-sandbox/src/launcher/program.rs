//! The last steps of the process that becomes the tool, the same in both tiers, in the order in which they must be.

use std::convert::Infallible;
use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::Access;

use super::landlock::Ruleset;
use super::report::Reporter;
use super::seccomp::{self, Sockets};
use super::{close_from, limits, parent, user};
use crate::error::During;
use crate::wire::Applied;
use crate::{Failure, Policy, Step, ToolUser};

/// The descriptors that a program finds open.
pub(super) struct Inherits {
    pub(super) stdin: OwnedFd,
    /// As 3, 4 and so on.
    pub(super) channels: Vec<OwnedFd>,
}

/// A program, and all that is left to be done before it runs.
pub(super) struct Stage {
    pub(super) policy: Policy,
    pub(super) program: PathBuf,
    pub(super) args: Vec<OsString>,
    pub(super) inherits: Inherits,
    pub(super) tools: ToolUser,
    /// Threads of the tool's user that the limit of processes has to leave room for.
    pub(super) others: u64,
    pub(super) rules: Option<Ruleset>,
    pub(super) sockets: Sockets,
    pub(super) applied: Applied,
}

/// Numbers that are free while the program's descriptors are put in their places.
const ABOVE: RawFd = 32;

impl Stage {
    /// Becomes the program.
    pub(super) fn run(self, reporter: &mut Reporter) -> Result<Infallible, Failure> {
        let step = Step::Start;
        rustix::process::setsid().during(step, "starting a session")?;
        parent::restore_signals().during(step, "restoring signals")?;
        reporter.move_above(ABOVE).during(step, "moving the report")?;
        arrange(&self.inherits).during(step, "arranging descriptors")?;
        limits::set(&self.policy.limits, self.others)?;
        user::give_up_bounding_set().during(Step::Privileges, "emptying the bounding set")?;
        user::become_user(self.tools)?;
        user::give_up_capabilities()?;
        parent::die_with_parent().during(step, "binding its life to the launcher's")?;
        rustix::thread::set_no_new_privs(true).during(Step::Privileges, "setting no_new_privs")?;
        check_reach(&self.policy, &self.program, self.tools)?;
        rustix::process::chdir(&self.policy.cwd).map_err(|error| {
            let cause = format!("`{}` cannot be the working directory: {error}", self.policy.cwd.display());
            Failure::new(Step::Program, cause, "name a folder that the policy lets the program read")
        })?;
        if let Some(rules) = self.rules {
            rules.enforce()?;
        }
        let line = command_line(&self.program, &self.args).during(Step::Program, "reading its arguments")?;
        let variables = variables(&self.policy)?;
        // If nobody listens, the launcher is gone, and with it the reason to run anything.
        reporter.ready(self.applied.clone()).during(step, "reporting to the launcher")?;
        seccomp::enforce(self.applied.tier, self.sockets)?;
        Err(execute(&self.program, &line, &variables))
    }
}

/// Puts standard input and the channels in their places, and has all else closed when the program runs.
fn arrange(inherits: &Inherits) -> io::Result<()> {
    rustix::stdio::dup2_stdin(&inherits.stdin)?;
    // First out of the way of one another, then each to its number.
    let channels: Vec<OwnedFd> = inherits
        .channels
        .iter()
        .map(|channel| rustix::io::fcntl_dupfd_cloexec(channel, ABOVE))
        .collect::<Result<_, _>>()?;
    let mut number = 3;
    for channel in &channels {
        // SAFETY: whatever owned this number in the launcher is not used by this process any more: it holds the
        // report and `channels`, which are above it, and ends by becoming the program or by `_exit`.
        if unsafe { libc::dup2(channel.as_raw_fd(), number) } == -1 {
            return Err(io::Error::last_os_error());
        }
        number += 1;
    }
    close_from(number.unsigned_abs(), libc::CLOSE_RANGE_CLOEXEC)
}

/// Says so now if the tool's user cannot even read what the policy grants: later, it would be a riddle.
pub(super) fn check_reach(policy: &Policy, program: &Path, tools: ToolUser) -> Result<(), Failure> {
    let named = policy.read.iter().chain(&policy.write).map(PathBuf::as_path);
    for path in named.chain([program]) {
        let folder = path.is_dir();
        let wanted = if folder { Access::READ_OK | Access::EXEC_OK } else { Access::READ_OK };
        match rustix::fs::access(path, wanted) {
            Ok(()) => {}
            Err(rustix::io::Errno::NOENT) if path == program => return Err(missing(program)),
            // Some programs can be run and not read.
            Err(_) if path == program && rustix::fs::access(path, Access::EXEC_OK).is_ok() => {}
            Err(error) => {
                let cause = format!("`{}` is out of reach of user {}: {error}", path.display(), tools.uid);
                let remedy = format!(
                    "give that user the right to read it and to enter the folders above it, or install it elsewhere, \
                     such as in `/opt` or `/usr/local`; a home like `/root` is closed to user {}",
                    tools.uid
                );
                return Err(Failure::new(Step::Program, cause, remedy));
            }
        }
    }
    Ok(())
}

fn missing(program: &Path) -> Failure {
    let cause = format!("`{}` does not exist in the sandbox", program.display());
    Failure::new(
        Step::Program,
        cause,
        "add the folder that it is installed in to what the policy lets it read",
    )
}

pub(super) fn command_line(program: &Path, args: &[OsString]) -> io::Result<Vec<CString>> {
    let all = std::iter::once(program.as_os_str()).chain(args.iter().map(OsString::as_os_str));
    all.map(|text: &OsStr| CString::new(text.as_bytes()).map_err(Into::into)).collect()
}

/// Its environment, as it is handed over.
pub(super) fn variables(policy: &Policy) -> Result<Vec<CString>, Failure> {
    let variables = policy.env.iter().map(|(name, value)| CString::new(format!("{name}={value}")));
    variables.collect::<Result<_, _>>().during(Step::Program, "reading variables")
}

/// Never returns, except for an error.
pub(super) fn execute(program: &Path, line: &[CString], variables: &[CString]) -> Failure {
    let pointers = |strings: &[CString]| -> Vec<*const libc::c_char> {
        strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect()
    };
    let (argv, envp) = (pointers(line), pointers(variables));
    // SAFETY: both arrays end with a null pointer and, like the strings that they point to, outlive the call.
    unsafe { libc::execve(line[0].as_ptr(), argv.as_ptr(), envp.as_ptr()) };
    let error = io::Error::last_os_error();
    match error.kind() {
        io::ErrorKind::NotFound if program.exists() => {
            let cause = format!(
                "`{}` needs an interpreter or a loader that does not exist in the sandbox",
                program.display()
            );
            Failure::new(Step::Program, cause, "add the folder of that one to what the policy lets it read")
        }
        io::ErrorKind::NotFound => missing(program),
        io::ErrorKind::PermissionDenied => Failure::new(
            Step::Program,
            format!("`{}` may not be run: {error}", program.display()),
            "make it executable",
        ),
        _ => Failure::new(Step::Program, format!("`{}` cannot be run: {error}", program.display()), ""),
    }
}
