//! The three formats over real files.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::find::{Entry, Window, find_entries};
use super::handoffs::{Commit, Known, Listing};
use super::write::{Document, write_json, write_text, write_xml};
use super::{Source, choose_branch};
use crate::model::Actor;

const RALPHS: &str = "logs/main/ralph/iter-00001_20261121_063100_main.log";
const ALL: Window = Window { count: 0, min: None, max: None };

fn place(root: &Path, path: &str, bytes: &[u8]) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn workspace() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    place(root.path(), "logs/main/galph/iter-00001_20261121_063000.log", b"plan ]]> \x1b[1mbold");
    place(root.path(), "logs/main/ralph/iter-00001_20261121_063100_main.log", b"caf\xc3\xa9 \xff\n");
    place(root.path(), "logs/main/ralph/notes.txt", b"not a log");
    root
}

fn document(root: &Path) -> Document<'_> {
    let commit = Commit::parse("abc1234 work: a \"quoted\" <thing>").unwrap();
    let files = ["docs/a.md", "docs/b ]]>.md"].map(str::to_owned).to_vec();
    let listing = Listing { path: "docs".to_owned(), commit: "abc1234".to_owned(), files };
    Document {
        prefix: "logs/main".to_owned(),
        source: Source::Logs,
        known: Known {
            commits: BTreeMap::from([(RALPHS.to_owned(), commit)]),
            listings: BTreeMap::from([(RALPHS.to_owned(), vec![listing])]),
            elsewhere: Vec::new(),
        },
        masker: crate::publish::secret::Masker::default(),
        root,
    }
}

fn rendered(
    root: &Path,
    write: impl Fn(&Document<'_>, &[Entry], &mut dyn std::io::Write) -> std::io::Result<Vec<String>>,
) -> Vec<u8> {
    let entries = find_entries(root, Path::new("logs/main"), &Actor::ALL, Source::Logs, ALL).unwrap();
    let mut out = Vec::new();
    assert_eq!(write(&document(root), &entries, &mut out).unwrap(), Vec::<String>::new());
    out
}

#[test]
fn text_has_the_bytes_as_they_are_under_headings() {
    let root = workspace();
    let text = rendered(root.path(), |document, entries, out| write_text(document, entries, out));
    let expected: &[u8] = b"===== galph iteration 1: logs/main/galph/iter-00001_20261121_063000.log =====\n\
        plan ]]> \x1b[1mbold\n\
        \n\
        ===== ralph iteration 1: logs/main/ralph/iter-00001_20261121_063100_main.log, commit abc1234 work: a \"quoted\" <thing> =====\n\
        caf\xc3\xa9 \xff\n\
        ----- docs at abc1234 -----\ndocs/a.md\ndocs/b ]]>.md\n";
    assert_eq!(text, expected, "{}", String::from_utf8_lossy(&text));
}

#[test]
fn xml_holds_any_bytes() {
    let root = workspace();
    let text = rendered(root.path(), |document, entries, out| write_xml(document, entries, out));
    assert_eq!(
        String::from_utf8(text).unwrap(),
        "<logs prefix=\"logs/main\" count=\"2\" source=\"logs\">\n\
         <log role=\"galph\" iter=\"1\" path=\"logs/main/galph/iter-00001_20261121_063000.log\" source=\"logs\" \
         format=\"text\" commit=\"\" commit_subject=\"\"><![CDATA[plan ]]]]><![CDATA[> \u{fffd}[1mbold]]></log>\n\
         <log role=\"ralph\" iter=\"1\" path=\"logs/main/ralph/iter-00001_20261121_063100_main.log\" source=\"logs\" \
         format=\"text\" commit=\"abc1234\" commit_subject=\"work: a &quot;quoted&quot; &lt;thing&gt;\">\
         <![CDATA[café \u{fffd}\n]]><ls path=\"docs\" commit=\"abc1234\"><![CDATA[docs/a.md\n\
         docs/b ]]]]><![CDATA[>.md]]></ls></log>\n\
         </logs>\n"
    );
}

#[test]
fn json_is_one_document() {
    let root = workspace();
    let text = rendered(root.path(), |document, entries, out| write_json(document, entries, out));
    let document: serde_json::Value = serde_json::from_slice(&text).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&document).unwrap());
}

#[test]
fn a_log_that_vanishes_is_told_and_the_others_are_shown() {
    let root = workspace();
    let entries = find_entries(root.path(), Path::new("logs/main"), &Actor::ALL, Source::Logs, ALL).unwrap();
    fs::remove_file(root.path().join(&entries[0].path)).unwrap();
    let mut out = Vec::new();
    assert_eq!(
        write_text(&document(root.path()), &entries, &mut out).unwrap(),
        [
            "cannot read logs/main/galph/iter-00001_20261121_063000.log: No such file or directory (os error 2)"
        ]
    );
    assert!(out.windows(8).any(|bytes| bytes == b"caf\xc3\xa9 \xff\n"));
}

#[test]
fn the_branch_is_the_one_asked_for_then_the_one_checked_out_then_none() {
    let root = tempfile::tempdir().unwrap();
    let logs = Path::new("logs");
    assert_eq!(choose_branch(None, root.path(), logs), "no-branch");
    git2::Repository::init(root.path()).unwrap();
    fs::write(root.path().join(".git/HEAD"), "ref: refs/heads/feature/x\n").unwrap();
    assert_eq!(choose_branch(None, root.path(), logs), "feature-x");
    assert_eq!(choose_branch(Some("a/b"), root.path(), logs), "a-b");
    fs::create_dir_all(root.path().join("logs/no-branch")).unwrap();
    assert_eq!(choose_branch(None, root.path(), logs), "no-branch");
    fs::create_dir_all(root.path().join("logs/feature-x")).unwrap();
    assert_eq!(choose_branch(None, root.path(), logs), "feature-x");
}
