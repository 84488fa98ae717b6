//! The words of a commit.

use std::collections::{BTreeMap, BTreeSet};

use super::moves::pair_renames;
use super::path::RepoPath;
use super::selection::{Category, Change, SelectedPath};
use crate::model::{Actor, TurnId};

/// The list of files stops after this many lines.
const MAX_LISTED: usize = 200;
/// A longer line of the list is cut, in characters.
const MAX_LINE: usize = 300;
/// A longer prompt name in the subject is cut, in characters.
const MAX_PROMPT: usize = 80;
const TRAILER: &str = "Baton-Turn: ";

/// Whose commit it is.
#[derive(Debug, Clone, Copy)]
pub struct CommitContext<'a> {
    /// The seat.
    pub actor: Actor,
    /// The prompt's name, such as `main.md`.
    pub prompt: &'a str,
    /// The iteration, from 1.
    pub iteration: u64,
    /// The turn; its trailer lets a restart recognise the commit.
    pub turn: TurnId,
}

/// Subject, list of files (`A`, `M`, `D`, `R old -> new`), and the trailer of the turn.
///
/// The length is bounded, whatever the number and the length of names.
#[must_use]
pub fn commit_message(
    context: CommitContext<'_>,
    category: Category,
    paths: &BTreeMap<RepoPath, SelectedPath>,
) -> String {
    let subject = commit_subject(context, category);
    format!("{subject}\n\n{}\n\n{TRAILER}{}\n", list_files(paths).join("\n"), context.turn)
}

/// Who, with which prompt, in which iteration, and what: one line.
#[must_use]
pub fn commit_subject(context: CommitContext<'_>, category: Category) -> String {
    let seat = match context.actor {
        Actor::Galph => "SUPERVISOR",
        Actor::Ralph => "RALPH",
    };
    let printable: String = context
        .prompt
        .chars()
        .map(|character| if character.is_control() { '?' } else { character })
        .collect();
    let prompt = cut(&printable, MAX_PROMPT);
    format!("{seat} AUTO (prompt={prompt}) (iter={:05}): {category}", context.iteration)
}

/// A line a path, as a commit's message lists them; the last one says how many are not shown.
#[must_use]
pub fn list_files(paths: &BTreeMap<RepoPath, SelectedPath>) -> Vec<String> {
    let mut lines = changed_files(paths);
    let hidden = lines.len().saturating_sub(MAX_LISTED);
    lines.truncate(MAX_LISTED);
    if hidden > 0 {
        lines.push(format!("... and {hidden} more"));
    }
    lines
}

/// The turn whose trailer a message carries, in its last paragraph.
#[must_use]
pub fn turn_of_message(message: &str) -> Option<TurnId> {
    let last = message.trim_end().rsplit("\n\n").next()?;
    last.lines().filter_map(|line| line.strip_prefix(TRAILER)).find_map(|text| text.trim().parse().ok())
}

fn changed_files(paths: &BTreeMap<RepoPath, SelectedPath>) -> Vec<String> {
    let renames = pair_renames(paths);
    let moved_away: BTreeSet<&RepoPath> = renames.values().copied().collect();
    paths
        .iter()
        .filter(|(path, _)| !moved_away.contains(path))
        .map(|(path, selected)| {
            let line = match (renames.get(path), selected.change()) {
                (Some(old), _) => format!("R {old} -> {path}"),
                (None, Change::Added) => format!("A {path}"),
                (None, Change::Modified) => format!("M {path}"),
                (None, Change::Deleted) => format!("D {path}"),
            };
            cut(&line, MAX_LINE)
        })
        .collect()
}

fn cut(text: &str, characters: usize) -> String {
    if text.chars().count() <= characters {
        return text.to_owned();
    }
    text.chars().take(characters).chain("...".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::{Blob, FileMode, ObjectId};
    use rstest::rstest;

    fn blob(digit: char) -> Blob {
        let id: ObjectId = digit.to_string().repeat(40).parse().unwrap();
        Blob { id, mode: FileMode::Regular }
    }

    fn turn() -> TurnId {
        "01JD5F3Z8K0000000000000000".parse().unwrap()
    }

    fn context(actor: Actor, prompt: &str) -> CommitContext<'_> {
        CommitContext { actor, prompt, iteration: 17, turn: turn() }
    }

    #[test]
    fn a_message_lists_what_was_added_changed_deleted_and_renamed() {
        let paths = BTreeMap::from([
            ("new.rs".into(), SelectedPath { content: Some(blob('1')), head: None }),
            ("lib.rs".into(), SelectedPath { content: Some(blob('2')), head: Some(blob('3')) }),
            ("gone.rs".into(), SelectedPath { content: None, head: Some(blob('4')) }),
            ("old name".into(), SelectedPath { content: None, head: Some(blob('5')) }),
            (RepoPath::from_bytes(*b"\xff"), SelectedPath { content: Some(blob('5')), head: None }),
        ]);
        assert_eq!(
            commit_message(context(Actor::Ralph, "main.md"), Category::Work, &paths),
            "RALPH AUTO (prompt=main.md) (iter=00017): work\n\n\
             D gone.rs\nM lib.rs\nA new.rs\nR old name -> \"\\377\"\n\n\
             Baton-Turn: 01JD5F3Z8K0000000000000000\n"
        );
    }

    #[rstest]
    #[case(Actor::Galph, Category::Docs, "SUPERVISOR AUTO (prompt=p.md) (iter=00017): doc/meta hygiene")]
    #[case(Actor::Galph, Category::Reports, "SUPERVISOR AUTO (prompt=p.md) (iter=00017): reports evidence")]
    #[case(Actor::Ralph, Category::TrackedOutputs, "RALPH AUTO (prompt=p.md) (iter=00017): tracked outputs")]
    fn the_subject_says_who_and_what(
        #[case] actor: Actor,
        #[case] category: Category,
        #[case] subject: &str,
    ) {
        let message = commit_message(context(actor, "p.md"), category, &BTreeMap::new());
        assert_eq!(message.lines().next(), Some(subject));
    }

    #[test]
    fn the_length_is_bounded_and_the_trailer_stays() {
        let paths = (0..5000)
            .map(|n| {
                let path = RepoPath::from(format!("{n:04}{}", "x".repeat(4000)).as_str());
                (path, SelectedPath { content: Some(blob('1')), head: None })
            })
            .collect();
        let message = commit_message(context(Actor::Ralph, &"p".repeat(9000)), Category::Work, &paths);
        assert!(message.len() < 70_000, "{}", message.len());
        assert!(message.contains("\n... and 4800 more\n"));
        assert_eq!(turn_of_message(&message), Some(turn()));
    }

    #[test]
    fn a_prompt_name_cannot_break_the_subject() {
        let message = commit_message(context(Actor::Ralph, "a\nb"), Category::Work, &BTreeMap::new());
        assert!(message.starts_with("RALPH AUTO (prompt=a?b) (iter=00017): work\n\n"));
    }

    #[rstest]
    #[case("subject only")]
    #[case("subject\n\nBaton-Turn: nonsense\n")]
    #[case("subject\n\nBaton-Turn: 01JD5F3Z8K0000000000000000\n\nmore text")]
    fn a_message_without_our_trailer_belongs_to_no_turn(#[case] message: &str) {
        assert_eq!(turn_of_message(message), None);
    }
}
