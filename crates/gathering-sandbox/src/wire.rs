//! What the server, the launcher and a warm parent say to each other over their sockets: four bytes, least significant
//! first, that tell the length of the JSON after them; descriptors travel with the four bytes.

use std::ffi::OsString;
use std::io::{self, IoSlice, IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use rustix::io::{Errno, retry_on_intr};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Failure, Policy, Tier};

/// The longest message, in bytes.
const MAX_MESSAGE: usize = 1 << 20;
/// The most descriptors that go with one message.
pub(crate) const MAX_DESCRIPTORS: usize = 16;

/// What a launcher is told.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// To fork a launcher that has a socket of its own. With it come that socket, and the standard output and error of
    /// what will be started.
    Fork,
    Launch(Box<Launch>),
}

/// What the launcher is to do.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Launch {
    pub(crate) role: Role,
    pub(crate) tier: Tier,
    pub(crate) policy: Policy,
    pub(crate) shields: Vec<Shield>,
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<OsString>,
}

/// What the launcher is to become, or to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Role {
    /// The program is started. With the message come its standard input and its channels.
    Program,
    /// The launcher becomes the program, which is a [`WarmParent`](crate::WarmParent).
    WarmParent,
    /// A newborn joins. With the message come its standard input and the socket at whose other end it waits.
    Newborn,
}

/// A path inside a folder of the policy that something is mounted over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shield {
    /// The writable folder, as the policy names it.
    pub(crate) root: PathBuf,
    /// The path from there.
    pub(crate) inside: PathBuf,
    /// What becomes of it.
    pub(crate) cover: Cover,
}

/// What a shield does, from the weakest to the strongest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Cover {
    /// It cannot be moved aside: a folder on the way to another one.
    Pinned,
    /// Nothing in it can be written.
    ReadOnly,
    /// Nothing of it can be seen.
    Hidden,
}

/// What the launcher answers: first `Started` or `Failed`, and after `Started`, at last, `Ended`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    /// A launcher was forked; with its process number comes a descriptor of its process.
    Here(i32),
    /// The launcher has become a warm parent, which says so itself.
    Warm,
    /// With the socket that a proxy accepts from, if the policy grants one.
    Started(Applied),
    Failed(Failure),
    Ended(Outcome),
}

/// How a program is confined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// The tier it runs in.
    pub tier: Tier,
    /// The version of Landlock that holds it; 0 if the kernel has none.
    pub landlock: u32,
    /// The user it runs as.
    pub uid: u32,
    /// What the tier does not keep from it here.
    pub gaps: Vec<Gap>,
    /// Folders that were to be writable, and in which nothing can be made or removed: they belong to somebody else, or,
    /// in the confined tier, a protected path lies in them. What else is in them already may be writable.
    pub read_only: Vec<PathBuf>,
    /// Whether a cgroup of its own holds the tree as a whole to its memory and processes. Else [`watch`](crate::watch)
    /// alone does.
    pub cgroup: bool,
    /// The private folder that stands for `/tmp`, where the tier has no `/tmp` of its own.
    pub private: Option<PathBuf>,
}

/// Something that a confinement does not keep from a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// What is possible.
    pub what: String,
    /// What would close it.
    pub remedy: String,
}

/// How it ended.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    /// Processor time of the program and of what it waited for.
    pub(crate) cpu_ms: u64,
    /// What could not be put in order again.
    pub(crate) leftover: Option<String>,
}

/// Sends a message of this crate's, and descriptors with it.
pub(crate) fn send(socket: &UnixStream, message: &impl Serialize, with: &[BorrowedFd<'_>]) -> io::Result<()> {
    send_message(socket, message, with, MAX_MESSAGE)
}

/// Receives a message of this crate's and the descriptors that came with it; `None` at the end.
pub(crate) fn receive<T: DeserializeOwned>(socket: &UnixStream) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    receive_message(socket, MAX_MESSAGE)
}

/// Sends a message of at most `most` bytes as JSON, and up to 16 descriptors with it: for what a server and a confined
/// program of its own say to each other.
///
/// # Errors
///
/// [`io::ErrorKind::FileTooLarge`] if the message is larger; nothing was sent then.
pub fn send_message(
    socket: &UnixStream,
    message: &impl Serialize,
    with: &[BorrowedFd<'_>],
    most: usize,
) -> io::Result<()> {
    let body = serde_json::to_vec(message)?;
    let length = u32::try_from(body.len()).ok().filter(|_| body.len() <= most);
    let Some(length) = length.map(u32::to_le_bytes) else {
        let error = format!("{} bytes: at most {most} can be sent", body.len());
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, error));
    };
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !with.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(with)) {
        return Err(io::Error::other(format!("at most {MAX_DESCRIPTORS} descriptors can be handed over")));
    }
    // The descriptors travel with the four bytes, which are never torn.
    retry_on_intr(|| {
        rustix::net::sendmsg(socket, &[IoSlice::new(&length)], &mut ancillary, SendFlags::NOSIGNAL)
    })?;
    let mut rest = body.as_slice();
    while !rest.is_empty() {
        let sent = retry_on_intr(|| rustix::net::send(socket, rest, SendFlags::NOSIGNAL))?;
        rest = &rest[sent..];
    }
    Ok(())
}

/// Receives what [`send_message`] sent, of at most `most` bytes, and the descriptors that came with it; `None` at the end.
///
/// # Errors
///
/// [`io::ErrorKind::FileTooLarge`] if the message is larger; it was not read then.
pub fn receive_message<T: DeserializeOwned>(
    socket: &UnixStream,
    most: usize,
) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    let mut length = [0; 4];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::WAITALL;
    let received = loop {
        match rustix::net::recvmsg(socket, &mut [IoSliceMut::new(&mut length)], &mut ancillary, flags) {
            // A socket with a time limit is not gone on with by the kernel when the process was stopped and goes on.
            Err(Errno::INTR) => {}
            // The other end was closed before it had read all: an end, too.
            Err(Errno::CONNRESET) => return Ok(None),
            received => break received?,
        }
    };
    if received.bytes == 0 {
        return Ok(None);
    }
    let descriptors = ancillary
        .drain()
        .filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
            _ => None,
        })
        .flatten()
        .collect();
    let length = u32::from_le_bytes(length) as usize;
    if received.bytes < 4 {
        return Err(io::Error::other("it is not a message of this program"));
    }
    if length > most {
        let error = format!("a message of {length} bytes: at most {most} are taken");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, error));
    }
    let mut body = vec![0; length];
    (&*socket).read_exact(&mut body)?;
    Ok(Some((serde_json::from_slice(&body)?, descriptors)))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_message_arrives_with_its_descriptors() {
        let (here, there) = UnixStream::pair().unwrap();
        let (reader, writer) = rustix::pipe::pipe().unwrap();

        send(&here, &"hello", &[writer.as_fd()]).unwrap();
        let (message, descriptors) = receive::<String>(&there).unwrap().unwrap();

        rustix::io::write(&descriptors[0], b"x").unwrap();
        assert_eq!(message, "hello");
        assert_eq!(rustix::io::read(reader, &mut [0; 8]).unwrap(), 1);
    }

    #[test]
    fn the_end_is_no_message() {
        let (here, there) = UnixStream::pair().unwrap();

        drop(here);

        assert!(receive::<String>(&there).unwrap().is_none());
    }
}
