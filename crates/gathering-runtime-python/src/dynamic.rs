//! Plugin files that are made of the code of tools: readable, self-contained, and the same for the same request.

mod literal;

use std::fmt::Write;

use gathering_core::{DynamicPlugin, DynamicTool, LoadError, ToolName};
use serde_json::{Map, Value};

use literal::{indented, source, text};

/// What was found out about a plugin's tools from their code.
#[derive(Debug, Clone, PartialEq)]
pub struct Examined {
    /// The tools, in the order of the request or of the code.
    pub tools: Vec<ExaminedTool>,
    /// What the first documented module says of itself; may be empty.
    pub documentation: String,
}

/// What was found out about a tool.
#[derive(Debug, Clone, PartialEq)]
pub struct ExaminedTool {
    /// What it is called by.
    pub name: ToolName,
    /// The name of its function in its code.
    pub function: String,
    /// What it does, as was said or as its docstring says; may be empty.
    pub description: String,
    /// The schema of its arguments, or a bare map of them.
    pub parameters: Value,
    /// The schema of its result.
    pub returns: Value,
    /// Those of its examples that are calls.
    pub calls: Vec<ExampleCall>,
}

/// An example that can be tried.
#[derive(Debug, Clone, PartialEq)]
pub struct ExampleCall {
    /// Which of the tool's examples it is.
    pub place: usize,
    /// The arguments.
    pub arguments: Map<String, Value>,
    /// What it is said to give.
    pub result: Option<Value>,
}

/// Why the code of a plugin's tools cannot be taken.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ExamineError {
    /// The code of a tool is at fault.
    #[error("{}", .0.message)]
    Code(CodeProblem),
    /// It could not be looked at.
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// What is wrong with the code of a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeProblem {
    /// Which tool of the request it is; `None`: the code of the whole plugin.
    pub place: Option<usize>,
    /// What that tool is called.
    pub tool: Option<String>,
    /// What is wrong and what to do.
    pub message: String,
    /// The line, counted from 1.
    pub line: Option<u64>,
    /// The column, counted from 1.
    pub column: Option<u64>,
    /// Where in the code it failed; may be empty.
    pub traceback: String,
}

const HEAD: &str = "\
# Made by GatheRing from the code of its tools. Each tool's code runs as a module of its own, so that what two of
# them call alike does not clash; tools with the same code share one.
";

/// Runs a tool's code. The name of its module and what tracebacks show do not hang on where the file lies.
/// How many workers a plugin that is made of code grows to.
const WORKERS: usize = 4;

const RUN: &str = r#"

def _run(name, code, config):
    """The module that a tool's code makes."""
    filename = f"{__file__}/{name}.py"
    linecache.cache[filename] = (len(code), None, io.StringIO(code).readlines(), filename)
    module = types.ModuleType("gathering_tool_" + name)
    module.config = config
    sys.modules[module.__name__] = module
    exec(compile(code, filename, "exec", dont_inherit=True), vars(module))
    return module
"#;

/// The file of a plugin, whose tools were examined.
pub fn plugin_file(plugin: &DynamicPlugin, examined: &Examined) -> String {
    let codes = codes(&plugin.tools);
    let mut file = String::from(HEAD);
    let documentation = text(&plugin.description);
    let competencies = if plugin.competencies.is_empty() {
        ""
    } else {
        "from gathering.core.competency_registry import CompetencyDefinition\n"
    };
    write!(
        file,
        "{documentation}\n\nimport io\nimport linecache\nimport sys\nimport types\n\n{competencies}\
         from gathering.core.tool_registry import ToolDefinition\n\
         from gathering.plugins.base import Plugin, PluginMetadata\n"
    )
    .expect("memory takes it");
    for code in &codes {
        let of = code.tools.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        write!(file, "\n# The code of {of}.\n{} = {}\n", code.constant, source(code.text))
            .expect("memory takes it");
    }
    file.push_str(RUN);
    write!(
        file,
        "\n\nclass {}(Plugin):\n    {documentation}\n\n    # Calls run side by side, in as many processes at most.\n    \
         workers = {WORKERS}\n\n",
        class_name(plugin.plugin_id.as_str())
    )
        .expect("memory takes it");
    if let Some(config) = &plugin.config {
        let config = indented(&Value::Object(config.clone()), 8);
        write!(
            file,
            "    def __init__(self, config=None):\n        super().__init__({{**{config}, **(config or {{}})}})\n\n"
        )
        .expect("memory takes it");
    }
    file.push_str("    @property\n    def metadata(self):\n        return ");
    call(&mut file, 8, "PluginMetadata", &metadata(plugin));
    file.push_str("\n\n    def register_tools(self):\n");
    for code in &codes {
        let module = &code.tools[0];
        writeln!(
            file,
            "        {} = _run({}, {}, self.config)",
            code.variable,
            text(module.as_str()),
            code.constant
        )
        .expect("memory takes it");
    }
    file.push_str("        return [\n");
    for (tool, found) in plugin.tools.iter().zip(&examined.tools) {
        let code = codes.iter().find(|code| code.text == tool.code).expect("each code is one of them");
        file.push_str("            ");
        call(&mut file, 12, "ToolDefinition", &definition(tool, found, &code.variable));
        file.push_str(",\n");
    }
    file.push_str("        ]\n");
    if !plugin.competencies.is_empty() {
        file.push_str("\n    def register_competencies(self):\n        return [\n");
        for competency in &plugin.competencies {
            let fields = serde_json::to_value(competency).expect("a competency has a form in JSON");
            let fields = fields.as_object().cloned().unwrap_or_default();
            let fields: Vec<_> = fields
                .iter()
                .filter(|(_, value)| !is_empty(value))
                .map(|(name, value)| (name.as_str(), indented(value, 16)))
                .collect();
            file.push_str("            ");
            call(&mut file, 12, "CompetencyDefinition", &fields);
            file.push_str(",\n");
        }
        file.push_str("        ]\n");
    }
    file
}

/// A piece of code and the tools that have it.
struct Code<'a> {
    text: &'a str,
    tools: Vec<&'a ToolName>,
    constant: String,
    variable: String,
}

/// The different pieces of code, each with names of its own.
fn codes(tools: &[DynamicTool]) -> Vec<Code<'_>> {
    let mut codes: Vec<Code> = Vec::new();
    for tool in tools {
        if let Some(known) = codes.iter_mut().find(|known| known.text == tool.code) {
            known.tools.push(&tool.name);
            continue;
        }
        let word = tool.name.as_str().replace('-', "_").to_ascii_lowercase();
        let taken = |variable: &str| codes.iter().any(|known| known.variable == variable);
        let mut variable = format!("{word}_module");
        let mut next = 2;
        while taken(&variable) {
            variable = format!("{word}_{next}_module");
            next += 1;
        }
        let constant = variable.trim_end_matches("_module").to_ascii_uppercase() + "_CODE";
        codes.push(Code { text: &tool.code, tools: vec![&tool.name], constant, variable });
    }
    codes
}

fn metadata(plugin: &DynamicPlugin) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("id", text(plugin.plugin_id.as_str())),
        ("name", text(&plugin.name)),
        ("version", text(&plugin.version)),
        ("description", text(&plugin.description)),
        ("author", text(&plugin.author)),
    ];
    if !plugin.python_dependencies.is_empty() {
        fields.push(("python_dependencies", indented(&plugin.python_dependencies.clone().into(), 12)));
    }
    if let Some(schema) = &plugin.config_schema {
        fields.push(("config_schema", indented(schema, 12)));
    }
    if !plugin.permissions.is_empty() {
        let asked = serde_json::to_value(&plugin.permissions).expect("permissions have a form in JSON");
        fields.push(("permissions", indented(&asked, 12)));
    }
    fields
}

fn definition(tool: &DynamicTool, found: &ExaminedTool, module: &str) -> Vec<(&'static str, String)> {
    let list = |items: Vec<Value>| indented(&Value::Array(items), 16);
    let mut fields = vec![
        ("name", text(tool.name.as_str())),
        ("description", text(&found.description)),
        ("category", text(tool.category.as_str())),
        ("function", format!("{module}.{}", found.function)),
    ];
    if !tool.required_competencies.is_empty() {
        let required = tool.required_competencies.iter().map(|needed| needed.to_string().into());
        fields.push(("required_competencies", list(required.collect())));
    }
    fields.push(("parameters", indented(&found.parameters, 16)));
    if !is_empty(&found.returns) {
        fields.push(("returns", indented(&found.returns, 16)));
    }
    if !tool.examples.is_empty() {
        fields.push(("examples", list(tool.examples.clone())));
    }
    fields
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

/// `name(field=value, ...)`, a line for each field.
fn call(file: &mut String, indent: usize, name: &str, fields: &[(&str, String)]) {
    writeln!(file, "{name}(").expect("memory takes it");
    for (field, value) in fields {
        writeln!(file, "{:width$}{field}={value},", "", width = indent + 4).expect("memory takes it");
    }
    write!(file, "{:indent$})", "").expect("memory takes it");
}

/// `math-helper` is `MathHelperPlugin`.
fn class_name(id: &str) -> String {
    let words = id.split(['_', '-']).filter(|word| !word.is_empty());
    words.map(|word| word[..1].to_ascii_uppercase() + &word[1..]).collect::<String>() + "Plugin"
}
