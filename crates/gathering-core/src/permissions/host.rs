//! Hosts that a plugin may connect to: patterns such as `*.example.com:443`, and what they match.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{PermissionError, shown};

/// The longest name of a host, in bytes (RFC 1035, section 2.3.4).
const MAX_HOST: usize = 253;

/// Hosts by name or address, at one port or at any.
///
/// `api.example.com` is that host; `*.example.com` all hosts below that domain, itself not among them; `*` every host
/// that has a public address. A private or loopback address is matched by itself alone, such as `127.0.0.1:8080`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostPattern {
    host: Host,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Host {
    Any,
    /// In lower case.
    Name(String),
    /// All below this domain; in lower case.
    Below(String),
    Address(IpAddr),
}

impl HostPattern {
    /// Whether a connection to `host`, a name or an address, at `port` is meant.
    ///
    /// A name says nothing about the address that it resolves to, which is to be checked too: see
    /// [`Grants::may_reach`](super::Grants::may_reach).
    pub fn matches(&self, host: &str, port: u16) -> bool {
        self.port.is_none_or(|own| own == port)
            && Host::exact(host).is_ok_and(|host| self.host.meet(&host).is_some())
    }

    /// The port, if it means one only.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The address, if it names one.
    pub(super) fn address(&self) -> Option<IpAddr> {
        match self.host {
            Host::Address(address) => Some(address),
            _ => None,
        }
    }

    /// Whether it is the name that every machine has for itself.
    pub(super) fn is_localhost(&self) -> bool {
        matches!(&self.host, Host::Name(name) if name == "localhost")
    }

    /// What both mean, if there is such a thing.
    pub(super) fn meet(&self, other: &Self) -> Option<Self> {
        let port = match (self.port, other.port) {
            (Some(one), Some(other)) if one != other => return None,
            (one, other) => one.or(other),
        };
        Some(Self { host: self.host.meet(&other.host)?, port })
    }
}

impl Host {
    /// A host that is no pattern.
    fn exact(text: &str) -> Result<Self, &'static str> {
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Ok(Self::Address(address.to_canonical()));
        }
        name(text).map(Self::Name)
    }

    fn pattern(text: &str) -> Result<Self, &'static str> {
        match text.strip_prefix("*.") {
            _ if text == "*" => Ok(Self::Any),
            Some(domain) => name(domain).map(Self::Below),
            None => Self::exact(text),
        }
    }

    fn meet(&self, other: &Self) -> Option<Self> {
        let narrower = match (self, other) {
            (Self::Any, Self::Address(address)) | (Self::Address(address), Self::Any) => {
                return is_public(*address).then_some(Self::Address(*address));
            }
            (Self::Any, narrower) | (narrower, Self::Any) => narrower,
            (Self::Below(domain), name @ Self::Name(host))
            | (name @ Self::Name(host), Self::Below(domain)) => is_below(host, domain).then_some(name)?,
            (Self::Below(one), Self::Below(domain)) if is_below(one, domain) => self,
            (Self::Below(domain), Self::Below(one)) if is_below(one, domain) => other,
            (one, other) => (one == other).then_some(one)?,
        };
        Some(narrower.clone())
    }
}

fn is_below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

/// A name of a host in lower case, without the dot that may end it.
fn name(text: &str) -> Result<String, &'static str> {
    let text = text.strip_suffix('.').unwrap_or(text);
    if text.is_empty() || text.len() > MAX_HOST {
        return Err("a name has 1 to 253 characters");
    }
    let is_label = |label: &str| {
        let bytes = label.as_bytes();
        (1..=63).contains(&bytes.len())
            && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
            && bytes[0] != b'-'
            && bytes[bytes.len() - 1] != b'-'
    };
    if !text.split('.').all(is_label) {
        return Err("a name takes letters, digits and `-` between its dots, and no scheme, path or user");
    }
    // Resolvers take `127.1` and `0x7f.1` for addresses (WHATWG URL, "ends in a number").
    let last = text.rsplit('.').next().unwrap_or_default();
    let hexadecimal = last
        .to_ascii_lowercase()
        .strip_prefix("0x")
        .map(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
    if last.bytes().all(|b| b.is_ascii_digit()) || hexadecimal == Some(true) {
        return Err("it ends in a number and is no address");
    }
    Ok(text.to_ascii_lowercase())
}

impl FromStr for HostPattern {
    type Err = PermissionError;

    fn from_str(text: &str) -> Result<Self, PermissionError> {
        let refuse = |reason| PermissionError::Host { given: shown(text), reason };
        let (host, port) = match text.rsplit_once(':') {
            // An address of version 6 without brackets has no port.
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port)),
            _ => (text, None),
        };
        let port = match port.map(str::parse) {
            None => None,
            Some(Ok(0) | Err(_)) => return Err(refuse("its port is no number from 1 to 65535")),
            Some(Ok(port)) => Some(port),
        };
        Ok(Self { host: Host::pattern(host).map_err(refuse)?, port })
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.host, self.port) {
            (Host::Any, _) => f.write_str("*")?,
            (Host::Name(name), _) => f.write_str(name)?,
            (Host::Below(domain), _) => write!(f, "*.{domain}")?,
            (Host::Address(IpAddr::V6(address)), Some(_)) => write!(f, "[{address}]")?,
            (Host::Address(address), _) => write!(f, "{address}")?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl TryFrom<String> for HostPattern {
    type Error = PermissionError;
    fn try_from(text: String) -> Result<Self, PermissionError> {
        text.parse()
    }
}

impl From<HostPattern> for String {
    fn from(pattern: HostPattern) -> Self {
        pattern.to_string()
    }
}

/// Whether an address is one of the public internet: not private, loopback, link-local or reserved (IANA's registries
/// of special-purpose addresses), and not such a one inside of an address of version 6.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b)))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let v4 = |high: u16, low: u16| is_public_v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    match segments {
        // NAT64 and 6to4 carry an address of version 4.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => v4(high, low),
        // Teredo, ORCHID and documentation.
        [0x2001, second, ..] if second < 0x200 || second == 0xdb8 => false,
        [0x3fff, second, ..] if second < 0x1000 => false,
        // Only 2000::/3 is given out.
        [first, ..] => (0x2000..0x4000).contains(&first),
    }
}
