//! A Markdown page as its code blocks, and the script that runs them.

use super::compare;

/// A page's code blocks, in order.
pub(super) struct Page {
    pub(super) blocks: Vec<Block>,
    lines: usize,
}

/// One fenced code block.
#[derive(Debug, PartialEq)]
pub(super) struct Block {
    /// The line of the opening fence, from 1.
    pub(super) line: usize,
    pub(super) language: String,
    pub(super) text: String,
    /// The program without which it is not run.
    needs: Option<String>,
    act: Act,
}

/// What is done with a block.
#[derive(Debug, PartialEq)]
enum Act {
    Nothing,
    Run,
    Background,
    Write(String),
    Parse,
    Compare,
}

/// Ends a file's text in the script; no page has this line.
const END: &str = "END-OF-THE-BLOCK";

impl Page {
    /// The error is a line and what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, (usize, String)> {
        let mut blocks = Vec::new();
        let mut open: Option<Block> = None;
        let mut lines = 0;
        let mut needs = None;
        for (index, line) in text.lines().enumerate() {
            lines = index + 1;
            let fence = line.strip_prefix("```");
            match (fence, &mut open) {
                (Some(info), None) => {
                    let (language, act) = read_info(info).map_err(|error| (lines, error))?;
                    let needs = needs.clone();
                    open = Some(Block { line: lines, language, text: String::new(), needs, act });
                }
                (Some(_), Some(_)) => blocks.extend(open.take()),
                (None, Some(block)) => {
                    block.text.push_str(line);
                    block.text.push('\n');
                }
                (None, None) => match comment(line) {
                    Some("needs nothing") => needs = None,
                    Some(said) => needs = said.strip_prefix("needs ").map(str::to_owned).or(needs),
                    None => {}
                },
            }
        }
        if let Some(block) = open {
            return Err((block.line, "the block is not closed".into()));
        }
        for (index, block) in blocks.iter().enumerate() {
            let before = index.checked_sub(1).map(|before| &blocks[before]);
            if block.is_output() && !before.is_some_and(|before| before.act == Act::Run) {
                return Err((block.line, "`output` follows a block that is run".into()));
            }
        }
        Ok(Self { blocks, lines })
    }

    /// Leaves alone the blocks that need a program that is not `there`. Returns these programs.
    pub(super) fn leave_out(&mut self, there: impl Fn(&str) -> bool) -> Vec<String> {
        let mut missing = Vec::new();
        for block in &mut self.blocks {
            if let Some(program) = block.needs.as_deref().filter(|program| !there(program)) {
                block.act = Act::Nothing;
                if !missing.iter().any(|known| known == program) {
                    missing.push(program.to_owned());
                }
            }
        }
        missing
    }

    /// How many blocks are run or written.
    pub(super) fn run_count(&self) -> usize {
        self.blocks.iter().filter(|b| matches!(b.act, Act::Run | Act::Background | Act::Write(_))).count()
    }

    /// The block in which the line is.
    pub(super) fn block_at(&self, line: usize) -> Option<&Block> {
        self.blocks.iter().rfind(|block| block.line <= line)
    }

    /// The page as a bash script in which everything that is not run is an empty line.
    pub(super) fn script(&self, port: u16, mock: u16) -> String {
        let mut lines = vec![String::new(); self.lines];
        for block in &self.blocks {
            let is_bash = block.language == "bash";
            let out = format!("exec >\"$DOCS_OUT/{}\"", block.line);
            let (opening, closing) = match &block.act {
                Act::Run if is_bash => (out, String::new()),
                Act::Run => (format!("{out}; python3 - <<'{END}'"), END.into()),
                Act::Background => (format!("{out}; {{"), "} & answers $!".into()),
                Act::Write(name) => {
                    (format!("mkdir -p \"$(dirname '{name}')\"; cat >'{name}' <<'{END}'"), END.into())
                }
                Act::Nothing | Act::Parse | Act::Compare => continue,
            };
            let text = block.text.replace(":8000", &format!(":{port}")).replace("4010", &mock.to_string());
            let inner: Vec<&str> = text.lines().collect();
            lines[block.line - 1] = opening;
            for (offset, line) in inner.iter().enumerate() {
                lines[block.line + offset] = (*line).to_owned();
            }
            lines[block.line + inner.len()] = closing;
        }
        lines.join("\n") + "\n"
    }
}

impl Block {
    /// Whether it shows what the block before it prints.
    pub(super) fn is_output(&self) -> bool {
        self.act == Act::Compare
    }

    /// What is wrong with data that the page shows, and in which line.
    pub(super) fn parse_error(&self) -> Option<(usize, String)> {
        if self.act == Act::Nothing {
            return None;
        }
        let error = match self.language.as_str() {
            "json" => compare::parse_json(&self.text).err(),
            "toml" => self.text.parse::<toml::Table>().err().map(|error| error.to_string()),
            _ => None,
        };
        error.map(|error| (self.line, format!("this is no {}: {error}", self.language)))
    }
}

/// What a line says that is nothing but a comment.
fn comment(line: &str) -> Option<&str> {
    line.trim().strip_prefix("<!--")?.strip_suffix("-->").map(str::trim)
}

fn read_info(info: &str) -> Result<(String, Act), String> {
    let mut words = info.split_whitespace();
    let language = words.next().unwrap_or_default().to_owned();
    let flag = words.next();
    if let Some(extra) = words.next() {
        return Err(format!("`{extra}` is one flag too many: a block has one"));
    }
    let act = match (language.as_str(), flag) {
        (_, Some("no-run")) => Act::Nothing,
        (_, Some(flag)) if flag.starts_with("file=") => Act::Write(flag["file=".len()..].to_owned()),
        ("bash", Some("background")) => Act::Background,
        ("json" | "text", Some("output")) => Act::Compare,
        ("bash" | "python", None) => Act::Run,
        ("json" | "toml", None) => Act::Parse,
        (_, None) => Act::Nothing,
        (_, Some(flag)) => {
            return Err(format!("`{flag}` is no flag of a `{language}` block: see xtask/src/docs.rs"));
        }
    };
    Ok((language, act))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# A page\n\n```bash\necho localhost:8000\n```\n```text output\nlocalhost:...\n```\n\n```python file=p/a.py\nx = 1\n```\n```bash background\nserve\n```\n```rust\nfn a() {}\n```\n";

    #[test]
    fn the_script_has_the_lines_of_the_page() {
        let page = Page::parse(PAGE).expect("a page");

        let script = page.script(4711, 1);

        let lines: Vec<&str> = script.lines().collect();
        assert_eq!(lines.len(), PAGE.lines().count());
        assert_eq!(lines[2..5], ["exec >\"$DOCS_OUT/3\"", "echo localhost:4711", ""]);
        assert_eq!(
            lines[9..12],
            ["mkdir -p \"$(dirname 'p/a.py')\"; cat >'p/a.py' <<'END-OF-THE-BLOCK'", "x = 1", END]
        );
        assert_eq!(lines[12..15], ["exec >\"$DOCS_OUT/13\"; {", "serve", "} & answers $!"]);
        assert_eq!(lines[15..], ["", "", ""]);
        assert_eq!(page.run_count(), 3);
    }

    #[test]
    fn what_needs_a_program_that_is_not_there_is_left_alone() {
        let text = "<!-- needs mock -->\n```bash\nmock\n```\n```text output\nx\n```\n<!-- needs nothing -->\n```bash\na\n```\n";
        let mut page = Page::parse(text).expect("a page");

        assert!(page.leave_out(|_| true).is_empty() && page.run_count() == 2);
        assert_eq!(page.leave_out(|program| program != "mock"), ["mock"]);
        assert_eq!(page.run_count(), 1);
        assert!(!page.blocks[1].is_output());
    }

    #[test]
    fn what_a_page_gets_wrong_is_told_with_its_line() {
        for (text, line, error) in [
            ("a\n```bash\n", 2, "the block is not closed"),
            ("```bash quickly\n```\n", 1, "`quickly` is no flag of a `bash` block: see xtask/src/docs.rs"),
            ("```json output\n{}\n```\n", 1, "`output` follows a block that is run"),
        ] {
            assert_eq!(Page::parse(text).err(), Some((line, error.to_owned())));
        }
    }

    #[test]
    fn data_that_does_not_parse_is_told_with_its_line() {
        let page = Page::parse("```toml\na = \n```\n```json\n{\"a\": 1}\n```\n").expect("a page");

        let errors: Vec<usize> =
            page.blocks.iter().filter_map(|block| block.parse_error()).map(|(line, _)| line).collect();

        assert_eq!(errors, [1]);
    }
}
