//! What permissions take and refuse, and that a grant is never more than what is asked and what is allowed.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::PluginId;

fn permissions(value: Value) -> Permissions {
    serde_json::from_value(value).expect("good permissions")
}

fn refusal(value: Value) -> String {
    serde_json::from_value::<Permissions>(value).expect_err("bad permissions").to_string()
}

fn grants(asked: Value, allowed: Value) -> Grants {
    let own = Path::new("/plugins/p");
    Grants::new(Origin::Installed, Some(own), &permissions(asked), &permissions(allowed))
}

#[test]
fn permissions_are_read_from_lists_or_single_texts_and_written_back_as_lists() {
    let asked = permissions(json!({
        "read": "/data//in/", "network": ["API.example.com", "*.example.com:443"], "env": "HOME",
        "limits": {"memory": "2GiB", "processes": 8},
    }));

    let written = serde_json::to_value(&asked).expect("JSON");

    assert_eq!(
        written,
        json!({
            "read": ["/data/in"], "network": ["api.example.com", "*.example.com:443"],
            "environment": ["HOME"], "limits": {"memory": 2_147_483_648_u64, "processes": 8},
        })
    );
    assert_eq!(permissions(written), asked);
    assert!(permissions(json!({})).is_empty());
}

#[test]
fn what_is_no_permission_is_refused_with_the_reason() {
    for (value, reason) in [
        (json!({"read": "data"}), "the path `data` cannot be taken: it must be absolute, or begin with `~/`"),
        (json!({"write": "/data/../etc"}), "the path `/data/../etc` cannot be taken: write it without `..`"),
        (json!({"network": "https://api.example.com"}), "its port is no number"),
        (json!({"network": "example.com/path"}), "no scheme, path or user"),
        (json!({"network": "127.1"}), "it ends in a number and is no address"),
        (json!({"network": "a.0x7f"}), "it ends in a number and is no address"),
        (json!({"network": "example.com:0"}), "its port is no number from 1 to 65535"),
        (json!({"env": "A=B"}), "`A=B` is no name of a variable"),
        (json!({"secrets": ["a-b"]}), "`a-b` is no name of a secret"),
        (json!({"commands": ["/bin/sh"]}), "`/bin/sh` is no name of a command"),
        (json!({"limits": {"memory": "2 apples"}}), "expected a number of bytes, or a size such as `512MiB`"),
        (json!({"limits": {"memory": -1}}), "a limit is a whole number from 0"),
        (json!({"limits": {"memory": "99999999999999GiB"}}), "the limit `memory`"),
        (json!({"files": ["/data"]}), "unknown field `files`, expected one of `read`, `write`"),
        (json!({"read": vec!["/data"; 300]}), "there are 300 entries in `read`, more than 256"),
        (json!({"read": 3}), "a text or a list of texts is expected"),
    ] {
        let error = refusal(value);
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn a_pattern_matches_its_host_at_its_port_and_nothing_that_only_looks_like_it() {
    let matches = |pattern: &str, host: &str, port| {
        pattern.parse::<HostPattern>().expect("a pattern").matches(host, port)
    };

    assert!(matches("api.example.com", "API.Example.com.", 443));
    assert!(!matches("api.example.com", "x.api.example.com", 443));
    assert!(!matches("api.example.com", "api.example.com.evil.org", 443));
    assert!(matches("*.example.com", "a.b.example.com", 80));
    assert!(!matches("*.example.com", "example.com", 80));
    assert!(!matches("*.example.com", "evilexample.com", 80));
    assert!(matches("example.com:443", "example.com", 443));
    assert!(!matches("example.com:443", "example.com", 80));
    assert!(matches("*", "example.com", 80) && matches("*", "1.1.1.1", 80));
    assert!(
        !matches("*", "127.0.0.1", 80) && !matches("*", "[::1]", 80) && !matches("*", "::ffff:10.0.0.1", 80)
    );
    assert!(matches("127.0.0.1:8080", "127.0.0.1", 8080) && matches("[::1]:80", "::1", 80));
    assert!(!matches("*", "0x7f.1", 80) && !matches("*", "user@example.com", 80) && !matches("*", "", 80));
}

#[test]
fn addresses_are_public_only_on_the_public_internet() {
    for address in ["1.1.1.1", "2606:4700::1111", "64:ff9b::1.1.1.1"] {
        assert!(is_public(address.parse().expect("an address")), "{address}");
    }
    for address in [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "198.18.0.1",
        "192.0.2.1",
        "::",
        "::1",
        "fe80::1",
        "fc00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "64:ff9b::127.0.0.1",
        "2002:7f00:1::",
        "2001:db8::1",
        "2001::1",
    ] {
        assert!(!is_public(address.parse().expect("an address")), "{address}");
    }
}

#[test]
fn a_private_address_is_reached_only_if_it_is_granted_itself() {
    let some = json!({"network": ["intranet.example", "10.0.0.5:80", "localhost"]});
    let grants = grants(some.clone(), some);
    let reach = |address: &str, port| grants.may_reach(address.parse().expect("an address"), port);

    assert!(reach("1.1.1.1", 443) && reach("10.0.0.5", 80) && reach("127.0.0.1", 9) && reach("::1", 9));
    assert!(!reach("10.0.0.5", 81) && !reach("10.0.0.6", 80) && !reach("169.254.169.254", 80));
}

#[test]
fn a_grant_is_the_part_that_is_both_asked_for_and_allowed() {
    let asked = json!({
        "read": ["/data/in", "/etc/hosts"], "write": "/", "network": ["*.example.com"], "env": ["HOME", "LANG"],
        "secrets": ["KEY"], "commands": ["git"], "limits": {"memory": "4GiB"},
    });
    let allowed = json!({
        "read": "/data", "write": "/out", "network": ["api.example.com:443", "other.org"], "env": ["HOME", "PATH"],
        "commands": ["git", "sh"], "limits": {"memory": "2GiB", "processes": 4},
    });

    let grants = grants(asked, allowed);

    assert_eq!(
        serde_json::to_value(&grants).expect("JSON"),
        json!({
            "origin": "installed", "read": ["/data", "/plugins/p"], "write": ["/out"],
            "network": ["api.example.com:443"], "environment": ["HOME"], "secrets": [], "commands": ["git"],
            "limits": {"memory": 2_147_483_648_u64, "processes": 4, "file_size": 268_435_456, "tmp_size": 268_435_456,
                       "disk": 1_073_741_824},
        })
    );
    assert!(grants.permits(Access::Read(Path::new("/out/x"))));
    assert!(!grants.permits(Access::Write(Path::new("/data/x"))));
    assert!(!grants.permits(Access::Read(Path::new("/database"))));
    assert!(grants.permits(Access::Network { host: "api.example.com", port: 443 }));
    assert!(!grants.permits(Access::Secret("KEY")));
}

#[test]
fn a_plugin_in_a_folder_whose_name_is_not_utf_8_can_be_shown() {
    use std::os::unix::ffi::OsStrExt;
    let own = Path::new(std::ffi::OsStr::from_bytes(b"/plugins/caf\xe9"));

    let grants = Grants::new(Origin::Installed, Some(own), &Permissions::default(), &Permissions::default());

    let shown = serde_json::to_value(&grants).expect("JSON");
    assert_eq!(shown["read"], json!(["/plugins/caf\u{fffd}"]));
}

#[test]
fn what_nobody_asked_for_or_allowed_is_nothing_for_agents_and_the_own_folder_for_others() {
    let nothing = Permissions::default();
    let own = Some(Path::new("/plugins"));

    let installed = Grants::new(Origin::Installed, own, &nothing, &nothing);
    let agents = Grants::new(Origin::Agent, own, &nothing, &nothing);

    assert_eq!(installed.read, [PathBuf::from("/plugins")]);
    assert_eq!(agents.to_permissions(), Permissions { limits: ResourceLimits::DEFAULT, ..nothing });
}

#[test]
fn a_refusal_names_the_plugin_what_it_tried_and_the_command_that_would_allow_it() {
    let plugin = PluginId::new("weather").expect("an id");
    let asked = permissions(json!({"network": "*.example.com", "read": "/"}));

    assert_eq!(
        Access::Network { host: "api.example.com", port: 443 }.refused(&plugin, &asked),
        "the plugin `weather` may not connect to `api.example.com:443`; to allow it: \
         `gathering plugins grant weather network=api.example.com:443`"
    );
    assert_eq!(
        Access::Read(Path::new("/my data/it's")).refused(&plugin, &asked),
        r"the plugin `weather` may not read `/my data/it\'s`; to allow it: `gathering plugins grant weather 'read=/my data/it'\''s'`"
    );
    assert_eq!(
        Access::Secret("KEY").refused(&plugin, &asked),
        "the plugin `weather` may not know the secret `KEY`, and it does not ask for it; to allow it: \
         add {\"secrets\":[\"KEY\"]} to its permissions, then `gathering plugins grant weather secret=KEY`"
    );
    assert_eq!(
        Access::Network { host: "::1", port: 80 }.refused(&plugin, &permissions(json!({"network": "::1"}))),
        "the plugin `weather` may not connect to `[::1]:80`; to allow it: \
         `gathering plugins grant weather 'network=[::1]:80'`"
    );
}

#[test]
fn what_is_asked_and_not_allowed_leaves_out_what_is_allowed_in_part() {
    let asked = permissions(json!({"read": ["/", "/etc"], "network": ["*"], "env": "HOME",
        "limits": {"memory": "2GiB", "processes": 8}}));
    let allowed = permissions(json!({"read": "/data", "network": "api.example.com"}));

    let missing = asked.not_in(&allowed);

    assert_eq!(missing.to_words(), ["read=/etc", "env=HOME", "memory=2GiB"]);
}

#[test]
fn words_that_are_no_permission_are_refused_with_examples() {
    for word in ["read", "colour=red", "HOME"] {
        let error = Permissions::from_words([word]).expect_err("no permission").to_string();
        assert!(
            error.starts_with(&format!("`{word}` is no permission: expected one such as `read=/data`")),
            "{error}"
        );
    }
}

fn path() -> impl Strategy<Value = String> {
    proptest::collection::vec(prop_oneof!["a", "b", "ab"], 0..4)
        .prop_map(|parts| format!("/{}", parts.join("/")))
}

fn host() -> impl Strategy<Value = String> {
    let host = prop_oneof![
        Just("*".to_owned()),
        "(\\*\\.)?((a|b|ab)\\.){0,2}(a|b|ab)",
        Just("1.1.1.1".to_owned()),
        Just("127.0.0.1".to_owned()),
    ];
    (host, prop_oneof![Just(""), Just(":80"), Just(":443")]).prop_map(|(host, port)| host + port)
}

fn any_permissions() -> impl Strategy<Value = Permissions> {
    let many = || proptest::collection::vec(prop_oneof!["A", "B", "C"], 0..3);
    let limit = || proptest::option::of(0..4_u64);
    let paths = || proptest::collection::vec(path(), 0..4);
    (paths(), paths(), proptest::collection::vec(host(), 0..4), many(), many(), many(), (limit(), limit())).prop_map(
        |(read, write, network, environment, secrets, commands, (memory, cpu_seconds))| {
            permissions(json!({
                "read": read, "write": write, "network": network, "environment": environment, "secrets": secrets,
                "commands": commands, "limits": {"memory": memory, "cpu_seconds": cpu_seconds},
            }))
        },
    )
}

/// Everything that the permissions of the properties can be about.
fn accesses() -> Vec<(String, u16)> {
    let mut hosts = vec!["1.1.1.1".to_owned(), "127.0.0.1".to_owned(), "10.0.0.1".to_owned()];
    for first in ["", "a.", "b.", "ab."] {
        for second in ["", "a.", "ab."] {
            hosts.extend(["a", "b", "ab"].map(|last| format!("{first}{second}{last}")));
        }
    }
    hosts.into_iter().flat_map(|host| [80, 443, 9].map(|port| (host.clone(), port))).collect()
}

fn all_of(permissions: &Permissions) -> Grants {
    let mut everything = permissions.clone();
    everything.limits = ResourceLimits::default();
    Grants::new(Origin::Agent, None, &everything, &everything)
}

proptest! {
    #[test]
    fn a_grant_permits_what_is_asked_and_allowed_or_a_default_and_nothing_else(
        asked in any_permissions(), allowed in any_permissions(), probe in path(), is_agent in any::<bool>(),
    ) {
        let origin = if is_agent { Origin::Agent } else { Origin::Installed };
        let own = Path::new("/a/b");
        let grants = Grants::new(origin, Some(own), &asked, &allowed);
        let (asks, allows) = (all_of(&asked), all_of(&allowed));
        let probe = Path::new(&probe);

        let default = !is_agent && probe.starts_with(own);
        let read = Access::Read(probe);
        prop_assert_eq!(grants.permits(read), default || (asks.permits(read) && allows.permits(read)));
        let write = Access::Write(probe);
        prop_assert_eq!(grants.permits(write), asks.permits(write) && allows.permits(write));
        for (host, port) in accesses() {
            let access = Access::Network { host: &host, port };
            prop_assert_eq!(grants.permits(access), asks.permits(access) && allows.permits(access), "{}", host);
        }
        for name in ["A", "B", "C"] {
            for access in [Access::Environment(name), Access::Secret(name), Access::Command(name)] {
                prop_assert_eq!(grants.permits(access), asks.permits(access) && allows.permits(access));
            }
        }
        for ((_, _, granted), (_, _, default)) in grants.limits.named().into_iter().zip(ResourceLimits::DEFAULT.named()) {
            prop_assert!(default.is_none() || granted <= default || granted.is_none());
        }
        prop_assert!(allowed.limits.memory.is_none_or(|most| grants.limits.memory <= Some(most)));
        prop_assert!(asked.limits.cpu_seconds.is_none_or(|most| grants.limits.cpu_seconds <= Some(most)));
    }

    #[test]
    fn words_say_the_same_as_the_permissions(permissions in any_permissions()) {
        prop_assert_eq!(Permissions::from_words(permissions.to_words()), Ok(permissions));
    }

    #[test]
    fn no_text_makes_the_readers_panic(text in ".{0,80}") {
        let _ = text.parse::<HostPattern>();
        let _ = Permissions::from_words([text.as_str(), &format!("read={text}"), &format!("memory={text}")]);
        let _ = Access::Command(&text).refused(&PluginId::new("p").expect("an id"), &Permissions::default());
    }

    #[test]
    fn a_pattern_is_written_as_it_is_read(text in host()) {
        let pattern: HostPattern = text.parse().expect("a pattern");
        prop_assert_eq!(pattern.to_string().parse(), Ok(pattern));
    }
}
