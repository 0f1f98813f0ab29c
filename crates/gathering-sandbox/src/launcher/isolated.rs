//! Runs a program in namespaces of its own, below an init of ours whose end is the end of all in there.

use std::convert::Infallible;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

use super::landlock::{self, Ruleset};
use super::program::{Inherits, Stage};
use super::report::{self, Reporter};
use super::seccomp::Sockets;
use super::sources::Sources;
use super::supervise::{Tree, supervise};
use super::{let_go_of_streams, namespaces, network, newborn, parent, root, user};
use crate::error::During;
use crate::wire::{Applied, Gap, Launch, Outcome, Role};
use crate::{Failure, Network, Step};

pub(super) fn run(socket: &UnixStream, launch: Launch, inherits: Inherits) -> Result<(), Failure> {
    let step = Step::Start;
    let tools = user::of_tools(launch.policy.user);
    // Root can look at what the tool's user cannot, such as a Python in its home; a user namespace of that user's
    // cannot any more.
    let early = user::is_root().then(|| Sources::take(&launch.policy, tools)).transpose()?;
    user::become_user(tools)?;
    namespaces::enter(tools)?;
    let proxy = network::listen(launch.policy.network)?;
    // From here on, no process of the tool's user can look into this one. What needs `/proc/self` is done.
    user::readable_to_itself(false)?;
    let sources = match early {
        Some(sources) => sources,
        None => Sources::take(&launch.policy, tools)?,
    };
    let signals = parent::child_signals().during(step, "listening for signals")?;
    let (report, reporter) = report::pipe().during(step, "making a pipe")?;
    let (outcome, tell) =
        rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).during(step, "making a pipe")?;
    let null: OwnedFd = File::open("/dev/null").during(step, "opening `/dev/null`")?.into();
    let init = Init {
        launch,
        inherits,
        sources,
        tell: tell.into(),
        null: null.try_clone().during(step, "copying")?,
    };
    let pid = parent::fork(reporter, |reporter| init.run(reporter)).during(step, "starting init")?;
    let_go_of_streams(null.as_fd()).during(step, "letting go of its streams")?;
    user::give_up_capabilities()?;
    supervise(socket, signals, report, proxy, Isolated { init: pid, ended: false, outcome: outcome.into() })
}

/// The launcher's view: one child, which is init.
struct Isolated {
    init: Pid,
    ended: bool,
    outcome: File,
}

impl Tree for Isolated {
    fn collect(&mut self) -> io::Result<bool> {
        self.ended = self.ended || parent::collect(Some(self.init), false)?.is_some();
        Ok(self.ended)
    }

    fn end(mut self) -> io::Result<Outcome> {
        if !self.ended {
            kill_process(self.init, Signal::KILL)?;
            // The kernel lets init end only after it has killed and collected all others in its namespace.
            parent::collect(Some(self.init), true)?;
        }
        let mut told = Vec::new();
        self.outcome.read_to_end(&mut told)?;
        // It was killed, by us or by a machine without memory, before the tool had ended.
        let killed = Outcome { signal: Some(libc::SIGKILL), ..Outcome::default() };
        Ok(serde_json::from_slice(&told).unwrap_or(killed))
    }
}

/// The first process of the namespace.
struct Init {
    launch: Launch,
    inherits: Inherits,
    sources: Sources,
    tell: File,
    null: OwnedFd,
}

impl Init {
    fn run(mut self, reporter: &mut Reporter) -> Result<Infallible, Failure> {
        let step = Step::Start;
        parent::die_with_parent().during(step, "binding its life to the launcher's")?;
        rustix::system::sethostname(b"sandbox").during(step, "naming the host")?;
        let Launch { role, policy, shields, program, args, tier } = self.launch;
        let tools = user::of_tools(policy.user);
        let version = landlock::version();
        let mut gaps = std::mem::take(&mut self.sources.gaps);
        if version == 0 {
            gaps.push(Gap {
                what: "the kernel has no Landlock: namespaces alone hide other files".to_owned(),
                remedy: "boot a kernel from 5.13 on with `lsm=landlock,...`".to_owned(),
            });
        }
        let read_only = std::mem::take(&mut self.sources.read_only);
        root::enter(self.sources, &shields, &policy, tools)?;
        user::give_up_bounding_set().during(Step::Privileges, "emptying the bounding set")?;
        user::give_up_capabilities()?;
        let rules = if version == 0 { None } else { Some(rules(version, &policy)?) };
        let sockets = match policy.network {
            Network::None => Sockets::Unix,
            Network::Proxy => Sockets::Tcp,
        };
        let applied = Applied {
            tier,
            landlock: version,
            uid: tools.uid,
            gaps,
            read_only,
            cgroup: false,
            private: None,
        };
        // A user namespace of its own counts its own processes; init is one of them, and so is the launcher.
        let others = 2;
        let stage =
            Stage { policy, program, args, inherits: self.inherits, tools, others, rules, sockets, applied };
        let ours = reporter.take().during(step, "handing on the report")?;
        let tool = match role {
            Role::Newborn => newborn::admit(stage, ours),
            _ => parent::fork(ours, |reporter| stage.run(reporter)).during(step, "starting the tool"),
        }?;
        let_go_of_streams(self.null.as_fd()).during(step, "letting go of its streams")?;
        rest(tool, self.tell)
    }
}

/// Collects whatever ends, until the tool does. The end of init is then the end of all.
fn rest(tool: Pid, mut tell: File) -> Result<Infallible, Failure> {
    loop {
        let ended = parent::collect(None, true).during(Step::Start, "waiting for the tool")?;
        if let Some((_, outcome)) = ended.filter(|(pid, _)| *pid == tool) {
            let told = serde_json::to_vec(&outcome).during(Step::Start, "telling how it ended")?;
            tell.write_all(&told).during(Step::Start, "telling how it ended")?;
            parent::exit();
        }
    }
}

/// The new root holds nothing else, so it is allowed as a whole: what could be reached from outside of it is not.
fn rules(version: u32, policy: &crate::Policy) -> Result<Ruleset, Failure> {
    let mut rules = Ruleset::new(version)?;
    if policy.network == Network::Proxy {
        rules.allow_connect(version, Network::PROXY.port())?;
    }
    rules.allow(Path::new("/"), landlock::READ)?;
    for path in
        policy.write.iter().map(std::path::PathBuf::as_path).chain([Path::new("/tmp"), Path::new("/dev/shm")])
    {
        rules.allow(path, landlock::WRITE)?;
    }
    for path in super::sources::DEVICES {
        rules.allow_if_there(Path::new(path), landlock::USE)?;
    }
    // Programs name their threads and adjust themselves there; what is the system's belongs to root.
    rules.allow(Path::new("/proc"), landlock::USE)?;
    Ok(rules)
}
