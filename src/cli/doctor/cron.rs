//! `baton doctor --cron`: everything as a bare environment finds it, and what to write into the crontab.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::finding::Finding;
use super::setup::find_agent;
use super::{Args, Site, tell};
use crate::ambient::Ambient;
use crate::cli::records::find_git_dir;
use crate::cli::{Context, Exit, Failure};
use crate::config::EnvironmentName;
use crate::model::Actor;

/// What cron gives its commands, where the crontab says nothing else.
const CRON_PATH: &str = "/usr/bin:/bin";
/// What cron takes over from the account.
const KEPT: [&str; 3] = ["HOME", "LOGNAME", "USER"];
/// How often a tick is proposed.
const EVERY: &str = "*/5 * * * *";
/// Beginnings of the names of variables by which agents and git find accounts, keys and the network.
const TELLING: [&str; 20] = [
    "ANTHROPIC_",
    "AWS_",
    "CLAUDE_",
    "CODEX_",
    "COPILOT_",
    "CURSOR_",
    "GEMINI_",
    "GH_",
    "GITHUB_TOKEN",
    "GIT_AUTHOR_",
    "GIT_COMMITTER_",
    "GIT_SSH",
    "GOOGLE_",
    "GOOSE_",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "OPENAI_",
    "OPENROUTER_",
    "QWEN_",
    "SSH_AUTH_SOCK",
];

/// Examines as cron would, and says what was found.
pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let bare = Context {
        ambient: bare(&context.ambient),
        directory: context.directory.clone(),
        output: context.output,
        signals: context.signals.clone(),
    };
    let site = Site::open(args, &bare)?;
    let mut findings = vec![home(&bare.ambient)];
    findings.extend(left_behind(context.ambient.env(), bare.ambient.env()));
    findings.extend(Actor::ALL.iter().filter_map(|actor| interpreter(&site, *actor, &context.ambient)));
    findings.extend(site.examine());
    findings.extend(Actor::ALL.map(|actor| crontab(&site, actor)));
    context.signals.go_on()?;
    Ok(tell(&site, &[], &findings, args.json))
}

/// The same surroundings with cron's environment. `BATON_*` stays out, as all else.
fn bare(ambient: &Ambient) -> Ambient {
    let kept = KEPT
        .iter()
        .filter_map(|name| Some((OsString::from(name), ambient.env().get(OsStr::new(name))?.clone())));
    let fixed = [("PATH", CRON_PATH), ("SHELL", "/bin/sh")].map(|(name, value)| (name.into(), value.into()));
    ambient.clone().with_env(kept.chain(fixed).collect())
}

fn home(ambient: &Ambient) -> Finding {
    match ambient.path_var("HOME") {
        Some(home) => Finding::ok("HOME", home.display().to_string()),
        None => Finding::warn(
            "HOME",
            "not set: git's own configuration, keys and the agents' logins are not found",
            "cron sets it from the account; elsewhere set it yourself",
        ),
    }
}

/// What is set here and means something to baton, git or an agent; the values are nobody's business.
fn left_behind(here: &BTreeMap<OsString, OsString>, bare: &BTreeMap<OsString, OsString>) -> Option<Finding> {
    let ours = |name: &str| EnvironmentName::ALL.iter().any(|known| known.name == name);
    let others = |name: &str| {
        let upper = name.to_ascii_uppercase();
        upper.ends_with("_API_KEY") || TELLING.iter().any(|beginning| upper.starts_with(beginning))
    };
    let names: Vec<&str> = here
        .keys()
        .filter(|name| !bare.contains_key(*name))
        .filter_map(|name| name.to_str())
        .filter(|name| ours(name) || others(name))
        .collect();
    if names.is_empty() {
        return None;
    }
    Some(Finding::warn(
        "environment",
        format!("set here, and not by cron: {}", names.join(", ")),
        "what the turns need goes to the head of the crontab, a line `NAME=value` each, or into files that git and the agents \
         read",
    ))
}

/// An agent that is a script for an interpreter which is not on cron's PATH.
fn interpreter(site: &Site<'_>, actor: Actor, here: &Ambient) -> Option<Finding> {
    let (command, _) = find_agent(site, site.config()?, actor).ok()?;
    let name = interpreter_of(&command.program)?;
    if is_on(CRON_PATH, &name).is_some() {
        return None;
    }
    let path = here.var("PATH").unwrap_or_default();
    let at = is_on(path, &name).and_then(|program| Some(program.parent()?.display().to_string()));
    let remedy = match at {
        Some(folder) => format!("a line at the head of the crontab: `PATH={folder}:{CRON_PATH}`"),
        None => format!("install {name} where it is found, or set PATH at the head of the crontab"),
    };
    let what = format!("{} is run by `{name}`, which is not in {CRON_PATH}", command.program.display());
    let finding = match actor {
        Actor::Galph => Finding::fail("interpreter of galph's agent", what),
        Actor::Ralph => Finding::fail("interpreter of ralph's agent", what),
    };
    Some(finding.remedy(remedy))
}

/// The name after `#!/usr/bin/env`.
fn interpreter_of(program: &Path) -> Option<String> {
    let mut beginning = Vec::new();
    File::open(program).ok()?.take(256).read_to_end(&mut beginning).ok()?;
    let line = String::from_utf8_lossy(beginning.strip_prefix(b"#!")?).into_owned();
    let mut words = line.lines().next()?.split_whitespace();
    if Path::new(words.next()?).file_name()? != "env" {
        return None;
    }
    words.find(|word| !word.starts_with('-') && !word.contains('=')).map(str::to_owned)
}

fn is_on(path: &str, program: &str) -> Option<PathBuf> {
    std::env::split_paths(path).map(|folder| folder.join(program)).find(|candidate| candidate.is_file())
}

/// The line for one seat; which seat this machine has is for the person to say.
fn crontab(site: &Site<'_>, actor: Actor) -> Finding {
    let baton = fs::read_link("/proc/self/exe").unwrap_or_else(|_| PathBuf::from("baton"));
    // Beside the records, whose directory is not there before the first run: cron's shell could not write into it.
    let log = find_git_dir(&site.root).unwrap_or_else(|| site.root.join(".git")).join("baton-cron.log");
    let line = format!(
        "{EVERY} cd {} && {} tick --role {actor} >>{} 2>&1",
        quoted(&site.root),
        quoted(&baton),
        quoted(&log)
    );
    match actor {
        Actor::Galph => Finding::ok("crontab for galph", line),
        Actor::Ralph => Finding::ok("crontab for ralph", line),
    }
}

/// For cron's shell; cron itself takes a percent sign for the end of the line.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |character: char| character.is_ascii_alphanumeric() || "/._-+@".contains(character);
    let shown = if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) };
    shown.replace('%', r"\%")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("/srv/my-repo", "/srv/my-repo")]
    #[case("/srv/my repo", "'/srv/my repo'")]
    #[case("/srv/it's 5%", r"'/srv/it'\''s 5\%'")]
    fn paths_reach_crons_shell_as_they_are(#[case] path: &str, #[case] shown: &str) {
        assert_eq!(quoted(Path::new(path)), shown);
    }

    #[rstest]
    #[case("#!/usr/bin/env node\n", Some("node"))]
    #[case("#!/usr/bin/env -S node --no-warnings\nx", Some("node"))]
    #[case("#!/bin/sh\n", None)]
    #[case("\u{7f}ELF", None)]
    fn the_interpreter_of_a_script_is_told(#[case] content: &str, #[case] name: Option<&str>) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("agent");
        fs::write(&path, content).unwrap();
        assert_eq!(interpreter_of(&path).as_deref(), name);
    }

    #[test]
    fn only_names_that_mean_something_are_told_and_no_value() {
        let here = [
            ("ANTHROPIC_API_KEY", "secret"),
            ("SUPERVISOR_AGENT", "codex"),
            ("EDITOR", "vi"),
            ("HOME", "/h"),
        ];
        let here: BTreeMap<OsString, OsString> =
            here.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let ambient = Ambient::fixed(jiff::Timestamp::UNIX_EPOCH, here.clone());
        let found = left_behind(&here, bare(&ambient).env()).unwrap();
        assert_eq!(found.what, "set here, and not by cron: ANTHROPIC_API_KEY, SUPERVISOR_AGENT");
        assert_eq!(left_behind(bare(&ambient).env(), bare(&ambient).env()), None);
    }
}
