//! Finding logs and summaries by their names.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::Source;
use crate::model::Actor;

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) iteration: u64,
    /// As in the name: `20261121_063000`, with a number where two began within a second. UTC.
    pub(super) at: String,
    pub(super) role: Actor,
    /// The prompt's label, where the name has one.
    pub(super) prompt: Option<String>,
    /// Relative to the workspace.
    pub(super) path: PathBuf,
}

/// Which iterations are wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    /// The newest so many; 0 for all.
    pub(super) count: usize,
    pub(super) min: Option<u64>,
    pub(super) max: Option<u64>,
}

/// The files in the order in which they were begun, galph before ralph.
pub(super) fn find_entries(
    root: &Path,
    folder: &Path,
    roles: &[Actor],
    source: Source,
    window: Window,
) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for role in roles {
        let place = match source {
            Source::Logs => folder.join(role.as_str()),
            Source::Summaries => folder.join(format!("{role}-summaries")),
        };
        let listed = match fs::read_dir(root.join(&place)) {
            Ok(listed) => listed,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for file in listed {
            let file = file?;
            let name = file.file_name();
            let Some((iteration, at, prompt)) = name.to_str().and_then(|name| parse_name(name, source))
            else {
                continue;
            };
            // A pipe or a link that somebody put there could block or lead anywhere.
            if file.file_type()?.is_file() {
                entries.push(Entry { iteration, at, role: *role, prompt, path: place.join(name) });
            }
        }
    }
    Ok(select(entries, window))
}

fn select(mut entries: Vec<Entry>, window: Window) -> Vec<Entry> {
    entries.retain(|entry| {
        window.min.is_none_or(|min| entry.iteration >= min)
            && window.max.is_none_or(|max| entry.iteration <= max)
    });
    // Within a second galph came first, and the numbered names after the one without.
    entries.sort_by(|one, other| place(one).cmp(&place(other)));
    if window.count > 0 {
        let mut iterations: Vec<u64> = entries.iter().map(|entry| entry.iteration).collect();
        iterations.dedup();
        if let Some(oldest) = iterations.iter().rev().nth(window.count - 1) {
            entries.retain(|entry| entry.iteration >= *oldest);
        }
    }
    entries
}

fn place(entry: &Entry) -> (u64, &str, Actor, &str, &Path) {
    let second = entry.at.split('-').next().unwrap_or_default();
    (entry.iteration, second, entry.role, &entry.at, &entry.path)
}

/// `iter-00017_20261121_063000.log`, `iter-00017_20261121_063000-2_main.log`, `iter-00017_20261121_063000-summary.md`.
fn parse_name(name: &str, source: Source) -> Option<(u64, String, Option<String>)> {
    let stem = match source {
        Source::Logs => name.strip_suffix(".log")?,
        Source::Summaries => name.strip_suffix("-summary.md")?,
    };
    let (iteration, rest) = stem.strip_prefix("iter-")?.split_once('_')?;
    let iteration = iteration.parse().ok()?;
    let (date, rest) = rest.split_once('_')?;
    let (time, prompt) = match rest.split_once('_') {
        Some((time, prompt)) => (time, Some(prompt.to_owned())),
        None => (rest, None),
    };
    let digits =
        |text: &str, count| text.len() >= count && text.as_bytes()[..count].iter().all(u8::is_ascii_digit);
    let in_form = date.len() == 8
        && digits(date, 8)
        && digits(time, 6)
        && matches!(time.as_bytes().get(6), None | Some(b'-'));
    in_form.then(|| (iteration, format!("{date}_{time}"), prompt))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("iter-00017_20261121_063000.log", Source::Logs, Some((17, "20261121_063000", None)))]
    #[case("iter-00017_20261121_063000-2_sub-main.log", Source::Logs, Some((17, "20261121_063000-2", Some("sub-main"))))]
    #[case("iter-00017_20261121_063000_a_b.log", Source::Logs, Some((17, "20261121_063000", Some("a_b"))))]
    #[case("iter-00017_20261121_063000-summary.md", Source::Summaries, Some((17, "20261121_063000", None)))]
    #[case("iter-00017_20261121_063000-summary.md", Source::Logs, None)]
    #[case("iter-x_20261121_063000.log", Source::Logs, None)]
    #[case("iter-00017_2026_063000.log", Source::Logs, None)]
    #[case("iter-00017_20261121_0630.log", Source::Logs, None)]
    #[case("notes.log", Source::Logs, None)]
    fn only_names_of_ours_are_read(
        #[case] name: &str,
        #[case] source: Source,
        #[case] expected: Option<(u64, &str, Option<&str>)>,
    ) {
        let expected =
            expected.map(|(iteration, at, prompt)| (iteration, at.to_owned(), prompt.map(str::to_owned)));
        assert_eq!(parse_name(name, source), expected);
    }

    fn entry(iteration: u64, second: u32, role: Actor) -> Entry {
        Entry { iteration, at: format!("20261121_0630{second:02}"), role, prompt: None, path: PathBuf::new() }
    }

    #[test]
    fn the_newest_iterations_are_whole_and_in_order() {
        let all = vec![
            entry(2, 30, Actor::Ralph),
            entry(1, 10, Actor::Ralph),
            entry(2, 20, Actor::Galph),
            entry(1, 0, Actor::Galph),
            entry(3, 40, Actor::Galph),
        ];
        let order = |count, min, max| {
            select(all.clone(), Window { count, min, max })
                .iter()
                .map(|entry| format!("{}{}", entry.role.as_str().chars().next().unwrap(), entry.iteration))
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(order(0, None, None), "g1 r1 g2 r2 g3");
        assert_eq!(order(2, None, None), "g2 r2 g3");
        assert_eq!(order(9, None, None), "g1 r1 g2 r2 g3");
        assert_eq!(order(1, None, Some(2)), "g2 r2");
        assert_eq!(order(0, Some(2), Some(2)), "g2 r2");
        assert_eq!(order(0, Some(7), None), "");
    }

    #[test]
    fn within_a_second_galph_came_first() {
        let again = Entry { at: "20261121_063000-2".to_owned(), ..entry(1, 0, Actor::Galph) };
        let all = vec![entry(1, 0, Actor::Ralph), again.clone(), entry(1, 0, Actor::Galph)];
        let window = Window { count: 0, min: None, max: None };
        assert_eq!(select(all, window), [entry(1, 0, Actor::Galph), again, entry(1, 0, Actor::Ralph)]);
    }
}
