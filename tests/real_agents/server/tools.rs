//! Which of the tools that an agent offers is called, and with what.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Behaviour, CONTENT};

/// A tool call.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) name: String,
    pub(super) arguments: Value,
}

/// What an agent can do with a shell line, by the tool's name and the argument that takes the line.
const SHELLS: [(&str, &str); 7] = [
    ("Bash", "command"),
    ("bash", "command"),
    ("exec_command", "cmd"),
    ("shell_command", "command"),
    ("run_shell_command", "command"),
    ("developer__shell", "command"),
    ("shell", "command"),
];
type Writer = (&'static str, &'static str, &'static str, Option<(&'static str, &'static str)>);
/// Tools that write a file: name, the argument for the path, the one for the content, and what else they want.
const WRITERS: [Writer; 7] = [
    ("Write", "file_path", "content", None),
    ("write_file", "file_path", "content", None),
    ("write", "filePath", "content", None),
    ("create", "path", "file_text", None),
    ("create_file", "path", "content", None),
    ("developer__text_editor", "path", "file_text", Some(("command", "write"))),
    ("text_editor", "path", "file_text", Some(("command", "write"))),
];

/// The tools in a request of any of the interfaces, by name, each with the schema of its arguments.
pub(super) fn offered(body: &Value) -> BTreeMap<String, Value> {
    let mut tools = BTreeMap::new();
    for tool in array(&body["tools"]) {
        let declarations = array(&tool["functionDeclarations"]);
        let members = array(&tool["tools"]);
        if !declarations.is_empty() || !members.is_empty() {
            for one in declarations.iter().chain(members) {
                add(&mut tools, one);
            }
        } else if tool["function"].is_object() {
            add(&mut tools, &tool["function"]);
        } else {
            add(&mut tools, tool);
        }
    }
    tools
}

fn add(tools: &mut BTreeMap<String, Value>, declaration: &Value) {
    let Some(name) = declaration["name"].as_str() else { return };
    let schema = ["input_schema", "parametersJsonSchema", "parameters"]
        .iter()
        .map(|key| &declaration[*key])
        .find(|schema| schema.is_object())
        .cloned()
        .unwrap_or_default();
    tools.insert(name.to_owned(), schema);
}

pub(super) fn array(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The call of this answer; `None` for the last words.
pub(super) fn decide_call(behaviour: Behaviour, body: &Value, text: &str, was_called: bool) -> Option<Call> {
    let tools = offered(body);
    match behaviour {
        Behaviour::Good if !was_called => write_file(&tools, &named_file(text)),
        Behaviour::LongTool if !was_called => shell(&tools, "sleep 300 & wait"),
        Behaviour::Loop => shell(&tools, "echo again"),
        Behaviour::Good
        | Behaviour::LongTool
        | Behaviour::Talk
        | Behaviour::Slow
        | Behaviour::Hang
        | Behaviour::Cut
        | Behaviour::Refuse(_) => None,
    }
}

/// The path after `FILE=` in the prompt.
pub(super) fn named_file(text: &str) -> String {
    let is_end = |character: char| character.is_whitespace() || matches!(character, '"' | '\'' | '\\' | '`');
    text.rsplit_once("FILE=")
        .and_then(|(_, rest)| rest.split(is_end).next())
        .filter(|path| !path.is_empty())
        .unwrap_or("made.txt")
        .to_owned()
}

fn write_file(tools: &BTreeMap<String, Value>, path: &str) -> Option<Call> {
    for (name, path_argument, content_argument, more) in WRITERS {
        let Some(schema) = tools.get(name) else { continue };
        let takes = |argument: &str| schema["properties"].get(argument).is_some();
        let path_argument = if takes(path_argument) { path_argument } else { "path" };
        let mut arguments = Map::new();
        arguments.insert(path_argument.to_owned(), json!(path));
        arguments.insert(content_argument.to_owned(), json!(CONTENT));
        if let Some((argument, value)) = more {
            arguments.insert(argument.to_owned(), json!(value));
        }
        return Some(Call { name: name.to_owned(), arguments: Value::Object(arguments) });
    }
    shell(tools, &format!("printf '%s' '{CONTENT}' > {path}"))
}

fn shell(tools: &BTreeMap<String, Value>, line: &str) -> Option<Call> {
    let (name, argument) = SHELLS.iter().find(|(name, _)| tools.contains_key(*name))?;
    let properties = &tools[*name]["properties"];
    let takes_words = properties[*argument]["type"] == "array";
    let mut arguments = Map::new();
    let line = if takes_words { json!(["sh", "-c", line]) } else { json!(line) };
    arguments.insert((*argument).to_owned(), line);
    for (optional, value) in [("description", json!("a step")), ("is_background", json!(false))] {
        if properties.get(optional).is_some() {
            arguments.insert(optional.to_owned(), value);
        }
    }
    Some(Call { name: (*name).to_owned(), arguments: Value::Object(arguments) })
}

/// What is said in the last answer: in one piece, or as many words.
pub(super) fn last_words(behaviour: Behaviour, last: &str) -> Vec<String> {
    match behaviour {
        Behaviour::Slow | Behaviour::Cut => (0..120).map(|number| format!("word{number} ")).collect(),
        Behaviour::Good
        | Behaviour::Talk
        | Behaviour::LongTool
        | Behaviour::Loop
        | Behaviour::Hang
        | Behaviour::Refuse(_) => vec![last.to_owned()],
    }
}
