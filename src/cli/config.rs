//! `baton config`: what is configured, whether it is valid, and what could be.

use std::collections::BTreeMap;

use clap::Subcommand;
use serde::Serialize;
use serde_json::Value;

use crate::config::{ConfigError, Loaded, Origin, Overrides, load, schema, to_yaml, user_file};
use crate::model::Actor;

use super::isolation::BranchArgs;
use super::workspace::{find_loop, find_root};
use super::{Context, Exit, Failure};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    question: Question,
}

#[derive(Debug, Subcommand)]
enum Question {
    /// Print the values in effect, as a file that could be used
    Show(ShowArgs),
    /// Say whether the configuration is valid, with all that is wrong with it
    Check(SeatArgs),
    /// Print the JSON Schema of orchestration.yaml, for editors
    Schema,
}

#[derive(Debug, clap::Args)]
struct ShowArgs {
    /// One line a value, with the place it came from
    #[arg(long)]
    origin: bool,
    /// JSON in place of YAML
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    seat: SeatArgs,
}

#[derive(Debug, clap::Args)]
struct SeatArgs {
    /// Read the environment as a process that plays this seat alone (galph or ralph)
    #[arg(long, value_name = "ROLE")]
    role: Option<Actor>,
    #[command(flatten)]
    branch: BranchArgs,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    match &args.question {
        Question::Show(show) => {
            let loaded = load_for(&show.seat, context)?;
            for notice in &loaded.notices {
                context.output.note(format_args!("note: {notice}"));
            }
            context.output.say(shown(show, &loaded)?.trim_end());
        }
        Question::Check(seat) => {
            let loaded = load_for(seat, context)?;
            for notice in &loaded.notices {
                context.output.note(format_args!("note: {notice}"));
            }
            context.output.say(summary(&loaded));
        }
        Question::Schema => context.output.say(pretty_json(&schema())?),
    }
    Ok(Exit::Done)
}

fn load_for(seat: &SeatArgs, context: &Context) -> Result<Loaded, Failure> {
    let workspace = match &seat.branch.branch {
        None => find_root(&context.directory),
        branch => find_loop(context, &Overrides::default(), branch.as_deref())?.root,
    };
    let env = context.ambient.env();
    load(&workspace, user_file(env).as_deref(), env, &Overrides::default(), seat.role)
        .map_err(|error: ConfigError| Failure::from_error(Exit::Usage, &error))
}

fn shown(show: &ShowArgs, loaded: &Loaded) -> Result<String, Failure> {
    let whole = serde_json::to_value(&loaded.config).map_err(unwritable)?;
    match (show.origin, show.json) {
        (false, true) => pretty_json(&whole),
        (false, false) => to_yaml(&loaded.config).map_err(unwritable),
        (true, true) => {
            let values: serde_json::Map<String, Value> = values_with_origin(&whole, loaded)
                .into_iter()
                .map(|(key, value, origin)| (key, serde_json::json!({ "value": value, "origin": origin })))
                .collect();
            pretty_json(&values)
        }
        (true, false) => {
            let lines: Vec<String> = values_with_origin(&whole, loaded)
                .into_iter()
                .map(|(key, value, origin)| format!("{key} = {value}  # {origin}"))
                .collect();
            Ok(lines.join("\n"))
        }
    }
}

fn values_with_origin<'l>(whole: &'l Value, loaded: &'l Loaded) -> Vec<(String, &'l Value, &'l Origin)> {
    let mut leaves = Vec::new();
    collect_leaves(whole, "", &mut leaves);
    leaves
        .into_iter()
        .map(|(key, value)| {
            let origin = loaded.origins.of(&key).unwrap_or(&Origin::BuiltIn);
            (key, value, origin)
        })
        .collect()
}

fn collect_leaves<'v>(value: &'v Value, prefix: &str, leaves: &mut Vec<(String, &'v Value)>) {
    match value {
        Value::Object(entries) if !entries.is_empty() => {
            for (key, value) in entries {
                let dotted = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                collect_leaves(value, &dotted, leaves);
            }
        }
        leaf => leaves.push((prefix.to_owned(), leaf)),
    }
}

/// What was read, with the number of values that each source gave.
fn summary(loaded: &Loaded) -> String {
    let mut counts: BTreeMap<&str, usize> = loaded.files.iter().map(|file| (file.as_str(), 0)).collect();
    let mut built_in = 0;
    for (_, origin) in loaded.origins.iter() {
        let source = match origin {
            Origin::BuiltIn => {
                built_in += 1;
                continue;
            }
            Origin::File { file, .. } => file,
            Origin::Environment(name) | Origin::Flag(name) => name,
        };
        *counts.entry(source).or_default() += 1;
    }
    let read: Vec<String> = counts.iter().map(|(source, count)| format!("{source} ({count})")).collect();
    let read = if read.is_empty() { "no file".to_owned() } else { read.join(", ") };
    format!("valid: {read}, built-in ({built_in})")
}

fn pretty_json(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(value).map_err(unwritable)
}

fn unwritable(error: impl std::error::Error) -> Failure {
    Failure::new(Exit::Operational, "the configuration cannot be written out").caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(text: &str) -> Loaded {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("orchestration.yaml"), text).unwrap();
        let env = BTreeMap::from([("SYNC_LOOPS".into(), "3".into())]);
        load(folder.path(), None, &env, &Overrides::default(), None).unwrap()
    }

    fn ask(origin: bool, json: bool) -> ShowArgs {
        ShowArgs { origin, json, seat: SeatArgs { role: None, branch: BranchArgs::default() } }
    }

    #[test]
    fn every_value_is_shown_with_its_place() {
        let text = shown(&ask(true, false), &loaded("redact: [A]\nagent: {roles: {loop: codex}}\n")).unwrap();
        for line in [
            "redact = [\"A\"]  # orchestration.yaml:1:9",
            "agent.roles.ralph = \"codex\"  # orchestration.yaml:2:23",
            "sync.loops = 3  # environment SYNC_LOOPS",
            "sync.lease = \"10m\"  # built-in",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
        }
    }

    #[test]
    fn origins_are_there_for_programs_too() {
        let text = shown(&ask(true, true), &loaded("redact: [A]\n")).unwrap();
        let values: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            values["redact"],
            serde_json::json!({ "value": ["A"], "origin": "orchestration.yaml:1:9" })
        );
    }

    #[test]
    fn what_was_read_is_summed_up_in_one_line() {
        assert_eq!(
            summary(&loaded("redact: [A]\nlogs_dir: b\n")),
            "valid: SYNC_LOOPS (1), orchestration.yaml (2), built-in (83)"
        );
    }
}
