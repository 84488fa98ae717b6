//! Logs as text, XML and JSON. Each file is streamed; one that cannot be read is told, and the others follow.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use serde_json::json;

use super::Source;
use super::find::Entry;
use super::handoffs::{Commit, Known, Listing};
use super::lossy::{Stopped, copy_bytes, copy_text};
use crate::publish::secret::Masker;

/// What belongs to all files of one answer.
pub(super) struct Document<'a> {
    /// The folder of the branch.
    pub(super) prefix: String,
    pub(super) source: Source,
    pub(super) known: Known,
    pub(super) root: &'a Path,
    pub(super) masker: Masker,
}

impl Document<'_> {
    fn commit_of(&self, entry: &Entry) -> Option<&Commit> {
        self.known.commits.get(&entry.path.display().to_string())
    }

    fn listings_of(&self, entry: &Entry) -> &[Listing] {
        self.known.listings.get(&entry.path.display().to_string()).map_or(&[], Vec::as_slice)
    }

    const fn format(&self) -> &'static str {
        match self.source {
            Source::Logs => "text",
            Source::Summaries => "markdown",
        }
    }
}

/// What could not be read, each in words.
pub(super) type Problems = Vec<String>;

/// The bytes as they are, each file under a heading.
pub(super) fn write_text(
    document: &Document<'_>,
    entries: &[Entry],
    out: &mut dyn Write,
) -> io::Result<Problems> {
    let mut problems = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        let commit = document
            .commit_of(entry)
            .map_or_else(String::new, |commit| format!(", commit {} {}", commit.id, commit.subject));
        writeln!(
            out,
            "===== {} iteration {}: {}{commit} =====",
            entry.role,
            entry.iteration,
            entry.path.display()
        )?;
        let mut last = b'\n';
        copy(document, entry, &mut problems, |file| {
            copy_bytes(file, &document.masker, |bytes| {
                last = bytes.last().copied().unwrap_or(last);
                out.write_all(bytes)
            })
        })?;
        if last != b'\n' {
            writeln!(out)?;
        }
        for Listing { path, commit, files } in document.listings_of(entry) {
            writeln!(out, "----- {path} at {commit} -----")?;
            files.iter().try_for_each(|file| writeln!(out, "{file}"))?;
        }
    }
    Ok(problems)
}

/// One XML 1.0 document.
pub(super) fn write_xml(
    document: &Document<'_>,
    entries: &[Entry],
    out: &mut dyn Write,
) -> io::Result<Problems> {
    let mut problems = Vec::new();
    let source = document.source.as_str();
    let prefix = xml_attribute(&document.prefix);
    writeln!(out, "<logs prefix=\"{prefix}\" count=\"{}\" source=\"{source}\">", entries.len())?;
    for entry in entries {
        let (id, subject) = document
            .commit_of(entry)
            .map_or(("", ""), |commit| (commit.id.as_str(), commit.subject.as_str()));
        write!(
            out,
            "<log role=\"{}\" iter=\"{}\" path=\"{}\" source=\"{source}\" format=\"{}\" commit=\"{}\" commit_subject=\"{}\"><![CDATA[",
            entry.role,
            entry.iteration,
            xml_attribute(&entry.path.display().to_string()),
            document.format(),
            xml_attribute(id),
            xml_attribute(subject),
        )?;
        let mut section = CharacterData::default();
        copy(document, entry, &mut problems, |file| {
            copy_text(file, &document.masker, |text| out.write_all(section.take(text).as_bytes()))
        })?;
        write!(out, "]]>")?;
        for Listing { path, commit, files } in document.listings_of(entry) {
            let (path, commit) = (xml_attribute(path), xml_attribute(commit));
            let files = CharacterData::default().take(&files.join("\n"));
            write!(out, "<ls path=\"{path}\" commit=\"{commit}\"><![CDATA[{files}]]></ls>")?;
        }
        writeln!(out, "</log>")?;
    }
    writeln!(out, "</logs>")?;
    Ok(problems)
}

/// One JSON document.
pub(super) fn write_json(
    document: &Document<'_>,
    entries: &[Entry],
    out: &mut dyn Write,
) -> io::Result<Problems> {
    let mut problems = Vec::new();
    let head = json!({
        "prefix": document.prefix, "count": entries.len(), "source": document.source.as_str(),
        "elsewhere": document.known.elsewhere,
    });
    write!(out, "{},\"logs\":[", open_ended(&head))?;
    for (index, entry) in entries.iter().enumerate() {
        let commit = document.commit_of(entry);
        let fields = json!({
            "role": entry.role,
            "iteration": entry.iteration,
            "at": entry.at,
            "prompt": entry.prompt,
            "path": entry.path.display().to_string(),
            "format": document.format(),
            "commit": commit.map(|commit| &commit.id),
            "commit_subject": commit.map(|commit| &commit.subject),
            "ls": document.listings_of(entry).iter().map(|listing| json!({
                "path": listing.path, "commit": listing.commit, "files": listing.files,
            })).collect::<Vec<_>>(),
        });
        let comma = if index > 0 { "," } else { "" };
        write!(out, "{comma}\n{},\"content\":\"", open_ended(&fields))?;
        copy(document, entry, &mut problems, |file| {
            copy_text(file, &document.masker, |text| {
                let quoted = serde_json::to_string(text)?;
                out.write_all(&quoted.as_bytes()[1..quoted.len() - 1])
            })
        })?;
        write!(out, "\"}}")?;
    }
    writeln!(out, "]}}")?;
    Ok(problems)
}

/// An object without its closing brace.
fn open_ended(object: &serde_json::Value) -> String {
    let mut text = object.to_string();
    text.pop();
    text
}

/// Opens a file and copies it; what cannot be read is noted, what cannot be written ends everything.
fn copy(
    document: &Document<'_>,
    entry: &Entry,
    problems: &mut Problems,
    copy: impl FnOnce(&mut File) -> Result<(), Stopped>,
) -> io::Result<()> {
    let copied = match File::open(document.root.join(&entry.path)) {
        Ok(mut file) => copy(&mut file),
        Err(error) => Err(Stopped::Reading(error)),
    };
    match copied {
        Ok(()) => Ok(()),
        Err(Stopped::Writing(error)) => Err(error),
        Err(Stopped::Reading(error)) => {
            problems.push(format!("cannot read {}: {error}", entry.path.display()));
            Ok(())
        }
    }
}

/// Whether XML 1.0 can hold a character at all.
const fn is_legal(character: char) -> bool {
    matches!(
        character,
        '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}'
    )
}

fn xml_attribute(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\t' => escaped.push_str("&#9;"),
            '\n' => escaped.push_str("&#10;"),
            '\r' => escaped.push_str("&#13;"),
            other if is_legal(other) => escaped.push(other),
            _ => escaped.push('\u{fffd}'),
        }
    }
    escaped
}

/// The inside of a CDATA section, in which `]]>` would be its end, wherever the text is cut.
#[derive(Debug, Default)]
struct CharacterData {
    /// How many `]` stand at the end of what was taken, two at most.
    brackets: usize,
}

impl CharacterData {
    fn take(&mut self, text: &str) -> String {
        let mut safe = String::with_capacity(text.len());
        for character in text.chars() {
            if character == '>' && self.brackets == 2 {
                safe.push_str("]]><![CDATA[");
            }
            self.brackets = if character == ']' { (self.brackets + 1).min(2) } else { 0 };
            safe.push(if is_legal(character) { character } else { '\u{fffd}' });
        }
        safe
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_section_inside_a_log_is_split_wherever_it_is_cut() {
        for pieces in [&["a]]>b]"][..], &["a]", "]>b]"], &["a]]", ">b]"], &["a", "]", "]", ">", "b]"]] {
            let mut section = CharacterData::default();
            let text: String = pieces.iter().map(|piece| section.take(piece)).collect();
            assert_eq!(text, "a]]]]><![CDATA[>b]");
        }
        assert_eq!(CharacterData::default().take("]]]>"), "]]]]]><![CDATA[>");
        assert_eq!(CharacterData::default().take("] ]>"), "] ]>");
    }

    #[test]
    fn characters_that_xml_cannot_hold_are_replaced() {
        assert_eq!(
            CharacterData::default().take("\u{0}\u{1b}[1m\t\u{ffff}é"),
            "\u{fffd}\u{fffd}[1m\t\u{fffd}é"
        );
        assert_eq!(xml_attribute("a<\"&>\n\u{7}"), "a&lt;&quot;&amp;&gt;&#10;\u{fffd}");
    }
}
