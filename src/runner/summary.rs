//! The Markdown summary of a turn: what a person reads in the morning, and the next agent through `BATON_LAST_SUMMARY`.

use std::fmt::Write as _;

use super::check::describe_checks;
use super::commit::short;
use super::journal::{Completion, Ended, TurnRecord};
use super::notes::Legacy;

/// As much of the reply as a summary shows.
const SHOWN_REPLY: usize = 16 * 1024;
/// As many paths as a summary lists.
const SHOWN_PATHS: usize = 50;

/// What a summary tells of.
pub(super) struct Summary<'a> {
    pub(super) turn: &'a TurnRecord,
    pub(super) ended: &'a Ended,
    pub(super) legacy: &'a Legacy,
    pub(super) label: &'a str,
}

/// The summary's text.
pub(super) fn render_summary(summary: &Summary<'_>) -> String {
    let Summary { turn, ended, legacy, label } = summary;
    let opening = &turn.opening;
    let mut text =
        format!("# {} ({label}), iteration {}: {}\n\n", opening.actor, opening.iteration, ended.class);
    if !ended.detail.is_empty() {
        let _ = writeln!(text, "{}\n", ended.detail);
    }
    table(&mut text, summary);
    section(&mut text, "Commits", &legacy.commits);
    let by_agent: Vec<String> =
        turn.committed.by_agent.iter().map(|made| format!("{} {}", short(&made.id), made.subject)).collect();
    section(&mut text, "Commits made meanwhile, not by baton", &by_agent);
    section(&mut text, "Changed and not committed", &turn.committed.left);
    let leftovers: Vec<String> =
        legacy.leftovers.iter().take(SHOWN_PATHS).map(|left| format!("`{}`", left.path)).collect();
    section(&mut text, "Left in the work tree", &leftovers);
    section(&mut text, "Found in the repository", &legacy.notices);
    section(&mut text, "Verification", &describe_checks(&legacy.checks, &legacy.baseline));
    match &legacy.completion {
        Some(Completion::Accepted { evidence }) => {
            section(&mut text, "Completion", &[format!("accepted: {evidence}")]);
        }
        Some(Completion::Refused { reason }) => {
            section(&mut text, "Completion", &[format!("refused: {reason}")]);
        }
        None => {}
    }
    reply(&mut text, turn);
    text
}

fn table(text: &mut String, summary: &Summary<'_>) {
    let turn = summary.turn;
    let mut row = |name: &str, value: &str| {
        let _ = writeln!(text, "- {name}: {value}");
    };
    row("turn", &turn.opening.id.to_string());
    row("begun", &turn.opening.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    if let Some(selected) = &turn.selected
        && let Some(prompt) = &selected.prompt
    {
        row("prompt", &format!("{prompt} ({}: {})", selected.source, selected.reason));
    }
    if let Some(run) = &turn.run {
        row("agent", &run.agent);
        row("log", &run.files.log.display().to_string());
    }
    if let Some(ran) = &turn.ran {
        row("agent's wall time", &format!("{:.3} s", ran.usage.wall_seconds));
        if ran.usage.tokens() > 0 {
            row("tokens", &format!("{} in, {} out", ran.usage.input_tokens, ran.usage.output_tokens));
        }
        if let Some(cost) = ran.usage.cost_usd {
            row("cost", &format!("{cost:.4} US dollars"));
        }
    }
}

fn section(text: &mut String, title: &str, items: &[String]) {
    if items.is_empty() {
        return;
    }
    let _ = write!(text, "\n## {title}\n\n");
    for item in items.iter().take(SHOWN_PATHS) {
        let _ = writeln!(text, "- {}", item.replace('\n', "\n  "));
    }
    if items.len() > SHOWN_PATHS {
        let _ = writeln!(text, "- and {} more", items.len() - SHOWN_PATHS);
    }
}

fn reply(text: &mut String, turn: &TurnRecord) {
    let Some(ran) = turn.ran.as_ref().filter(|ran| !ran.reply.trim().is_empty()) else { return };
    let mut start = ran.reply.len().saturating_sub(SHOWN_REPLY);
    while !ran.reply.is_char_boundary(start) {
        start += 1;
    }
    let shown = &ran.reply[start..];
    // A fence longer than any in the reply, so that nothing in it ends the block.
    let longest = shown.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let cut = if start > 0 { " (its end)" } else { "" };
    let _ = write!(text, "\n## Reply{cut}\n\n{fence}text\n{}\n{fence}\n", shown.trim_end());
}
