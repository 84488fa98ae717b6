//! The person: what they do is chosen by dice, done by the real git, and remembered.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::support::Dice;

/// A content that the person has saved.
#[derive(Debug, Clone)]
pub(super) struct Saved {
    pub(super) path: String,
    pub(super) content: String,
    /// When it was in the file, in milliseconds of the wall clock.
    pub(super) at: u64,
    /// Whether the person has overwritten or deleted it by their own hand.
    pub(super) given_up: bool,
}

/// A person in their work tree.
pub(super) struct Person {
    root: PathBuf,
    environment: Vec<(&'static str, String)>,
    pub(super) dice: Dice,
    /// How many things they have done; also the time of their commits, so that the same deeds are the same commits.
    pub(super) deeds: u64,
    pub(super) saved: Vec<Saved>,
    /// What they have staged and neither committed nor stashed.
    pub(super) staged: BTreeMap<String, String>,
    /// The commits of their stash entries, the newest last.
    pub(super) stashes: Vec<String>,
    /// How often git's lock was held by somebody else.
    pub(super) refusals: u64,
    /// The agents' files that a command of the person's made older, or that they committed when a turn stopped for them.
    /// `git stash` remembers the index as it read it, so that an entry can hold an agent's file as it was before a turn's
    /// commit, and `pop` puts that back.
    pub(super) put_back: BTreeSet<String>,
    /// What happened in the work tree, told where a check fails.
    pub(super) diary: Diary,
}

/// Lines with their times; printed if the test that holds them fails, since what happened will not happen again.
#[derive(Debug, Default)]
pub(super) struct Diary(Vec<String>);

impl Diary {
    pub(super) fn note(&mut self, what: &str) {
        self.0.push(format!("{} {what}", now()));
    }
}

impl Drop for Diary {
    #[expect(clippy::disallowed_macros, reason = "for whoever looks for the cause")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}", self.0.join("\n"));
        }
    }
}

/// What git's refusals for a lock or for a moved branch say.
const REFUSALS: [&str; 4] =
    [".lock': File exists", "cannot lock ref", "could not write index", "unable to write new index"];

impl Person {
    pub(super) fn new(root: &Path, environment: Vec<(&'static str, String)>, seed: u64) -> Self {
        Self {
            root: root.to_owned(),
            environment,
            dice: Dice(seed),
            deeds: 0,
            saved: Vec::new(),
            staged: BTreeMap::new(),
            stashes: Vec::new(),
            refusals: 0,
            put_back: BTreeSet::new(),
            diary: Diary::default(),
        }
    }

    fn git_once(&self, arguments: &[&str]) -> Output {
        let time = format!("{} +0000", 1_700_000_000 + self.deeds);
        Command::new("git")
            .args(arguments)
            .current_dir(&self.root)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (*name, value)))
            .env("GIT_AUTHOR_DATE", &time)
            .env("GIT_COMMITTER_DATE", &time)
            .env("GIT_EDITOR", "true")
            .output()
            .unwrap()
    }

    /// Runs git, again where another git was faster, as a person would; what else it refuses is an answer.
    pub(super) fn try_git(&mut self, arguments: &[&str]) -> Result<String, String> {
        let before = self.agents_files();
        let result = self.git_until_free(arguments);
        if before.is_empty() || !["stash", "restore", "checkout"].contains(&arguments[0]) {
            return result;
        }
        let now = self.agents_files();
        let older = before.into_iter().filter(|(path, was)| now.get(path).is_none_or(|is| is < was));
        for (path, was) in older {
            self.diary.note(&format!("{path} was put back from {was} to {:?}", now.get(&path)));
            self.put_back.insert(path);
        }
        result
    }

    /// The agents' files, each with the iteration that its content is of.
    fn agents_files(&self) -> BTreeMap<String, u64> {
        let mut found = BTreeMap::new();
        for directory in ["docs", "plans", "src"] {
            let Ok(entries) = fs::read_dir(self.root.join(directory)) else { continue };
            for entry in entries {
                let path = format!("{directory}/{}", entry.unwrap().file_name().to_str().unwrap());
                let digits =
                    self.read(&path).unwrap_or_default().replace(|it: char| !it.is_ascii_digit(), "");
                if let Ok(iteration) = digits.parse() {
                    found.insert(path, iteration);
                }
            }
        }
        found
    }

    fn git_until_free(&mut self, arguments: &[&str]) -> Result<String, String> {
        let since = Instant::now();
        loop {
            let output = self.git_once(arguments);
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let said = text(&output.stderr);
            self.diary.note(&format!("git {arguments:?}: {} {said}", output.status));
            if output.status.success() {
                return Ok(text(&output.stdout));
            }
            if !REFUSALS.iter().any(|refusal| said.contains(refusal)) {
                return Err(said);
            }
            self.refusals += 1;
            assert!(since.elapsed() < Duration::from_secs(30), "git {arguments:?} is always refused: {said}");
        }
    }

    #[track_caller]
    pub(super) fn git(&mut self, arguments: &[&str]) -> String {
        self.try_git(arguments).unwrap_or_else(|said| panic!("git {arguments:?}: {said}"))
    }

    pub(super) fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.root.join(path)).ok()
    }

    /// Marks what is in the file as overwritten by the person's own hand.
    pub(super) fn give_up(&mut self, path: &str) {
        if let Some(content) = self.read(path) {
            for saved in self.saved.iter_mut().filter(|saved| saved.content == content) {
                saved.given_up = true;
            }
        }
    }

    /// Saves a content that nobody has written before.
    pub(super) fn save(&mut self, path: &str) {
        self.give_up(path);
        let content = format!("{path} as the person saved it, deed {}\n", self.deeds);
        let file = self.root.join(path);
        // A file or nothing may be where the directory was.
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, &content).unwrap();
        self.diary.note(&format!("saves {path}"));
        self.saved.push(Saved { path: path.to_owned(), content, at: now(), given_up: false });
    }

    pub(super) fn delete(&mut self, path: &str) {
        self.give_up(path);
        self.diary.note(&format!("deletes {path}"));
        let _ = fs::remove_file(self.root.join(path));
    }

    /// The names of their files now, sorted.
    pub(super) fn files(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.root.join("own")) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.map(|entry| format!("own/{}", entry.unwrap().file_name().to_str().unwrap())).collect();
        names.sort();
        names
    }

    /// One of their files, if they have any.
    pub(super) fn some_file(&mut self) -> Option<String> {
        let files = self.files();
        if files.is_empty() {
            return None;
        }
        let chosen = self.dice.roll(files.len() as u64);
        files.into_iter().nth(usize::try_from(chosen).unwrap())
    }
}

pub(super) fn now() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}
