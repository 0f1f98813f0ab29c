//! Words that people use for one another when they ask for a tool.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use super::words::each_stem;

/// Each line: words that may stand for one another in a request, the plain ones of everyday and those of programmers.
const GROUPS: &[&str] = &[
    "get fetch retrieve read load obtain receive",
    "find search lookup look locate seek query discover",
    "show display view see look print list",
    "list enumerate browse",
    "read open view",
    "create make build generate produce new start",
    "add insert append attach put include",
    "delete remove erase drop discard destroy clear rid",
    "change edit modify update alter adjust set replace substitute correct fix",
    "change difference diff",
    "rename move relocate",
    "rename name call",
    "copy duplicate clone clipboard",
    "write save store persist record",
    "send post deliver submit transmit tell write",
    "run execute start launch invoke trigger",
    "stop cancel abort kill terminate end halt quit",
    "pause suspend hold",
    "restart reboot reload retry rerun again",
    "undo revert rollback reset restore back",
    "redo repeat again",
    "merge combine join unite concatenate together glue",
    "split divide separate cut",
    "compare diff difference contrast versus",
    "check verify validate test inspect examine",
    "contain match mention occur include",
    "convert transform turn translate export render",
    "compute calculate evaluate arithmetic math sum",
    "percent percentage",
    "calculate plus minus multiply multiplied divided",
    "root sqrt square power",
    "count number many",
    "summarize summary digest shorten condense overview gist",
    "explain describe information info detail metadata",
    "download fetch pull get",
    "upload push publish",
    "open launch",
    "close shut resolve finish complete",
    "finish complete done tick mark",
    "schedule plan calendar appointment meeting event",
    "free available availability slot busy",
    "busy calendar event",
    "invite invitation guest attendee",
    "remind reminder alarm todo task",
    "assign allocate delegate",
    "approve accept confirm agree",
    "decline reject refuse deny",
    "reply answer respond response comment",
    "react reaction emoji like",
    "message chat dm write",
    "text sms message",
    "mail email inbox mailbox",
    "newsletter unsubscribe",
    "call phone ring telephone",
    "folder directory path",
    "file document",
    "picture image photo photograph drawing",
    "picture screenshot capture snapshot",
    "scan scanned ocr recognise recognize",
    "movie video clip film recording",
    "song track music audio sound",
    "recording recorded audio speech",
    "sound volume loud loudness music noise quiet",
    "voice speech speak speech say aloud",
    "listen play playback",
    "transcribe transcript transcription",
    "website page site web webpage",
    "internet web online google",
    "link url address",
    "ticket issue bug task todo",
    "bug issue error problem",
    "late overdue due deadline",
    "repository repo project",
    "pr pull",
    "colleague member teammate person user",
    "table sheet spreadsheet excel workbook",
    "google drive docs",
    "slide presentation deck powerpoint",
    "word docx",
    "cell row line",
    "chart graph plot diagram bar",
    "draw sketch paint generate plot",
    "price quote cost rate worth value",
    "share stock ticker",
    "company business corporation firm",
    "revenue income earning profit sales",
    "money currency amount payment pay charge",
    "currency dollar euro pound yen",
    "bitcoin ethereum crypto cryptocurrency coin",
    "mortgage loan credit instalment installment",
    "interest rate",
    "risk risky volatility",
    "invoice bill",
    "refund reimburse back return",
    "buy purchase order checkout",
    "spend spending cost expense bill",
    "cheap fare price",
    "customer client user person people contact buyer",
    "team group member",
    "permission access right allow share",
    "weather forecast temperature rain sunny snow umbrella",
    "warm cold hot temperature degree",
    "storm warning alert severe",
    "pollution air quality",
    "route direction navigate way travel",
    "walk foot walking",
    "car drive driving",
    "train rail railway station",
    "place location address spot where street",
    "restaurant cafe bar place",
    "coordinate latitude longitude geocode position",
    "near nearby around close",
    "height elevation altitude high",
    "distance far length",
    "news headline article",
    "paper publication article research study",
    "scientific science research",
    "container docker",
    "image container docker",
    "pod kubernetes cluster",
    "replica scale instance",
    "bucket s3 object storage",
    "cloud aws",
    "virtual machine vm instance server",
    "deploy release rollout publish deployment",
    "log trace history output print",
    "log worklog track spend",
    "command shell terminal console bash prompt",
    "code source program script snippet",
    "function method procedure",
    "usage use usage",
    "reference call use where",
    "config configuration setting preference",
    "error exception crash failure fail broken",
    "exception traceback stacktrace stack",
    "slow performance plan speed time",
    "database sql db",
    "row record entry",
    "column field attribute",
    "schema structure layout",
    "note memo page",
    "vault note",
    "dictionary define definition meaning",
    "word term",
    "spell spelling grammar typo",
    "language translate translation french german spanish english",
    "text content word",
    "mood sentiment positive negative feeling tone",
    "similar semantic alike close related",
    "size width height dimension",
    "big large size",
    "small little tiny shrink reduce compress resize scale",
    "crop trim cut",
    "background transparent",
    "camera exif photo",
    "encrypt protect lock password secret",
    "hash checksum fingerprint digest md5 sha",
    "random generate",
    "strong secure",
    "branch version",
    "commit revision change",
    "author writer blame annotate commit",
    "stash shelve",
    "switch checkout",
    "recent latest last newest lately",
    "current now today",
    "time clock hour zone",
    "date day",
    "average mean statistic",
    "deviation variance spread",
    "outlier anomaly unusual strange",
    "trend regression fit line",
    "variable value setting",
    "remember recall memory fact",
    "archive zip compress pack",
    "unpack extract unzip decompress",
    "extract pull",
    "book reserve booking reservation",
    "flight plane airline fly airport",
    "hotel room accommodation stay night",
    "colour color palette",
    "accessible accessibility contrast readable",
    "click press tap",
    "type fill enter",
    "button element",
    "form field",
    "recipe cook meal ingredient dish",
    "subscribe follow subscription",
    "vulnerability security cve hole advisory",
    "dependency package library module",
    "documentation docs manual reference",
    "certificate tls https ssl",
    "expire expiry end",
    "domain dns whois hostname host",
    "ip dns address",
    "owner own registered",
    "computer machine system",
    "memory ram",
    "processor cpu",
    "disk space storage drive",
    "hang freeze process",
    "process program task",
    "notification notify popup",
    "test suite",
    "coverage uncovered",
    "format formatter indent style",
    "lint style",
    "weight kilogram",
    "package parcel delivery shipment",
    "lamp light",
    "heating thermostat temperature",
    "door lock",
    "step think reason",
    "model ai llm",
    "stage staged",
    "oncall duty call",
    "incident outage",
    "dashboard grafana",
    "metric prometheus",
    "inventory stock",
    "deal opportunity sale",
    "support helpdesk ticket",
];

/// Words that a request may have whatever it is about: they count little. Here as people write them.
const WEAK: &str = "again along another around away back come day down exactly first get go going good got here keep know last \
    late lately later look lot make many more most much name new next now number off out put really right same say see set show \
    something soon start take tell thing turn think time today tomorrow tonight try up want way week well when where while why work \
    write yesterday yet";

/// How much a word of a request counts, between 0 and 1.
pub(super) fn strength(stem: &str) -> f32 {
    static WEAK_STEMS: LazyLock<HashSet<String>> = LazyLock::new(|| {
        let mut stems = HashSet::new();
        each_stem(WEAK, |stem| {
            stems.insert(stem.to_owned());
        });
        stems
    });
    let is_weak = WEAK_STEMS.contains(stem) || stem.bytes().all(|b| b.is_ascii_digit());
    if is_weak { 0.3 } else { 1.0 }
}

/// The stems that may stand for `stem`, itself not among them.
pub(super) fn alike(stem: &str) -> &'static [String] {
    static ALIKE: LazyLock<HashMap<String, Vec<String>>> = LazyLock::new(|| {
        let mut alike: HashMap<String, Vec<String>> = HashMap::new();
        for group in GROUPS {
            let mut stems = Vec::new();
            each_stem(group, |stem| stems.push(stem.to_owned()));
            for stem in &stems {
                let known = alike.entry(stem.clone()).or_default();
                for other in &stems {
                    if other != stem && !known.contains(other) {
                        known.push(other.clone());
                    }
                }
            }
        }
        alike
    });
    ALIKE.get(stem).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_for_one_another_and_not_for_themselves() {
        let delete = alike("delet");

        assert!(delete.iter().any(|stem| stem == "remov"), "{delete:?}");
        assert!(!delete.iter().any(|stem| stem == "delet"));
        assert!(alike("xylophon").is_empty());
    }
}
