//! The policy of one worker, and what is refused a confinement.

use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use gathering_core::{Grants, LoadError, LoadErrorKind, ResourceLimits};
use gathering_sandbox::{Limits, Network, Policy, Report};

use crate::interpreter::Interpreter;

/// The refusal to run anything where nothing holds.
pub(crate) fn refused(report: &Report) -> LoadError {
    let message = format!("its code is not run: {}", report.refusal());
    LoadError::new(LoadErrorKind::SandboxSetupFailed, message)
}

/// Refuses grants that hold the data directory `own`, in which the operator's token and all secrets lie.
pub(crate) fn refuse_own(own: &Path, plugin: &str, grants: &Grants) -> Result<(), LoadError> {
    let own = own.canonicalize().unwrap_or_else(|_| own.to_owned());
    let Some(root) = grants
        .read
        .iter()
        .chain(&grants.write)
        .find(|root| own.starts_with(root.canonicalize().as_deref().unwrap_or(root)))
    else {
        return Ok(());
    };
    let message = format!(
        "`{plugin}` would see `{}`, and the server's data directory `{}` with its secrets lies in there: grant \
         folders beside it, keep plugin files in a folder of their own, or move the data directory",
        root.display(),
        own.display()
    );
    Err(LoadError::new(LoadErrorKind::SandboxSetupFailed, message))
}

/// Lets the tools' user into what `policy` names below the data directory `own`, which is closed to all but its owner: needed
/// where no namespace shows it elsewhere. The scratch folder `home` becomes that user's; the folders above it may enter, not
/// list. Does nothing if the server is not root, because then its user runs the tools.
pub(crate) fn let_in(own: &Path, home: &Path, policy: &Policy) -> io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let user = policy.user;
    let open = |path: &Path, bits: u32| {
        let found = path.symlink_metadata()?;
        if found.is_symlink() {
            return Ok(());
        }
        let mode = found.mode() & 0o7777;
        // Of another group, its members could do more than they are meant to.
        let wanted = if found.gid() == user.gid { mode | bits } else { mode & !0o070 | bits };
        if found.gid() != user.gid || wanted != mode {
            chown(path, None, Some(user.gid))?;
            std::fs::set_permissions(path, PermissionsExt::from_mode(wanted))?;
        }
        io::Result::Ok(())
    };
    let mut opened = std::collections::BTreeSet::new();
    for path in policy.read.iter().chain(&policy.write).filter(|path| path.starts_with(own) && *path != own) {
        for folder in path.ancestors().skip(1).take_while(|folder| folder.starts_with(own)) {
            if opened.insert(folder) {
                open(folder, 0o010)?;
            }
        }
    }
    for path in policy.read.iter().filter(|path| path.starts_with(own)) {
        open(path, if path.is_dir() { 0o050 } else { 0o040 })?;
    }
    chown(home, Some(user.uid), Some(user.gid))
}

/// What a worker may see and use: its interpreter, the SDK, its packages, its code, its scratch folder, and its grants.
pub(crate) fn policy(
    interpreter: &Interpreter,
    sdk: &Path,
    site_packages: &[PathBuf],
    code: &Path,
    home: &Path,
    grants: &Grants,
) -> Policy {
    // A grant may speak of what is not there yet.
    let there =
        |paths: &[PathBuf]| -> Vec<PathBuf> { paths.iter().filter(|path| path.exists()).cloned().collect() };
    let mut read = there(&interpreter.folders);
    read.extend([sdk.to_owned(), code.to_owned()]);
    read.extend_from_slice(site_packages);
    read.extend(there(&grants.read));
    let mut write = there(&grants.write);
    write.push(home.to_owned());
    let scratch = Some(home.to_owned());
    let mut policy = Policy { read, write, scratch, cwd: home.to_owned(), ..Policy::default() };
    policy.env.insert("HOME".into(), home.display().to_string());
    if !grants.network.is_empty() {
        policy.network = Network::Proxy;
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"] {
            policy.env.insert(name.into(), format!("http://{}", Network::PROXY));
        }
    }
    let limits = grants.limits.or(&ResourceLimits::DEFAULT);
    policy.tmp_bytes = limits.tmp_size.unwrap_or(policy.tmp_bytes);
    policy.limits = Limits {
        // A worker lives for many calls, each of which has its own deadline.
        cpu_seconds: limits.cpu_seconds.unwrap_or(u64::from(u32::MAX)),
        memory_bytes: limits.memory.unwrap_or(u64::from(u32::MAX)),
        processes: limits.processes.unwrap_or(1024),
        open_files: 1024,
        file_bytes: limits.file_size.unwrap_or(u64::from(u32::MAX)),
        disk_bytes: limits.disk.unwrap_or(u64::MAX),
    };
    policy
}
