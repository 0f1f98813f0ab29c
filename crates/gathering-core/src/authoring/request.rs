//! Reading what somebody asks to make a plugin of, with a pointer to each thing that does not fit.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{DynamicPlugin, DynamicTool, MAX_ALL_CODE, MAX_CODE};
use crate::names::nearest_word;
use crate::schema::escape_pointer;
use crate::{
    ArgumentError, CompetencyDefinition, Permissions, PluginId, Requirement, Schema, ToolCategory, ToolName,
    json,
};

/// The fields of a plugin.
const PLUGIN: [&str; 12] = [
    "plugin_id",
    "name",
    "description",
    "version",
    "author",
    "code",
    "tools",
    "competencies",
    "config",
    "config_schema",
    "python_dependencies",
    "permissions",
];
/// The fields of a tool.
const TOOL: [&str; 8] =
    ["name", "description", "category", "code", "parameters", "returns", "examples", "required_competencies"];
/// The fields of a competency; the last three are the design document's spellings.
const COMPETENCY: [&str; 12] = [
    "id",
    "name",
    "description",
    "category",
    "level",
    "prerequisites",
    "capabilities",
    "tools_enabled",
    "metadata",
    "related_tools",
    "skill_level_required",
    "parent_competency",
];
const MAX_TOOLS: usize = 100;
const MAX_LIST: usize = 100;
const MAX_TEXT: usize = 16 * 1024;
const MAX_CONFIG: usize = 256 * 1024;

impl DynamicPlugin {
    /// Reads a plugin that somebody asks for. The errors say for each thing that does not fit where it is and what was
    /// expected; there is at least one.
    ///
    /// ```
    /// # use gathering_core::DynamicPlugin;
    /// # use serde_json::json;
    /// let errors = DynamicPlugin::parse(json!({"plugin_id": "greeter", "tool": []})).unwrap_err();
    /// assert_eq!(errors[0].to_string(), "there is no field `tool`, did you mean `tools`? (at /tool)");
    /// ```
    pub fn parse(given: Value) -> Result<Self, Vec<ArgumentError>> {
        let mut reader = Reader { errors: Vec::new() };
        let plugin = reader.plugin(given);
        match plugin {
            Some(plugin) if reader.errors.is_empty() => Ok(plugin),
            _ => Err(reader.errors),
        }
    }
}

/// Collects what does not fit while it reads. What is missing after an error is `None`.
struct Reader {
    errors: Vec<ArgumentError>,
}

impl Reader {
    fn plugin(&mut self, given: Value) -> Option<DynamicPlugin> {
        let mut fields = self.object("", given, &PLUGIN)?;
        let plugin_id = self.needed::<PluginId>(&mut fields, "", "plugin_id");
        let name = self.text(&mut fields, "", "name", 200);
        let description = self.text(&mut fields, "", "description", MAX_TEXT).unwrap_or_default();
        let version = self.text(&mut fields, "", "version", 100).unwrap_or_else(|| "1.0.0".to_owned());
        let author =
            self.text(&mut fields, "", "author", 1024).unwrap_or_else(|| "GatheRing Agent".to_owned());
        let code = self.optional::<String>(&mut fields, "", "code");
        if let Some(code) = &code {
            self.code("/code", code);
        }
        let tools = self.each(&mut fields, "tools", MAX_TOOLS, Self::tool);
        let competencies = self.each(&mut fields, "competencies", MAX_LIST, Self::competency);
        let config = self.optional::<Map<String, Value>>(&mut fields, "", "config");
        if config
            .as_ref()
            .is_some_and(|config| json::size_up_to(&Value::Object(config.clone()), MAX_CONFIG) > MAX_CONFIG)
        {
            self.refuse("/config", format!("`config` is larger than {MAX_CONFIG} bytes"));
        }
        let config_schema = self.schema(&mut fields, "", "config_schema");
        let python_dependencies =
            self.optional::<Vec<String>>(&mut fields, "", "python_dependencies").unwrap_or_default();
        if python_dependencies.len() > MAX_LIST {
            self.refuse("/python_dependencies", format!("there are more than {MAX_LIST} packages"));
        }
        let permissions = self.optional::<Permissions>(&mut fields, "", "permissions").unwrap_or_default();
        match (&code, tools.is_empty()) {
            (Some(_), false) => {
                let reason = "give either `tools`, each with its own code, or `code`, whose public functions \
                              are the tools";
                self.refuse("/code", reason);
            }
            (None, true) if self.errors.is_empty() => {
                self.refuse("/tools", "a plugin needs at least one tool: give `tools`, or `code`");
            }
            _ => {}
        }
        if tools.iter().map(|tool| tool.code.len()).sum::<usize>() > MAX_ALL_CODE {
            self.refuse("/tools", format!("the code of all tools has more than {MAX_ALL_CODE} bytes"));
        }
        for (place, tool) in tools.iter().enumerate() {
            let same = |other: &DynamicTool| other.name.as_str().eq_ignore_ascii_case(tool.name.as_str());
            if tools[..place].iter().any(same) {
                self.refuse(&format!("/tools/{place}/name"), format!("two tools are called `{}`", tool.name));
            }
        }
        let plugin_id = plugin_id?;
        let name = name.unwrap_or_else(|| title(plugin_id.as_str()));
        Some(DynamicPlugin {
            plugin_id,
            name,
            description,
            version,
            author,
            code,
            tools,
            competencies,
            config,
            config_schema,
            python_dependencies,
            permissions,
        })
    }

    fn tool(&mut self, at: &str, given: Value) -> Option<DynamicTool> {
        let mut fields = self.object(at, given, &TOOL)?;
        let name = self.needed::<ToolName>(&mut fields, at, "name");
        let description = self.text(&mut fields, at, "description", MAX_TEXT).unwrap_or_default();
        let category = self.text(&mut fields, at, "category", 64);
        let code = self.needed::<String>(&mut fields, at, "code");
        if let Some(code) = &code {
            self.code(&format!("{at}/code"), code);
        }
        let parameters = self.schema(&mut fields, at, "parameters");
        let returns = self.schema(&mut fields, at, "returns");
        let examples = self.optional::<Vec<Value>>(&mut fields, at, "examples").unwrap_or_default();
        if examples.len() > MAX_LIST {
            self.refuse(&format!("{at}/examples"), format!("there are more than {MAX_LIST} examples"));
        }
        let required_competencies =
            self.optional::<Vec<Requirement>>(&mut fields, at, "required_competencies").unwrap_or_default();
        Some(DynamicTool {
            name: name?,
            description,
            category: category.map_or(ToolCategory::CUSTOM, ToolCategory::from),
            code: code?,
            parameters,
            returns,
            examples,
            required_competencies,
        })
    }

    fn competency(&mut self, at: &str, given: Value) -> Option<CompetencyDefinition> {
        let mut fields = self.object(at, given, &COMPETENCY)?;
        for (other, own) in [("related_tools", "tools_enabled"), ("skill_level_required", "level")] {
            if let Some(value) = fields.shift_remove(other) {
                fields.entry(own).or_insert(value);
            }
        }
        if let Some(parent) = fields.shift_remove("parent_competency").filter(|parent| !parent.is_null())
            && let Value::Array(prerequisites) =
                fields.entry("prerequisites").or_insert_with(|| Value::Array(Vec::new()))
            && !prerequisites.contains(&parent)
        {
            prerequisites.insert(0, parent);
        }
        fields.entry("category").or_insert_with(|| "custom".into());
        self.read(at, Value::Object(fields), "a competency such as {\"id\", \"name\", \"description\"}")
    }

    /// The object at `at`, whose fields are all known.
    fn object(&mut self, at: &str, given: Value, known: &[&'static str]) -> Option<Map<String, Value>> {
        let Value::Object(mut fields) = given else {
            self.refuse(at, format!("expected an object with the fields {}", known.join(", ")));
            return None;
        };
        fields.retain(|name, _| {
            let is_known = known.contains(&name.as_str());
            if !is_known {
                let hint = match nearest_word(known, name) {
                    Some(near) => format!(", did you mean `{near}`?"),
                    None => format!("; there are {}", known.join(", ")),
                };
                let shown: String = name.chars().take(64).flat_map(char::escape_debug).collect();
                let pointer = format!("{at}/{}", escape_pointer(&shown));
                self.refuse(&pointer, format!("there is no field `{shown}`{hint}"));
            }
            is_known
        });
        Some(fields)
    }

    fn each<T>(
        &mut self,
        fields: &mut Map<String, Value>,
        name: &str,
        limit: usize,
        read: impl Fn(&mut Self, &str, Value) -> Option<T>,
    ) -> Vec<T> {
        let given = self.optional::<Vec<Value>>(fields, "", name).unwrap_or_default();
        if given.len() > limit {
            self.refuse(&format!("/{name}"), format!("there are more than {limit} {name}"));
            return Vec::new();
        }
        let items = given.into_iter().enumerate();
        items.filter_map(|(place, value)| read(self, &format!("/{name}/{place}"), value)).collect()
    }

    fn needed<T: DeserializeOwned>(
        &mut self,
        fields: &mut Map<String, Value>,
        at: &str,
        name: &str,
    ) -> Option<T> {
        match fields.shift_remove(name) {
            Some(value) => self.read(&format!("{at}/{name}"), value, name),
            None => {
                self.refuse(&format!("{at}/{name}"), format!("`{name}` is missing"));
                None
            }
        }
    }

    fn optional<T: DeserializeOwned>(
        &mut self,
        fields: &mut Map<String, Value>,
        at: &str,
        name: &str,
    ) -> Option<T> {
        let value = fields.shift_remove(name).filter(|value| !value.is_null())?;
        self.read(&format!("{at}/{name}"), value, name)
    }

    /// A text that says something, of at most `limit` bytes.
    fn text(
        &mut self,
        fields: &mut Map<String, Value>,
        at: &str,
        name: &str,
        limit: usize,
    ) -> Option<String> {
        let text = self.optional::<String>(fields, at, name).filter(|text| !text.trim().is_empty())?;
        if text.len() > limit {
            self.refuse(&format!("{at}/{name}"), format!("`{name}` has more than {limit} bytes"));
        }
        Some(text)
    }

    fn code(&mut self, at: &str, code: &str) {
        if code.len() > MAX_CODE {
            self.refuse(at, format!("the code has {} bytes, more than {MAX_CODE}", code.len()));
        } else if let Some(place) = code.find('\0') {
            let line = code[..place].matches('\n').count() + 1;
            self.refuse(at, format!("the code holds a null byte, in line {line}"));
        } else if code.trim().is_empty() {
            self.refuse(at, "the code is empty");
        }
    }

    /// A schema, or a map of properties; none if there is none, or `{}`.
    fn schema(&mut self, fields: &mut Map<String, Value>, at: &str, name: &str) -> Option<Value> {
        let value = fields.shift_remove(name).filter(|value| !value.is_null())?;
        if value.as_object().is_some_and(Map::is_empty) {
            return None;
        }
        let checked = if name == "returns" { Schema::new(&value) } else { Schema::parameters(&value) };
        match checked {
            Ok(_) if value.is_object() => Some(value),
            Ok(_) => {
                self.refuse(&format!("{at}/{name}"), "a schema is an object");
                None
            }
            Err(error) => {
                self.refuse(&format!("{at}/{name}{}", error.pointer), error.reason);
                None
            }
        }
    }

    fn read<T: DeserializeOwned>(&mut self, at: &str, value: Value, what: &str) -> Option<T> {
        match serde_json::from_value(value) {
            Ok(value) => Some(value),
            Err(error) => {
                self.refuse(at, format!("`{what}` cannot be taken: {error}"));
                None
            }
        }
    }

    fn refuse(&mut self, pointer: &str, message: impl Into<String>) {
        self.errors.push(ArgumentError { pointer: pointer.to_owned(), message: message.into() });
    }
}

/// An id as a name: `math_helper` is "Math Helper".
fn title(id: &str) -> String {
    let words = id.split(['_', '-']).filter(|word| !word.is_empty());
    let capital = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
    words.map(capital).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn errors(given: Value) -> Vec<String> {
        let errors = DynamicPlugin::parse(given).expect_err("it does not fit");
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_documents_request_is_read_and_what_it_leaves_out_is_filled_in() {
        let plugin = DynamicPlugin::parse(json!({
            "plugin_id": "math_helper",
            "tools": [{"name": "add", "code": "def add(x, y): return x + y"}],
        }))
        .expect("it fits");

        assert_eq!((plugin.name.as_str(), plugin.version.as_str()), ("Math Helper", "1.0.0"));
        assert_eq!((plugin.author.as_str(), plugin.description.as_str()), ("GatheRing Agent", ""));
        assert_eq!(plugin.tools[0].category, ToolCategory::CUSTOM);
        let kept = serde_json::to_value(&plugin).expect("it has a form in JSON");
        assert_eq!(serde_json::from_value::<DynamicPlugin>(kept).expect("it is one"), plugin);
    }

    #[test]
    fn everything_that_does_not_fit_is_told_with_its_place() {
        assert_eq!(
            errors(json!({
                "plugin_id": "a b", "descripton": "x", "python_dependencies": "numpy",
                "tools": [{"name": "t", "cod": "x", "parameters": {"x": 3}}, {"name": "u", "code": "a\n\u{0}"}, 5],
                "competencies": [{"id": "c", "name": "C"}],
            })),
            [
                "there is no field `descripton`, did you mean `description`? (at /descripton)",
                "`plugin_id` cannot be taken: `a b` is not a plugin id: it takes a letter, then letters, digits, `_` or \
                 `-`, at most 64 characters (at /plugin_id)",
                "there is no field `cod`, did you mean `code`? (at /tools/0/cod)",
                "`code` is missing (at /tools/0/code)",
                "the parameter `x` must be a schema such as {\"type\": \"string\"}, not a number; for a JSON Schema instead \
                 of a map of properties, add \"type\": \"object\" (at /tools/0/parameters/x)",
                "the code holds a null byte, in line 2 (at /tools/1/code)",
                "expected an object with the fields name, description, category, code, parameters, returns, examples, \
                 required_competencies (at /tools/2)",
                "`a competency such as {\"id\", \"name\", \"description\"}` cannot be taken: missing field `description` \
                 (at /competencies/0)",
                "`python_dependencies` cannot be taken: invalid type: string \"numpy\", expected a sequence \
                 (at /python_dependencies)",
            ]
        );
    }

    #[test]
    fn a_plugin_needs_tools_of_different_names_or_code_and_not_both() {
        let tool = json!({"name": "t", "code": "def t(): pass"});
        let twice = json!({"name": "T", "code": "def t(): pass"});

        assert_eq!(
            errors(json!({"plugin_id": "p"})),
            ["a plugin needs at least one tool: give `tools`, or `code` (at /tools)"]
        );
        assert_eq!(
            errors(json!({"plugin_id": "p", "tools": [tool, twice]})),
            ["two tools are called `T` (at /tools/1/name)"]
        );
        assert_eq!(errors(json!({"plugin_id": "p", "tools": [tool], "code": "x = 1"})).len(), 1);
    }

    #[test]
    fn a_competency_may_be_written_as_in_the_design_document() {
        let competency = json!({
            "id": "poetry", "name": "Poetry", "description": "Writes poems", "parent_competency": "writing",
            "related_tools": ["rhyme"], "skill_level_required": "advanced",
        });
        let tool = json!({"name": "rhyme", "code": "def rhyme(): pass"});

        let plugin =
            DynamicPlugin::parse(json!({"plugin_id": "p", "tools": [tool], "competencies": [competency]}))
                .expect("it fits");

        let read = serde_json::to_value(&plugin.competencies[0]).expect("it has a form in JSON");
        assert_eq!(
            (&read["prerequisites"], &read["tools_enabled"], &read["level"], &read["category"]),
            (&json!(["writing"]), &json!(["rhyme"]), &json!("advanced"), &json!("custom"))
        );
    }
}
