//! What was observed, as rows that can be put into the documentation.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// One observation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) scenario: String,
    pub(crate) cli: String,
    /// The class of the turn.
    pub(crate) class: String,
    /// Of `baton run`.
    pub(crate) exit: i32,
    /// Of `baton run`, in seconds.
    pub(crate) seconds: f64,
    /// Why, as the turn's end was told.
    pub(crate) detail: String,
}

/// The scenarios in the order of the table, with what they are.
const SCENARIOS: [(&str, &str); 14] = [
    ("good", "writes a file, committed"),
    ("unauthorized", "401"),
    ("quota", "quota spent, resets in an hour"),
    ("plan-limit", "limit of a plan, resets in an hour"),
    ("overloaded", "529"),
    ("server-error", "500"),
    ("context", "context too long"),
    ("cut", "connection dropped in mid-stream"),
    ("hang", "no answer"),
    ("denied", "permissions refused"),
    ("sigterm", "SIGTERM in mid-tool"),
    ("sigint", "SIGINT in mid-tool"),
    ("adopted", "`kill -9` of baton in mid-tool, started again"),
    ("resumed", "second turn of a session"),
];
const CLIS: [&str; 8] = ["claude", "codex", "gemini", "opencode", "copilot", "qwen", "goose", "aider"];

fn rows() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/real-agents-rows")
}

impl Row {
    /// Keeps the row for the table.
    pub(crate) fn keep(&self) {
        assert!(SCENARIOS.iter().any(|(scenario, _)| *scenario == self.scenario), "{}", self.scenario);
        fs::create_dir_all(rows()).unwrap();
        let path = rows().join(format!("{}-{}.json", self.scenario, self.cli));
        fs::write(path, serde_json::to_string(self).unwrap()).unwrap();
    }
}

/// With `BATON_WRITE_TABLES=1`, and after the others have run: writes the table in `docs/agents.md` anew. Otherwise
/// checks that the documentation has a row for every scenario.
#[test]
fn the_documentation_has_every_scenario() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/agents.md");
    let text = fs::read_to_string(&path).unwrap();
    let (begin, end) = ("<!-- table: real-agents -->\n", "<!-- end of table -->");
    let (before, rest) = text.split_once(begin).expect("the table's place");
    let (table, after) = rest.split_once(end).expect("the table's end");
    if std::env::var_os("BATON_WRITE_TABLES").is_some() {
        fs::write(path, format!("{before}{begin}{}{end}{after}", render())).unwrap();
        return;
    }
    for (_, title) in SCENARIOS {
        assert!(table.contains(&format!("| {title} |")), "docs/agents.md has no row for: {title}");
    }
}

fn render() -> String {
    let mut found: BTreeMap<(String, String), Row> = BTreeMap::new();
    for entry in fs::read_dir(rows()).unwrap() {
        let row: Row = serde_json::from_slice(&fs::read(entry.unwrap().path()).unwrap()).unwrap();
        found.insert((row.scenario.clone(), row.cli.clone()), row);
    }
    let mut table = format!("| | {} |\n|---|{}\n", CLIS.join(" | "), "---|".repeat(CLIS.len()));
    for (scenario, title) in SCENARIOS {
        let cells = CLIS.map(|cli| {
            found.get(&(scenario.to_owned(), cli.to_owned())).map_or_else(
                || "not applicable".to_owned(),
                |row| format!("`{}`, {}, {:.1} s", row.class, row.exit, row.seconds),
            )
        });
        let _ = writeln!(table, "| {title} | {} |", cells.join(" | "));
    }
    table
}
