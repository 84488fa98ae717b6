//! What the demonstration says before and after its turns.

use std::fmt::Write as _;
use std::path::Path;

use super::pair::clone_name;
use crate::model::Actor;
use crate::repo::Commit;
use crate::runner::{Completion, TurnOutcome};

/// What is about to happen in a bare repository and two clones.
pub(super) fn pair_introduction(root: &Path) -> String {
    format!(
        "A demonstration: {}\n\
         \x20 remote.git/  a bare repository: a small program with three features missing, failing tests, a plan\n\
         \x20 laptop/      galph's clone, who plans and reviews\n\
         \x20 gpu-box/     ralph's clone, who implements\n\
         Each clone has a process of its own, `baton run --mode role`, as it would on a machine of its own; the turn\n\
         passes through the bare repository and nothing else. Both are the `shell` agent, which runs the `sh` blocks\n\
         of their prompts.\n",
        root.display()
    )
}

/// What a seat's process has printed as its result.
pub(super) fn results(actor: Actor, lines: &[String]) -> String {
    format!("\n{actor}, in {}/:\n{}", clone_name(actor), lines.join("\n"))
}

/// What came of it and where to look.
pub(super) fn pair_conclusion(root: &Path, promises: &[(u64, Completion)], history: &[Commit]) -> String {
    let mut text = String::from("\n");
    for (iteration, promise) in promises {
        let _ = match promise {
            Completion::Refused { reason } => {
                writeln!(text, "refused in iteration {iteration}: galph promised completion, but {reason}")
            }
            Completion::Accepted { evidence } => {
                writeln!(text, "granted in iteration {iteration}: {evidence}")
            }
        };
    }
    text.push_str(
        "\nThe history of remote.git, the oldest first: claims, work, and the stamps that pass the turn on\n",
    );
    for commit in history {
        let _ = writeln!(text, "  {} {}", commit.id.as_str().get(..7).unwrap_or_default(), commit.subject);
    }
    let place = quoted(&root.display().to_string());
    let _ = write!(
        text,
        "\nWhere to look in {}\n\
         \x20 git -C remote.git log --stat   what each turn committed, with the turn's name\n\
         \x20 baton -C laptop status         whose turn it is, and why it is over; from gpu-box likewise\n\
         \x20 laptop/docs/fix_plan.md        the plan, ticked with its evidence; the item that the review added\n\
         \x20 laptop/logs/main/              galph's output and summaries; ralph's are in gpu-box/logs/main/\n\
         \x20 laptop/.git/baton/             galph's ledger, and what each attempt was given and wrote; ralph's likewise\n\
         gpu-box/ has seen the end and is where ralph's last turn left it: `git -C gpu-box pull` brings the rest.\n\
         \n\
         Remove it with: rm -rf {place}\n\
         In a repository of your own: baton init, then `baton run --mode role --role galph` on one machine and\n\
         `--role ralph` on another; or `baton run` for both on one",
        root.display()
    );
    text
}

/// What is about to happen in one repository.
pub(super) fn introduction(root: &Path) -> String {
    format!(
        "A scratch repository: {}\n\
         It holds a small program with three features missing, failing tests, and a plan. galph plans and reviews,\n\
         ralph implements; both are the `shell` agent, which runs the `sh` blocks of their prompts.\n",
        root.display()
    )
}

/// Where it all is, when the demonstration ended early.
pub(super) fn kept(root: &Path) -> String {
    let place = quoted(&root.display().to_string());
    format!("The demonstration is kept: {}\nRemove it with: rm -rf {place}", root.display())
}

/// What came of it and where to look.
pub(super) fn conclusion(root: &Path, turns: &[TurnOutcome]) -> String {
    let mut text = String::new();
    for turn in turns {
        if let Some(Completion::Refused { reason }) = &turn.completion {
            let _ = writeln!(
                text,
                "refused in iteration {}: {} promised completion, but {reason}",
                turn.iteration, turn.actor
            );
        }
    }
    text.push_str("\nCommits, the oldest first:\n");
    for commit in turns.iter().flat_map(|turn| &turn.commits) {
        let _ = writeln!(text, "  {commit}");
    }
    let place = quoted(&root.display().to_string());
    let _ = write!(
        text,
        "\nWhere to look in {}\n\
         \x20 git log --stat         what each turn committed, with the turn's name\n\
         \x20 docs/fix_plan.md       the plan, ticked with its evidence; the item that the review added\n\
         \x20 sync/state.json        whose turn it is, and why it is over\n\
         \x20 logs/main/             each turn's output (galph, ralph) and summary (galph-summaries, ralph-summaries)\n\
         \x20 .git/baton/            the ledger, and what each attempt was given and wrote\n\
         \n\
         Remove it with: rm -rf {place}\n\
         In a repository of your own: baton init, then baton run",
        root.display()
    );
    text
}

/// A path as a shell takes it.
fn quoted(path: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%".contains(c);
    if path.chars().all(is_plain) { path.to_owned() } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("/tmp/baton-demo-x1", "/tmp/baton-demo-x1")]
    #[case("/tmp/my dir", "'/tmp/my dir'")]
    #[case("/tmp/it's; rm", r"'/tmp/it'\''s; rm'")]
    fn paths_are_quoted_where_a_shell_needs_it(#[case] path: &str, #[case] expected: &str) {
        assert_eq!(quoted(path), expected);
    }

    #[test]
    fn an_early_end_says_where_the_repository_is_and_how_to_remove_it() {
        assert_eq!(
            kept(Path::new("/tmp/my dir")),
            "The demonstration is kept: /tmp/my dir\nRemove it with: rm -rf '/tmp/my dir'"
        );
    }
}
