//! The person: what they do is chosen by dice, done by the real git, and remembered.

use std::collections::BTreeMap;
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
        let since = Instant::now();
        loop {
            let output = self.git_once(arguments);
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            if output.status.success() {
                return Ok(text(&output.stdout));
            }
            let said = text(&output.stderr);
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
        self.saved.push(Saved { path: path.to_owned(), content, at: now(), given_up: false });
    }

    pub(super) fn delete(&mut self, path: &str) {
        self.give_up(path);
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
