//! Becomes a warm parent: a program that has run nothing of a plugin's and forks children who will.

use std::os::unix::net::UnixStream;

use super::sources::Sources;
use super::{namespaces, program, root, user};
use crate::error::During;
use crate::wire::Launch;
use crate::{Failure, Step};

/// Becomes the program that `launch` names, with the server's socket as its standard input.
///
/// It stays in the user and process namespaces of the server, since a child of it can join only those below its own. If
/// the server is root, it sees no more of the files than the policy says, and has no network; else it has what every
/// process of this user has. It runs as the tool's user, without privileges, in both cases.
pub(super) fn become_parent(socket: &UnixStream, launch: Launch) -> Result<(), Failure> {
    let Launch { policy, program, args, .. } = launch;
    let tools = user::of_tools(policy.user);
    let _ = rustix::process::setsid();
    if user::is_root() {
        let sources = Sources::take(&policy, tools)?;
        namespaces::enter_as_root()?;
        root::enter(sources, &[], &policy, tools)?;
    }
    user::give_up_bounding_set().during(Step::Privileges, "emptying the bounding set")?;
    user::become_user(tools)?;
    user::give_up_capabilities()?;
    rustix::thread::set_no_new_privs(true).during(Step::Privileges, "setting no_new_privs")?;
    program::check_reach(&policy, &program, tools)?;
    rustix::process::chdir(&policy.cwd).during(Step::Program, "entering its folder")?;
    let line = program::command_line(&program, &args).during(Step::Program, "reading its arguments")?;
    let variables = program::variables(&policy)?;
    rustix::stdio::dup2_stdin(socket).during(Step::Start, "handing on the socket")?;
    Err(program::execute(&program, &line, &variables))
}
