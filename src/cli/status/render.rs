//! `baton status` as people read it.

use std::fmt::{self, Write as _};

use jiff::Timestamp;

use super::facts::{
    AgentSeen, Block, Facts, HolderFacts, IsolatedLoop, Life, OpenTurn, PastTurn, Spend, StateFacts,
};
use super::there::SharedFacts;
use crate::cli::ticks::tell_ticks;
use crate::cli::words::{ago, moment, one_line, worked};
use crate::model::Usage;

/// The width of the left column.
const COLUMN: usize = 12;

/// The whole report, without a final newline.
pub(super) fn render(facts: &Facts, now: Timestamp) -> String {
    let mut text = String::new();
    let mut row = |name: &str, lines: Vec<String>| {
        let mut name = name;
        for line in lines {
            let _ = writeln!(text, "{name:<COLUMN$}{line}");
            name = "";
        }
    };
    row("Workspace", vec![facts.workspace.clone()]);
    match &facts.state {
        Some(state) => row("Turn", state_lines(state, now)),
        None if facts.shared.is_some() => {
            row("Turn", vec![format!("galph, iteration 1: there is no {} there yet", facts.state_file)]);
        }
        None => row("Turn", vec![format!("galph, iteration 1: there is no {} yet", facts.state_file)]),
    }
    row("Shared", facts.shared.iter().flat_map(|shared| shared_lines(shared, now)).collect());
    row("Holder", facts.holder.iter().map(holder_line).collect());
    let lease = facts.shared.iter().filter_map(|shared| shared.lease.as_ref());
    row("Lease", lease.map(|lease| lease.words.clone()).collect());
    row("Open turn", facts.open_turns.iter().flat_map(|turn| open_lines(turn, now)).collect());
    row("Last turn", facts.last_turns.first().map(|turn| last_lines(turn, now)).unwrap_or_default());
    row("Before it", facts.last_turns.iter().skip(1).map(past_line).collect());
    row(
        "Ticks",
        facts
            .ticks
            .iter()
            .map(|ticks| format!("{}: {}", ticks.role, tell_ticks(&ticks.record, now)))
            .collect(),
    );
    row("Records", facts.ledger_problem.iter().map(|problem| format!("problem: {problem}")).collect());
    row("Blocked", facts.blocked.iter().flat_map(block_lines).collect());
    row("Spend", facts.spend.as_ref().map(spend_lines).unwrap_or_default());
    row("Isolated", facts.isolated.iter().map(isolated_line).collect());
    row("Next", vec![facts.next.command.clone(), format!("({})", facts.next.why)]);
    text.truncate(text.trim_end().len());
    text
}

fn isolated_line(other: &IsolatedLoop) -> String {
    format!("{}: `baton status --branch {}` tells of it", other.tree, other.branch)
}

fn state_lines(state: &StateFacts, now: Timestamp) -> Vec<String> {
    let since = state
        .since
        .map_or_else(String::new, |since| format!(" since {} ({})", moment(since), ago(since, now)));
    vec![
        format!("{} ({}), iteration {}", state.expected_actor, state.label, state.iteration),
        format!("{}{since}", state.status),
    ]
}

fn shared_lines(shared: &SharedFacts, now: Timestamp) -> Vec<String> {
    let seen = match (shared.online, shared.seen_at) {
        (true, _) => "looked at just now".to_owned(),
        (false, Some(at)) => format!("as seen last, fetched {} ({})", moment(at), ago(at, now)),
        (false, None) => "as seen last".to_owned(),
    };
    let mut lines = vec![format!("`{}` of `{}` ({}), {seen}", shared.branch, shared.remote, shared.url)];
    lines.extend(shared.problem.iter().map(|problem| format!("not looked at now: {}", one_line(problem))));
    if let Some(commit) = &shared.commit {
        let subject =
            shared.subject.as_deref().map_or_else(String::new, |subject| format!(": {}", one_line(subject)));
        lines.push(format!("newest commit {commit}{subject}"));
        let changed = |at| format!("the state was changed {} ({})", moment(at), ago(at, now));
        lines.extend(shared.changed_at.map(changed));
    }
    let which = |count: usize| if count == 1 { "that is" } else { "that are" };
    let commits = |count: usize| if count == 1 { "1 commit".to_owned() } else { format!("{count} commits") };
    match (shared.ahead.unwrap_or_default(), shared.behind.unwrap_or_default()) {
        (0, 0) => {}
        (0, behind) => lines.push(format!("the branch here is {} behind", commits(behind))),
        (ahead, 0) => {
            lines.push(format!("the branch here has {} {} not there", commits(ahead), which(ahead)));
        }
        (ahead, behind) => lines.push(format!(
            "the branch here has {} {} not there, and is {} behind",
            commits(ahead),
            which(ahead),
            commits(behind)
        )),
    }
    if shared.by_earlier_scripts {
        lines.push(
            "the earlier scripts have written the state last: they know no holds and no leases".to_owned(),
        );
    }
    lines
}

fn holder_line(holder: &HolderFacts) -> String {
    let life = match holder.life {
        Life::AliveHere => "alive, on this machine",
        Life::GoneHere => "gone: no such process holds the seat on this machine",
        Life::Elsewhere => "on another machine: from here it cannot be seen whether it lives",
        Life::Unknown => "not named in the state: perhaps the earlier scripts, alive or dead",
    };
    match &holder.holder {
        Some(process) => {
            format!(
                "{} pid {}, since {}; {life}",
                one_line(&process.host),
                process.pid,
                moment(process.since)
            )
        }
        None => life.to_owned(),
    }
}

fn open_lines(turn: &OpenTurn, now: Timestamp) -> Vec<String> {
    let place = match (&turn.phase, turn.phase_done) {
        (Some(phase), true) => format!("after `{phase}`"),
        (Some(phase), false) => format!("in `{phase}`"),
        (None, _) => "before anything was done".to_owned(),
    };
    let begun = ago(turn.opened_at, now);
    let mut lines = vec![format!("{}, iteration {}, begun {begun}: {place}", turn.actor, turn.iteration)];
    let agent = match turn.agent {
        None => None,
        Some(AgentSeen::Alive) => Some("its agent still runs"),
        Some(AgentSeen::Finished) => Some("its agent has finished; the result is kept"),
        Some(AgentSeen::Vanished) => Some("its agent is gone without a result"),
        Some(AgentSeen::NeverStarted) => Some("its agent was never started"),
        Some(AgentSeen::Unreadable) => Some("what became of its agent cannot be read; see `baton doctor`"),
    };
    lines.extend(agent.map(str::to_owned));
    if turn.taken_away {
        lines.push("it was taken away: nothing of it is published any more".to_owned());
    }
    if !turn.of_this_machine {
        lines.push("it was begun on another machine; this one does not go on with it".to_owned());
    }
    lines
}

fn last_lines(turn: &PastTurn, now: Timestamp) -> Vec<String> {
    let mut lines = vec![format!("{} ({})", past_line(turn), ago(turn.closed_at, now))];
    let how = [
        turn.prompt.as_ref().map(|prompt| format!("prompt {prompt}")),
        turn.agent.as_ref().map(|agent| format!("agent {agent}")),
        turn.wall_seconds.map(|seconds| format!("ran {}", worked(seconds))),
    ];
    let how: Vec<String> = how.into_iter().flatten().collect();
    if !how.is_empty() {
        lines.push(how.join(", "));
    }
    lines.extend(turn.commits.iter().map(|commit| format!("commit {}", one_line(commit))));
    lines.extend(turn.summary.iter().map(|summary| format!("summary {summary}")));
    lines
}

fn past_line(turn: &PastTurn) -> String {
    let detail = if turn.detail.is_empty() { String::new() } else { format!(": {}", one_line(&turn.detail)) };
    format!("{}, iteration {}: {}{detail}", turn.actor, turn.iteration, turn.class)
}

fn block_lines(block: &Block) -> Vec<String> {
    let reason = match block.reason.as_str() {
        "" => "no reason was given".to_owned(),
        reason => one_line(reason),
    };
    let until = block.until.map_or_else(String::new, |until| format!(" (until {})", moment(until)));
    vec![format!("{}: {reason}{until}", block.kind), format!("clear with `{}`", block.clear)]
}

fn spend_lines(spend: &Spend) -> Vec<String> {
    vec![
        format!("galph {}", Account(&spend.galph)),
        format!("ralph {}", Account(&spend.ralph)),
        format!("total {}", Account(&spend.total)),
    ]
}

/// One account on one line.
struct Account<'a>(&'a Usage);

impl fmt::Display for Account<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let usage = self.0;
        let turns = if usage.turns == 1 { "turn" } else { "turns" };
        write!(f, "{} {turns}, {}", usage.turns, worked(usage.wall_seconds))?;
        if usage.tokens() > 0 {
            write!(f, ", {} tokens in, {} out", usage.input_tokens, usage.output_tokens)?;
        }
        match usage.cost_usd {
            Some(cost) => write!(f, ", ${cost:.2}"),
            None => Ok(()),
        }
    }
}
