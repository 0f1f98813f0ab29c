//! Grants: what a plugin may really touch, computed from what it asks for and what it is allowed.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize, Serializer};

use super::{Access, HostPattern, Permissions, ResourceLimits, is_public, narrower};

/// Who made a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Its operator installed it.
    Installed,
    /// An agent wrote it.
    Agent,
}

/// What a plugin may really touch. What is needed to run it at all (its code, its interpreter, a scratch folder) its
/// runtime adds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Grants {
    /// Who made it.
    pub origin: Origin,
    /// Files and folders that it may read, with all that is below them; absolute, links resolved. They need not exist.
    #[serde(serialize_with = "readable")]
    pub read: Vec<PathBuf>,
    /// Files and folders that it may read and write, likewise.
    #[serde(serialize_with = "readable")]
    pub write: Vec<PathBuf>,
    /// Hosts that it may connect to.
    pub network: Vec<HostPattern>,
    /// Variables of the server's environment that it sees.
    pub environment: Vec<String>,
    /// Secrets that it is told.
    pub secrets: Vec<String>,
    /// Programs that it may run.
    pub commands: Vec<String>,
    /// How much it may use.
    pub limits: ResourceLimits,
}

impl Grants {
    /// What is asked for and allowed, and what a plugin of this origin gets without asking: one that was installed reads
    /// `own_folder`, one that an agent wrote nothing. Paths are absolute and their links resolved.
    pub fn new(
        origin: Origin,
        own_folder: Option<&Path>,
        asked: &Permissions,
        allowed: &Permissions,
    ) -> Self {
        let write = meet_roots(&asked.write, &allowed.write);
        let mut read = meet_roots(&(&asked.read | &asked.write), &(&allowed.read | &allowed.write));
        if origin == Origin::Installed {
            read.extend(own_folder.map(Path::to_owned));
        }
        // What may be written may be read, and need not be said twice.
        read.retain(|path| !write.iter().any(|root| path.starts_with(root)));
        let network: BTreeSet<_> = asked
            .network
            .iter()
            .flat_map(|host| allowed.network.iter().filter_map(|other| host.meet(other)))
            .collect();
        let both = |one: &BTreeSet<String>, other| one.intersection(other).cloned().collect();
        Self {
            origin,
            read: widest(read),
            write: widest(write),
            network: network.into_iter().collect(),
            environment: both(&asked.environment, &allowed.environment),
            secrets: both(&asked.secrets, &allowed.secrets),
            commands: both(&asked.commands, &allowed.commands),
            limits: ResourceLimits::effective(&asked.limits, &allowed.limits),
        }
    }

    /// Whether this may be touched. Of a connection this says whether the host's name is granted; the address that it
    /// resolves to is for [`Grants::may_reach`].
    pub fn permits(&self, access: Access<'_>) -> bool {
        let below = |path: &Path, roots: &[PathBuf]| roots.iter().any(|root| path.starts_with(root));
        match access {
            Access::Read(path) => below(path, &self.read) || below(path, &self.write),
            Access::Write(path) => below(path, &self.write),
            Access::Network { host, port } => self.network.iter().any(|pattern| pattern.matches(host, port)),
            Access::Environment(name) => self.environment.iter().any(|granted| granted == name),
            Access::Secret(name) => self.secrets.iter().any(|granted| granted == name),
            Access::Command(name) => self.commands.iter().any(|granted| granted == name),
        }
    }

    /// Whether an address that a granted name resolves to may be connected to: a public one, or one that is granted by
    /// itself. `localhost` grants the loopback addresses.
    pub fn may_reach(&self, address: IpAddr, port: u16) -> bool {
        let address = address.to_canonical();
        let at_port = |pattern: &&HostPattern| pattern.port().is_none_or(|own| own == port);
        is_public(address)
            || self.network.iter().filter(at_port).any(|pattern| {
                pattern.address() == Some(address) || (pattern.is_localhost() && address.is_loopback())
            })
    }

    /// The same as permissions, to be shown or compared.
    pub fn to_permissions(&self) -> Permissions {
        Permissions {
            read: self.read.iter().cloned().collect(),
            write: self.write.iter().cloned().collect(),
            network: self.network.iter().cloned().collect(),
            environment: self.environment.iter().cloned().collect(),
            secrets: self.secrets.iter().cloned().collect(),
            commands: self.commands.iter().cloned().collect(),
            limits: self.limits,
        }
    }
}

/// Shows paths that are not in UTF-8, such as the folder of a plugin or what a link leads to, with a question mark in a
/// diamond where they are not. No permission can name such a path, and the sandbox refuses it.
fn readable<S: Serializer>(paths: &[PathBuf], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(paths.iter().map(|path| path.to_string_lossy()))
}

/// What lies in a root of both.
fn meet_roots(asked: &BTreeSet<PathBuf>, allowed: &BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
    asked
        .iter()
        .flat_map(|path| allowed.iter().filter_map(|root| narrower(path, root)))
        .map(Path::to_owned)
        .collect()
}

/// The roots that lie in no other one.
fn widest(roots: BTreeSet<PathBuf>) -> Vec<PathBuf> {
    let mut widest: Vec<PathBuf> = Vec::new();
    // A folder is sorted before what is below it.
    for root in roots {
        if !widest.iter().any(|wider| root.starts_with(wider)) {
            widest.push(root);
        }
    }
    widest
}
