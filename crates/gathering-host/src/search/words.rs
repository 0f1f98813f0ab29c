//! Cuts texts into words and words to their stems, so that `list_directories`, `ListDirectory` and "listing a directory" meet.

/// The longest word that is kept; what is longer is no word that anybody looks for.
const LONGEST: usize = 40;

/// How long a word is at least that digits are cut off from, in bytes: `sha256` is cut, `mp3` is not.
const SHORTEST_BEFORE_DIGITS: usize = 3;

/// Words that say nothing about what a tool does, sorted.
const EMPTY: [&str; 103] = [
    "a", "about", "after", "all", "also", "am", "an", "and", "any", "are", "as", "at", "be", "been",
    "before", "but", "by", "can", "could", "d", "did", "do", "does", "doing", "don", "each", "for", "from",
    "give", "given", "gives", "had", "has", "have", "he", "her", "his", "how", "i", "if", "in", "into", "is",
    "it", "its", "just", "let", "like", "ll", "m", "may", "me", "might", "must", "my", "need", "no", "not",
    "of", "on", "one", "only", "or", "our", "over", "please", "re", "s", "shall", "she", "should", "so",
    "some", "t", "than", "that", "the", "their", "them", "then", "there", "these", "they", "this", "those",
    "to", "us", "use", "used", "uses", "using", "ve", "was", "we", "were", "what", "which", "who", "will",
    "with", "would", "you", "your",
];

/// Forms that no ending tells, and the word that they are forms of, sorted.
const IRREGULAR: [(&str, &str); 70] = [
    ("analyse", "analyze"),
    ("analyses", "analysis"),
    ("analysing", "analyze"),
    ("began", "begin"),
    ("begun", "begin"),
    ("bought", "buy"),
    ("broke", "break"),
    ("broken", "break"),
    ("built", "build"),
    ("came", "come"),
    ("children", "child"),
    ("chose", "choose"),
    ("chosen", "choose"),
    ("drawn", "draw"),
    ("drew", "draw"),
    ("driven", "drive"),
    ("drove", "drive"),
    ("flew", "fly"),
    ("flown", "fly"),
    ("found", "find"),
    ("gone", "go"),
    ("got", "get"),
    ("gotten", "get"),
    ("grew", "grow"),
    ("grown", "grow"),
    ("heard", "hear"),
    ("held", "hold"),
    ("hidden", "hide"),
    ("hung", "hang"),
    ("indices", "index"),
    ("kept", "keep"),
    ("knew", "know"),
    ("known", "know"),
    ("led", "lead"),
    ("left", "leave"),
    ("lent", "lend"),
    ("lost", "lose"),
    ("made", "make"),
    ("matrices", "matrix"),
    ("met", "meet"),
    ("paid", "pay"),
    ("people", "person"),
    ("ran", "run"),
    ("read", "read"),
    ("said", "say"),
    ("saw", "see"),
    ("seen", "see"),
    ("sent", "send"),
    ("shown", "show"),
    ("slept", "sleep"),
    ("sold", "sell"),
    ("spent", "spend"),
    ("spoke", "speak"),
    ("spoken", "speak"),
    ("stole", "steal"),
    ("sung", "sing"),
    ("taken", "take"),
    ("thought", "think"),
    ("threw", "throw"),
    ("thrown", "throw"),
    ("told", "tell"),
    ("took", "take"),
    ("understood", "understand"),
    ("vertices", "vertex"),
    ("went", "go"),
    ("won", "win"),
    ("wore", "wear"),
    ("worn", "wear"),
    ("written", "write"),
    ("wrote", "write"),
];

/// Calls `add` with the stem of each word of a request. The name of a file, such as `notes.md`, asks for what can be done with
/// a file of its kind, and not for what the file is called.
pub(super) fn each_asked_stem(request: &str, mut add: impl FnMut(&str)) {
    for word in request.split_whitespace() {
        match ending(word) {
            Some(ending) => {
                each_stem("file", &mut add);
                each_stem(ending, &mut add);
            }
            None => each_stem(word, &mut add),
        }
    }
}

/// The ending of what looks like a file's name; that of an address is none.
fn ending(word: &str) -> Option<&str> {
    let word = word.trim_matches(|c: char| !c.is_alphanumeric() && c != '.');
    let (name, ending) = word.rsplit_once('.')?;
    let is_file = !name.contains("://")
        && (2..=4).contains(&ending.len())
        && ending.bytes().all(|b| b.is_ascii_alphanumeric())
        && ending.bytes().any(|b| b.is_ascii_alphabetic())
        && !["com", "org", "net", "io", "dev"].contains(&ending);
    is_file.then_some(ending)
}

/// Calls `add` with the stem of each word of `text` that says something. A word in which capitals follow small letters is
/// told in its parts and as a whole: `GitHub` is found by "git", "hub" and "github".
pub(super) fn each_stem(text: &str, mut add: impl FnMut(&str)) {
    let mut stem_of = |word: &str| {
        if word.len() <= LONGEST {
            let word = word.to_lowercase();
            if EMPTY.binary_search(&word.as_str()).is_err() {
                add(&stem(word));
            }
        }
    };
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let mut start = 0;
        let mut before = [' ', ' '];
        for (at, c) in word.char_indices() {
            // Between "g" and "H" of `GitHub`, between "a" and "2" of `sha256`, and between "P" and "S" of `HTTPServer`,
            // which is seen at its "e".
            let [second, last] = before;
            let end = match () {
                () if c.is_uppercase() && last.is_lowercase() => at,
                () if c.is_numeric() && last.is_alphabetic() && at - start >= SHORTEST_BEFORE_DIGITS => at,
                () if c.is_lowercase() && last.is_uppercase() && second.is_uppercase() => {
                    at - last.len_utf8()
                }
                () => start,
            };
            if end > start {
                stem_of(&word[start..end]);
                start = end;
            }
            before = [last, c];
        }
        if start > 0 {
            stem_of(&word[start..]);
        }
        stem_of(word);
    }
}

/// The stem of an English word in small letters: what is left without the endings of plurals, verbs and the nouns made of
/// them. It need not be a word; it is the same for words that belong together, and mostly differs where they do not. After
/// M. F. Porter, "An algorithm for suffix stripping" (1980), without the steps that join words of different meaning.
pub(super) fn stem(mut word: String) -> String {
    if let Ok(place) = IRREGULAR.binary_search_by_key(&word.as_str(), |(form, _)| form) {
        word = IRREGULAR[place].1.to_owned();
    }
    if !word.is_ascii() || word.len() < 4 || word.bytes().any(|b| b.is_ascii_digit()) {
        return word;
    }
    plural(&mut word);
    // The noun first, since it ends in what the verb adds: "convert" + "er" + "s", "translat" + "ion".
    for (ending, kept, least) in [
        ("ization", "ize", 3),
        ("isation", "ize", 3),
        ("ication", "y", 3),
        ("tion", "t", 4),
        ("sion", "s", 4),
        ("ator", "at", 3),
        ("ment", "", 4),
        ("er", "", 4),
        ("or", "", 4),
        ("ly", "", 4),
        ("ing", "", 3),
        ("ed", "", 3),
    ] {
        if let Some(root) = word.strip_suffix(ending)
            && root.len() >= least
            && root.bytes().any(|b| b"aeiouy".contains(&b))
        {
            let length = root.len();
            word.truncate(length);
            word.push_str(kept);
            single(&mut word);
            break;
        }
    }
    for ending in ["ize", "ise", "iz", "is", "e", "y", "i"] {
        if let Some(root) = word.strip_suffix(ending)
            && root.len() >= if ending.len() > 1 { 4 } else { 3 }
        {
            word.truncate(word.len() - ending.len());
            break;
        }
    }
    word
}

/// Takes the plural's ending away, which is a verb's in the third person, too.
fn plural(word: &mut String) {
    let length = word.len();
    if word.ends_with("ies") {
        word.truncate(length - 3);
        word.push('y');
    } else if ["sses", "shes", "ches", "xes", "zes"].iter().any(|ending| word.ends_with(ending)) {
        word.truncate(length - 2);
    } else if word.ends_with('s') && !["ss", "us", "is"].iter().any(|ending| word.ends_with(ending)) {
        word.truncate(length - 1);
    }
}

/// Takes away a consonant that was doubled before an ending: "running", "planned".
fn single(word: &mut String) {
    if let [.., second, last] = word.as_bytes()
        && second == last
        && !b"aeioulsz".contains(last)
        && word.len() > 3
    {
        word.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stems(text: &str) -> Vec<String> {
        let mut stems = Vec::new();
        each_stem(text, |stem| stems.push(stem.to_owned()));
        stems
    }

    #[test]
    fn plurals_verb_forms_and_nouns_of_verbs_meet() {
        for family in [
            &["file", "files", "filing"][..],
            &["query", "queries", "querying", "queried"],
            &["create", "creates", "creating", "created", "creation", "creator"],
            &["convert", "converts", "converting", "converter"],
            &["run", "runs", "running"],
            &["plan", "plans", "planned", "planning"],
            &["match", "matches", "matching"],
            &["translate", "translation", "translations", "translator", "translating"],
            &["summarize", "summarise", "summarized", "summary", "summaries", "summarization"],
            &["compress", "compresses", "compression", "compressing"],
            &["deploy", "deploys", "deployment", "deploying"],
            &["resize", "resizing", "resized"],
            &["process", "processes", "processing"],
        ] {
            let stems: Vec<_> = family.iter().map(|word| stem((*word).to_owned())).collect();
            assert!(stems.iter().all(|stem| *stem == stems[0]), "{family:?}: {stems:?}");
        }
    }

    #[test]
    fn words_of_different_meaning_stay_apart() {
        for [one, other] in
            [["file", "fill"], ["commit", "comment"], ["list", "lisp"], ["image", "imap"], ["mail", "main"]]
        {
            assert_ne!(stem(one.to_owned()), stem(other.to_owned()));
        }
    }

    #[test]
    fn names_are_cut_at_underscores_hyphens_and_capitals() {
        assert_eq!(stems("read_file"), stems("read-file"));
        assert_eq!(stems("readFiles")[..2], stems("read_file")[..]);
        assert_eq!(stems("GitHub"), ["git", "hub", "github"]);
        assert_eq!(stems("HTTPServer"), ["http", "serv", "httpserv"]);
        assert_eq!(stems("sha256 mp3"), ["sha", "256", "sha256", "mp3"]);
        assert_eq!(stems("What does it do?"), Vec::<String>::new());
    }

    #[test]
    fn the_name_of_a_file_asks_for_files_of_its_kind() {
        let mut stems = Vec::new();
        each_asked_stem("open `notes.md`, see example.com", |stem| stems.push(stem.to_owned()));

        assert_eq!(stems, ["open", "fil", "md", "see", "exampl", "com"]);
    }

    #[test]
    fn the_lists_of_words_are_sorted() {
        assert!(EMPTY.is_sorted());
        assert!(IRREGULAR.is_sorted());
    }
}
