//! How much a plugin may use of memory, time, processes and disk.

use serde::{Deserialize, Serialize};

use super::{PermissionError, shown};

/// How much a plugin may use. What is absent is not limited, or was not said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written")]
pub struct ResourceLimits {
    /// Memory of all of its processes together, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Processor time of one process, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_seconds: Option<u64>,
    /// Processes and threads at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processes: Option<u64>,
    /// The largest file that it may write, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_size: Option<u64>,
    /// What it may keep in its temporary folder, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tmp_size: Option<u64>,
    /// What all files that it makes or changes may take on disk together, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk: Option<u64>,
}

/// The limits by name, and whether each is a size in bytes.
type Named<T> = [(&'static str, bool, T); 6];

impl ResourceLimits {
    /// What holds for a plugin that asks for nothing else.
    pub const DEFAULT: Self = Self {
        memory: Some(1 << 30),
        cpu_seconds: None,
        processes: Some(64),
        file_size: Some(256 << 20),
        tmp_size: Some(256 << 20),
        disk: Some(1 << 30),
    };

    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What may really be used: the default, less if either says so, more only if both do.
    pub(super) fn effective(asked: &Self, allowed: &Self) -> Self {
        asked.or(&Self::DEFAULT).lower(&allowed.or(&Self::DEFAULT))
    }

    /// What it says, else what `other` does.
    pub fn or(&self, other: &Self) -> Self {
        self.zip(other, |one, other| one.or(other))
    }

    fn lower(&self, other: &Self) -> Self {
        self.zip(other, |one, other| match (one, other) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        })
    }

    /// The higher of each that is said.
    pub(super) fn higher(&self, other: &Self) -> Self {
        self.zip(other, |one, other| one.max(other))
    }

    /// Those that `other` does not name.
    pub(super) fn without(&self, other: &Self) -> Self {
        self.zip(other, |one, other| if other.is_some() { None } else { one })
    }

    /// Those that are higher than in `other`; what `other` does not limit cannot be.
    pub(super) fn above(&self, other: &Self) -> Self {
        self.zip(other, |one, other| one.filter(|one| other.is_some_and(|other| *one > other)))
    }

    fn zip(&self, other: &Self, pick: impl Fn(Option<u64>, Option<u64>) -> Option<u64>) -> Self {
        Self {
            memory: pick(self.memory, other.memory),
            cpu_seconds: pick(self.cpu_seconds, other.cpu_seconds),
            processes: pick(self.processes, other.processes),
            file_size: pick(self.file_size, other.file_size),
            tmp_size: pick(self.tmp_size, other.tmp_size),
            disk: pick(self.disk, other.disk),
        }
    }

    pub(super) fn named(&self) -> Named<Option<u64>> {
        [
            ("memory", true, self.memory),
            ("cpu_seconds", false, self.cpu_seconds),
            ("processes", false, self.processes),
            ("file_size", true, self.file_size),
            ("tmp_size", true, self.tmp_size),
            ("disk", true, self.disk),
        ]
    }
}

/// Limits as somebody wrote them.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Written {
    pub(super) memory: Option<Amount>,
    pub(super) cpu_seconds: Option<Amount>,
    pub(super) processes: Option<Amount>,
    pub(super) file_size: Option<Amount>,
    pub(super) tmp_size: Option<Amount>,
    pub(super) disk: Option<Amount>,
}

/// A number, or a text such as `512MiB`.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a limit is a whole number from 0, or a size such as \"512MiB\"")]
pub(super) enum Amount {
    Number(u64),
    Text(String),
}

impl TryFrom<Written> for ResourceLimits {
    type Error = PermissionError;

    fn try_from(written: Written) -> Result<Self, PermissionError> {
        Ok(Self {
            memory: amount("memory", true, written.memory)?,
            cpu_seconds: amount("cpu_seconds", false, written.cpu_seconds)?,
            processes: amount("processes", false, written.processes)?,
            file_size: amount("file_size", true, written.file_size)?,
            tmp_size: amount("tmp_size", true, written.tmp_size)?,
            disk: amount("disk", true, written.disk)?,
        })
    }
}

fn amount(name: &'static str, is_size: bool, given: Option<Amount>) -> Result<Option<u64>, PermissionError> {
    let text = match given {
        None => return Ok(None),
        Some(Amount::Number(number)) => return Ok(Some(number)),
        Some(Amount::Text(text)) => text,
    };
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let factor = match unit.trim() {
        "" => Some(1),
        "KB" if is_size => Some(1000),
        "MB" if is_size => Some(1_000_000),
        "GB" if is_size => Some(1_000_000_000),
        "KiB" if is_size => Some(1 << 10),
        "MiB" if is_size => Some(1 << 20),
        "GiB" if is_size => Some(1 << 30),
        _ => None,
    };
    let amount =
        number.parse::<u64>().ok().zip(factor).and_then(|(number, factor)| number.checked_mul(factor));
    amount.map(Some).ok_or_else(|| {
        let expected =
            if is_size { "a number of bytes, or a size such as `512MiB`" } else { "a whole number" };
        PermissionError::Limit { name, given: shown(&text), expected }
    })
}

/// A size in the largest unit that leaves it whole.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0 => "0".to_owned(),
        bytes if bytes % (1 << 30) == 0 => format!("{}GiB", bytes >> 30),
        bytes if bytes % (1 << 20) == 0 => format!("{}MiB", bytes >> 20),
        bytes if bytes % (1 << 10) == 0 => format!("{}KiB", bytes >> 10),
        bytes => bytes.to_string(),
    }
}
