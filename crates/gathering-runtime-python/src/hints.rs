//! What would allow a plugin's code what it was denied, for the error that it failed with.

use std::path::Path;

use gathering_core::{Access, Grants, Permissions, PluginId};
use gathering_sandbox::Policy;

use crate::frame::Denied;

/// What is said to who was granted a network and does not use the proxy.
const PROXY_ONLY: &str = "hosts are reached through the proxy that `HTTPS_PROXY` names, and no other way";
/// The longest path that is spoken of, in bytes.
const MAX_PATH: usize = 4096;
/// The longest host, in bytes.
const MAX_HOST: usize = 253;

/// What a plugin may, so as to say what it may not.
pub(crate) struct Hints {
    pub(crate) plugin: PluginId,
    pub(crate) asked: Permissions,
    pub(crate) grants: Grants,
}

impl Hints {
    /// A sentence on what `policy` denied, if it was for lack of a grant. It is the same whether there is such a file or host or
    /// not, of which whoever calls a tool is to learn nothing.
    pub(crate) fn on(&self, denied: &Denied, policy: &Policy) -> Option<String> {
        match denied {
            Denied::File { path, write } => self.on_file(path, *write, policy),
            Denied::Host { host, port } => self.on_host(host, *port),
            Denied::AnyHost { network } => network.then(|| self.on_any_host()),
        }
    }

    fn on_file(&self, path: &Path, write: bool, policy: &Policy) -> Option<String> {
        let is_plain = |text: &str| text.len() <= MAX_PATH && !text.contains(char::is_control);
        if !path.is_absolute() || !path.to_str().is_some_and(is_plain) {
            return None;
        }
        let access = if !policy.allows(path, false) {
            Access::Read(path)
        } else if write && !policy.allows(path, true) {
            Access::Write(path)
        } else {
            return None;
        };
        Some(access.refused(&self.plugin, &self.asked))
    }

    fn on_host(&self, host: &str, port: u16) -> Option<String> {
        if host.is_empty() || host.len() > MAX_HOST {
            return None;
        }
        let access = Access::Network { host, port };
        if self.grants.permits(access) {
            return Some(PROXY_ONLY.to_owned());
        }
        Some(access.refused(&self.plugin, &self.asked))
    }

    fn on_any_host(&self) -> String {
        if !self.grants.network.is_empty() {
            return PROXY_ONLY.to_owned();
        }
        let plugin = &self.plugin;
        format!(
            "the plugin `{plugin}` may connect to no host; to allow one that it asks for: \
             `gathering plugins grant {plugin} network=HOST`"
        )
    }
}

#[cfg(test)]
mod tests {
    use gathering_core::Origin;

    use super::*;

    fn on(denied: &Denied) -> Option<String> {
        let words = ["network=api.example.com:443", "read=/data"];
        let asked = Permissions::from_words(words).expect("good words");
        let grants = Grants::new(Origin::Installed, None, &asked, &asked);
        let policy = Policy { read: vec!["/data".into()], ..Policy::default() };
        Hints { plugin: PluginId::new("p").expect("an id"), asked, grants }.on(denied, &policy)
    }

    fn on_file(path: &str, write: bool) -> Option<String> {
        on(&Denied::File { path: path.into(), write })
    }

    fn on_host(host: &str, port: u16) -> Option<String> {
        on(&Denied::Host { host: host.into(), port })
    }

    #[test]
    fn what_is_not_granted_is_named_with_the_command() {
        assert_eq!(
            on_file("/data/a", true).expect("a hint"),
            "the plugin `p` may not write `/data/a`, and it does not ask for it; to allow it: add \
             {\"write\":[\"/data/a\"]} to its permissions, then `gathering plugins grant p write=/data/a`"
        );
        assert!(
            on_file("/other", false).expect("a hint").starts_with("the plugin `p` may not read `/other`")
        );
        let hint = on_host("api.example.com", 80).expect("a hint");
        assert!(hint.starts_with("the plugin `p` may not connect to `api.example.com:80`"), "{hint}");
    }

    #[test]
    fn a_connection_to_nobody_knows_what_is_spoken_of_too() {
        let nothing = Permissions::default();
        let grants = Grants::new(Origin::Installed, None, &nothing, &nothing);
        let hints = Hints { plugin: PluginId::new("p").expect("an id"), asked: nothing, grants };
        let denied = Denied::AnyHost { network: true };

        assert_eq!(
            hints.on(&denied, &Policy::default()).expect("a hint"),
            "the plugin `p` may connect to no host; to allow one that it asks for: \
             `gathering plugins grant p network=HOST`"
        );
        assert_eq!(on(&denied).expect("a hint"), PROXY_ONLY);
        assert_eq!(on(&Denied::AnyHost { network: false }), None);
    }

    #[test]
    fn what_a_plugin_may_is_not_spoken_of() {
        assert_eq!(on_file("/data/missing", false), None);
        assert_eq!(on_file("/tmp/missing", true), None);
        assert_eq!(on_file("/usr/lib/missing", false), None);
        assert!(on_host("api.example.com", 443).expect("a hint").starts_with("hosts are reached through"));
    }

    #[test]
    fn what_a_worker_makes_up_is_not_repeated_at_length() {
        assert_eq!(on_file("relative", false), None);
        assert_eq!(on_file(&format!("/{}", "x".repeat(MAX_PATH)), false), None);
        assert_eq!(on_host(&"x".repeat(300), 1), None);
        assert_eq!(on_file("/a\n\u{1b}[2J", false), None);
    }
}
