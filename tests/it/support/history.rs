//! The branch of a bare repository, read by the installed git and judged by rules of its own: nothing of the program under
//! test is believed or used here.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::account::{Account, judge};
use super::notes::Notes;
use super::pair::git_in;

/// A commit.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) id: String,
    pub(crate) parents: Vec<String>,
    pub(crate) subject: String,
    pub(crate) body: String,
    /// The paths that it changes; of a merge none.
    pub(crate) paths: Vec<String>,
    /// `sync/state.json` in its tree; `None` where there is none, or where it is not JSON.
    pub(crate) state: Option<Value>,
}

impl Entry {
    /// Whether it says of itself that it changes the state.
    pub(crate) fn is_sync(&self) -> bool {
        self.subject.starts_with("[SYNC ")
    }
}

/// All commits of the branch, each after its parents.
#[derive(Debug, Clone)]
pub(crate) struct History {
    repository: PathBuf,
    branch: String,
    pub(crate) entries: Vec<Entry>,
}

impl History {
    pub(crate) fn read(repository: &Path, branch: &str) -> Self {
        let format = "--format=%x1e%H%x1f%P%x1f%s%x1f%b%x1f";
        let log = git_in(repository, &["log", "--topo-order", "--reverse", "--name-only", format, branch]);
        let mut entries: Vec<Entry> = log.split('\u{1e}').skip(1).map(read_entry).collect();
        let wanted: Vec<String> =
            entries.iter().map(|entry| format!("{}:sync/state.json", entry.id)).collect();
        for (entry, content) in entries.iter_mut().zip(read_objects(repository, &wanted)) {
            entry.state = content.and_then(|content| serde_json::from_slice(&content).ok());
        }
        Self { repository: repository.to_owned(), branch: branch.to_owned(), entries }
    }

    /// What the turns of the pair came to; stops at the first rule that the history breaks, with all of it.
    #[track_caller]
    pub(crate) fn account(&self) -> Account {
        match judge(&self.entries) {
            Ok(account) => account,
            Err(broken) => panic!("{broken}\n{}", self.shown()),
        }
    }

    /// The same together with what the agents have noted: each was started at most once a claim, never without one; what
    /// those of the passed turns have written is in the tree, by one commit each; nobody ran beside another where no
    /// turn was taken over. And the repository is sound.
    #[track_caller]
    pub(crate) fn account_with(&self, notes: &Notes) -> Account {
        let account = self.account();
        let broken = self.contradictions(&account, notes);
        assert!(broken.is_empty(), "{}\n{}\n{notes:#?}", broken.join("\n"), self.shown());
        git_in(&self.repository, &["fsck", "--strict", "--full", "--no-progress"]);
        account
    }

    fn contradictions(&self, account: &Account, notes: &Notes) -> Vec<String> {
        let mut broken = Vec::new();
        for start in &notes.starts {
            let turn = &start.turn;
            let is_earlier = turn.starts_with("earlier-");
            if !is_earlier && !account.turns.iter().any(|known| known.id.as_ref() == Some(turn)) {
                broken.push(format!("the agent of {turn} was started without a claim on the branch"));
            }
            if notes.starts_of(turn) > 1 {
                broken.push(format!("the agent of {turn} was started {} times", notes.starts_of(turn)));
            }
        }
        if account.takeovers() == 0 {
            broken.extend(notes.beside.iter().map(|turn| format!("the agent of {turn} ran beside another")));
        }
        let listed = git_in(&self.repository, &["ls-tree", "-r", "--name-only", &self.branch]);
        let there: Vec<&str> = listed.lines().collect();
        let mut added: BTreeMap<&str, usize> = BTreeMap::new();
        for path in self.entries.iter().flat_map(|entry| &entry.paths) {
            *added.entry(path).or_default() += 1;
        }
        for turn in account.passed() {
            let Some(id) = &turn.id else { continue };
            if notes.starts_of(id) != 1 {
                broken.push(format!(
                    "{id} has passed, and its agent was started {} times",
                    notes.starts_of(id)
                ));
            }
            let Some(path) = notes.wrote.get(id) else { continue };
            if !there.contains(&path.as_str()) || added.get(path.as_str()) != Some(&1) {
                broken.push(format!(
                    "{path} of {id}, which has passed, is in {:?} commits",
                    added.get(path.as_str())
                ));
            }
        }
        broken
    }

    /// The commits with what they say of the state.
    pub(crate) fn shown(&self) -> String {
        let word = |state: &Option<Value>, name: &str| {
            state.as_ref().map(|state| state[name].to_string().chars().take(10).collect::<String>())
        };
        let line = |entry: &Entry| {
            let [status, token, epoch] = ["status", "token", "epoch"].map(|name| word(&entry.state, name));
            let words = [status, token, epoch].map(Option::unwrap_or_default).join(" ");
            format!("{} {words} | {}\n", &entry.id[..8], entry.subject)
        };
        self.entries.iter().map(line).collect()
    }

    /// The subjects, oldest first.
    pub(crate) fn subjects(&self) -> Vec<&str> {
        self.entries.iter().map(|entry| entry.subject.as_str()).collect()
    }
}

fn read_entry(text: &str) -> Entry {
    let fields: Vec<&str> = text.splitn(5, '\u{1f}').collect();
    let [id, parents, subject, body, paths] = fields[..] else { panic!("git log wrote `{text}`") };
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect();
    Entry {
        id: id.to_owned(),
        parents: words(parents),
        subject: subject.to_owned(),
        body: body.to_owned(),
        paths: paths.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect(),
        state: None,
    }
}

/// The contents of these objects, in one process; `None` for what is not there.
fn read_objects(repository: &Path, names: &[String]) -> Vec<Option<Vec<u8>>> {
    let mut git = Command::new("git")
        .args(["cat-file", "--batch"])
        .current_dir(repository)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = git.stdin.take().unwrap();
    let asked = names.join("\n") + "\n";
    // Both pipes are small.
    let asking = std::thread::spawn(move || stdin.write_all(asked.as_bytes()));
    let said = git.wait_with_output().unwrap().stdout;
    asking.join().unwrap().unwrap();
    let mut rest = said.as_slice();
    let mut contents = Vec::new();
    for _ in names {
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap();
        let header = String::from_utf8_lossy(&rest[..end]).into_owned();
        rest = &rest[end + 1..];
        if header.ends_with(" missing") {
            contents.push(None);
            continue;
        }
        let size: usize = header.rsplit(' ').next().unwrap().parse().unwrap();
        contents.push(Some(rest[..size].to_vec()));
        rest = &rest[size + 1..];
    }
    contents
}
