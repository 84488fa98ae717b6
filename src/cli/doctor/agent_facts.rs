//! What `doctor --agents` tells of one agent, as JSON and for people. Pure.

use std::fmt::Write as _;

use serde::Serialize;

use super::finding::Level;
use crate::cli::run::in_thousands;
use crate::cli::words::{one_line, worked};
use crate::model::Usage;

/// One agent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct AgentFacts {
    pub(super) agent: String,
    /// Which seats and prompts it would take, each with what decides so.
    pub(super) used_by: Vec<String>,
    /// `None` where it cannot be started.
    pub(super) command: Option<CommandFacts>,
    /// Why it cannot.
    pub(super) problem: Option<String>,
    /// What a person does when the provider refuses the credentials.
    pub(super) credentials: Option<&'static str>,
    /// Only on request.
    pub(super) smoke: Option<Smoke>,
}

/// How an agent would be started.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct CommandFacts {
    pub(super) program: String,
    pub(super) kind: ProgramKind,
    /// The wrapper of which `program` is the native part.
    pub(super) wrapper: Option<String>,
    /// Its own word; `None` where it was not asked or did not tell.
    pub(super) version: Option<String>,
    /// The version that was measured.
    pub(super) verified: Option<&'static str>,
    /// With `${...}` for what differs from turn to turn.
    pub(super) argv: Vec<String>,
    pub(super) prompt: &'static str,
    /// Names only: the values may be secrets.
    pub(super) env: Vec<String>,
    /// `None` for an agent that has no such setting.
    pub(super) permission: Option<&'static str>,
    pub(super) reports_tokens: bool,
    pub(super) reports_cost: bool,
    pub(super) resumes_sessions: bool,
}

/// What kind of file a program is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ProgramKind {
    /// Machine code.
    Native,
    /// Text that another program runs.
    Script,
    /// It cannot be read.
    Unknown,
}

/// What came of a smoke run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Smoke {
    pub(super) class: &'static str,
    pub(super) detail: String,
    pub(super) usage: Usage,
}

impl AgentFacts {
    /// How bad it is: an agent that nobody needs may be as it likes.
    pub(super) fn level(&self) -> Level {
        let smoked = self.smoke.as_ref().is_none_or(|smoke| smoke.class == "ok");
        let is_there = self.problem.is_none() || self.used_by.is_empty();
        if smoked && is_there { Level::Ok } else { Level::Fail }
    }
}

/// Arguments without what looks like a secret: the value after a name that says so, and what begins like a key.
pub(super) fn hide_secrets(arguments: &[String]) -> Vec<String> {
    let names_secret = |name: &str| {
        let name = name.to_ascii_lowercase();
        ["key", "token", "secret", "passw", "credential", "authorization"]
            .iter()
            .any(|word| name.contains(word))
    };
    let mut after_name = false;
    let mut shown = Vec::new();
    for argument in arguments {
        let is_value = std::mem::take(&mut after_name);
        shown.push(match argument.split_once('=') {
            _ if is_value && !argument.starts_with('-') => "...".to_owned(),
            Some((name, _)) if names_secret(name) => format!("{name}=..."),
            _ if ["sk-", "ghp_", "github_pat_", "AIza"].iter().any(|mark| argument.starts_with(mark)) => {
                "...".to_owned()
            }
            _ => {
                after_name = argument.starts_with('-') && names_secret(argument);
                argument.clone()
            }
        });
    }
    shown
}

/// The number in what a program says to `--version`.
pub(super) fn version_number(said: &str) -> Option<&str> {
    said.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+')))
        .map(|word| word.trim_start_matches('v').trim_end_matches('.'))
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.'))
}

/// The report for people. `missing` are known agents that are neither there nor needed.
pub(super) fn in_words(agents: &[AgentFacts], missing: &[String]) -> String {
    let mut text = String::new();
    for agent in agents {
        text.push_str(&paragraph(agent));
    }
    if !missing.is_empty() {
        let _ = writeln!(text, "Not installed, and not needed: {}.", missing.join(", "));
    }
    let failures = agents.iter().filter(|agent| agent.level() == Level::Fail).count();
    text + &match failures {
        0 => "All agents that the configuration needs are there.".to_owned(),
        1 => "1 agent must be put right before turns can be taken.".to_owned(),
        more => format!("{more} agents must be put right before turns can be taken."),
    }
}

fn paragraph(facts: &AgentFacts) -> String {
    let level = match facts.level() {
        Level::Ok => "ok",
        Level::Warn => "warn",
        Level::Fail => "fail",
    };
    let mut lines = vec![match (&facts.command, &facts.problem) {
        (Some(command), _) => format!("{level:<5}{}: {}{}", facts.agent, command.program, version(command)),
        (None, problem) => {
            format!("{level:<5}{}: {}", facts.agent, problem.as_deref().unwrap_or("cannot be started"))
        }
    }];
    let mut add = |line: String| lines.push(format!("     {line}"));
    match facts.used_by.as_slice() {
        [] => add("used by nobody here".to_owned()),
        users => add(format!("used by {}", users.join(", "))),
    }
    if let Some(command) = &facts.command {
        command_lines(command).into_iter().for_each(&mut add);
    }
    if let Some(login) = facts.credentials {
        add(format!("credentials: {login}"));
    }
    if let Some(smoke) = &facts.smoke {
        add(format!("smoke: {}", smoked(smoke)));
    }
    lines.join("\n") + "\n"
}

fn version(command: &CommandFacts) -> String {
    match (&command.version, command.verified) {
        (None, None) => String::new(),
        (None, Some(verified)) => format!(" (version not told; measured with {verified})"),
        (Some(version), None) => format!(" (version {version}; never measured)"),
        (Some(version), Some(verified)) if version_number(version) == Some(verified) => {
            format!(" (version {verified}, as measured)")
        }
        (Some(version), Some(verified)) => format!(" (version {version}; measured with {verified})"),
    }
}

fn command_lines(command: &CommandFacts) -> Vec<String> {
    let mut lines = Vec::new();
    match (&command.wrapper, command.kind) {
        (Some(wrapper), _) => lines.push(format!("the native program behind {wrapper}")),
        (None, ProgramKind::Native) => {}
        (None, ProgramKind::Script) => lines.push("a script or wrapper".to_owned()),
        (None, ProgramKind::Unknown) => lines.push("a file that cannot be read".to_owned()),
    }
    let argv: Vec<String> = command.argv.iter().map(|argument| quoted(argument)).collect();
    lines.push(format!("starts as: {} (prompt: {})", argv.join(" "), command.prompt));
    if !command.env.is_empty() {
        lines.push(format!("sets {}", command.env.join(", ")));
    }
    if let Some(permission) = command.permission {
        lines.push(format!("permission: {permission}"));
    }
    let reports = match (command.reports_tokens, command.reports_cost) {
        (true, true) => "reports tokens and cost",
        (true, false) => "reports tokens and no cost",
        (false, true) => "reports cost and no tokens",
        (false, false) => "reports neither tokens nor cost",
    };
    let sessions = if command.resumes_sessions { "can be resumed" } else { "cannot be resumed" };
    lines.push(format!("{reports}; its sessions {sessions}"));
    lines
}

fn quoted(argument: &str) -> String {
    if argument.is_empty() || argument.contains(char::is_whitespace) {
        format!("'{}'", one_line(argument))
    } else {
        one_line(argument)
    }
}

fn smoked(smoke: &Smoke) -> String {
    let usage = &smoke.usage;
    let detail =
        if smoke.detail.is_empty() { String::new() } else { format!(": {}", one_line(&smoke.detail)) };
    let tokens = match usage.tokens() {
        0 => "tokens -".to_owned(),
        count => format!("{} tokens", in_thousands(count)),
    };
    let cost = usage.cost_usd.map_or_else(|| "cost -".to_owned(), |cost| format!("${cost:.4}"));
    format!("{}{detail} ({}, {tokens}, {cost})", smoke.class, worked(usage.wall_seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("2.1.197 (Claude Code)", Some("2.1.197"))]
    #[case("codex-cli 0.98.0", Some("0.98.0"))]
    #[case("GitHub Copilot CLI 1.0.3.\n", Some("1.0.3"))]
    #[case("v1.2.3-beta.1", Some("1.2.3-beta.1"))]
    #[case("aider 0.86.1", Some("0.86.1"))]
    #[case("unknown option", None)]
    fn a_version_is_found_in_words(#[case] said: &str, #[case] number: Option<&str>) {
        assert_eq!(version_number(said), number);
    }

    #[test]
    fn what_looks_like_a_secret_is_never_shown() {
        let given = [
            "run",
            "--api-key",
            "abc",
            "--token=def",
            "OPENAI_API_KEY=x",
            "sk-1",
            "--model",
            "m",
            "--key",
            "-v",
        ];
        let shown = hide_secrets(&given.map(str::to_owned));
        assert_eq!(
            shown,
            [
                "run",
                "--api-key",
                "...",
                "--token=...",
                "OPENAI_API_KEY=...",
                "...",
                "--model",
                "m",
                "--key",
                "-v"
            ]
        );
    }

    fn facts(used_by: &[&str], problem: Option<&str>, class: Option<&'static str>) -> AgentFacts {
        AgentFacts {
            agent: "claude".into(),
            used_by: used_by.iter().map(|user| (*user).to_owned()).collect(),
            command: None,
            problem: problem.map(str::to_owned),
            credentials: None,
            smoke: class.map(|class| Smoke { class, detail: "why".into(), usage: Usage::default() }),
        }
    }

    #[rstest]
    #[case(&["galph"], None, None, Level::Ok)]
    #[case(&["galph"], Some("gone"), None, Level::Fail)]
    #[case(&[], Some("gone"), None, Level::Ok)]
    #[case(&[], None, Some("auth"), Level::Fail)]
    #[case(&[], None, Some("ok"), Level::Ok)]
    fn only_what_is_needed_or_asked_for_can_fail(
        #[case] used_by: &[&str],
        #[case] problem: Option<&str>,
        #[case] smoke: Option<&'static str>,
        #[case] level: Level,
    ) {
        assert_eq!(facts(used_by, problem, smoke).level(), level);
    }

    #[test]
    fn an_agent_that_cannot_be_started_says_why() {
        assert_eq!(
            in_words(&[facts(&["galph"], Some("not there"), None)], &["codex".to_owned()]),
            "fail claude: not there\n     used by galph\nNot installed, and not needed: codex.\n\
             1 agent must be put right before turns can be taken."
        );
    }

    #[test]
    fn a_smoke_run_tells_class_time_and_cost() {
        let smoke = Smoke {
            class: "auth",
            detail: "Not logged in".into(),
            usage: Usage {
                wall_seconds: 1.5,
                input_tokens: 1_500,
                cost_usd: Some(0.0125),
                ..Usage::default()
            },
        };
        assert_eq!(smoked(&smoke), "auth: Not logged in (1.5 s, 1.5k tokens, $0.0125)");
        let nothing = Smoke { usage: Usage::default(), class: "ok", detail: String::new() };
        assert_eq!(smoked(&nothing), "ok (0.0 s, tokens -, cost -)");
    }
}
