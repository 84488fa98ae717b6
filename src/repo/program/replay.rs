//! Commits as objects only: read and stored as git stores them, their changes merged in memory.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use super::super::backend::{Changes, Merge, Merged, NewCommit, StoredCommit};
use super::super::error::RepoError;
use super::super::preflight::Identity;
use super::look::{object_id, object_ids};
use super::open::{Installed, unexpected, without_last_break};
use super::run::Environment;
use crate::publish::{ObjectId, RepoPath};

/// The first git that merges without a work tree: major and minor number.
const MERGES: (u32, u32) = (2, 38);

impl Installed {
    pub(super) fn list_main_line(
        &self,
        without: [&ObjectId; 2],
        tip: &ObjectId,
    ) -> Result<Vec<StoredCommit>, RepoError> {
        let failed = self.program.failed("list commits");
        let call = self.program.look(&["rev-list", "--first-parent", "--topo-order", "--reverse"]);
        let call = call.arguments([tip.as_str(), "--not", without[0].as_str(), without[1].as_str(), "--"]);
        let ids = object_ids(&call.run().map_err(&failed)?);
        let names: Vec<&ObjectId> = ids.iter().collect();
        let contents = self.read_objects(&names, "commit")?;
        let commit = |(id, content): (ObjectId, Option<Vec<u8>>)| {
            content.map(|content| StoredCommit { id, content }).ok_or_else(|| failed(unexpected()))
        };
        ids.iter().cloned().zip(contents).map(commit).collect()
    }

    pub(super) fn write_tree_with(
        &self,
        commit: &ObjectId,
        changes: &Changes,
    ) -> Result<ObjectId, RepoError> {
        if changes.is_empty() {
            let failed = self.program.failed("read a commit");
            let answer = self.program.look(&["rev-parse", &format!("{commit}^{{tree}}")]).run();
            return object_id(without_last_break(&answer.map_err(&failed)?))
                .ok_or_else(|| failed(unexpected()));
        }
        let (_, index) = self.scratch_index(commit)?;
        self.change_index(&index, changes)?;
        let tree = self.write_tree(self.in_index(&index.path(), &["write-tree"]))?;
        let brought = self.brought(commit.as_str(), &tree)?;
        self.sync(&[brought.objects, vec![tree.clone()]].concat())?;
        Ok(tree)
    }

    pub(super) fn write_new_commit(&self, commit: &NewCommit<'_>) -> Result<ObjectId, RepoError> {
        let people = self.people_of(commit.identity);
        self.commit_tree(commit.tree, &[commit.parent], commit.message.as_bytes(), "UTF-8", &people)
    }

    pub(super) fn people_of(&self, identity: &Identity) -> Environment {
        super::commit::people(identity, self.place.ambient.now())
    }

    pub(super) fn write_raw_commit(&self, content: &[u8]) -> Result<ObjectId, RepoError> {
        let failed = self.program.failed("make a commit");
        if self.signed.get() {
            let parts = Parts::of(content).ok_or_else(|| failed(unexpected()))?;
            let parents: Vec<&ObjectId> = parts.parents.iter().collect();
            return self.commit_tree(&parts.tree, &parents, parts.message, &parts.encoding, &parts.people);
        }
        let call = self.program.write(&["hash-object", "-t", "commit", "-w", "--stdin"]).input(content);
        let answer = call.run().map_err(&failed)?;
        let id = object_id(without_last_break(&answer)).ok_or_else(|| failed(unexpected()))?;
        self.sync(std::slice::from_ref(&id))?;
        Ok(id)
    }

    /// Signed where commits are.
    fn commit_tree(
        &self,
        tree: &ObjectId,
        parents: &[&ObjectId],
        message: &[u8],
        encoding: &str,
        people: &Environment,
    ) -> Result<ObjectId, RepoError> {
        let encoding = format!("i18n.commitEncoding={encoding}");
        let call = self
            .program
            .write(&["-c", &encoding, "commit-tree", tree.as_str()])
            .arguments(parents.iter().flat_map(|parent| ["-p", parent.as_str()]))
            .arguments(self.signed.get().then_some("-S"))
            .input(message);
        let answer = match call.envs(people).run() {
            Ok(answer) => answer,
            Err(failure) if self.signed.get() => return Err(RepoError::NotSigned { said: failure.said }),
            Err(failure) => return Err(self.program.failed("make a commit")(failure)),
        };
        let id = object_id(without_last_break(&answer));
        let id = id.ok_or_else(|| self.program.failed("make a commit")(unexpected()))?;
        self.sync(std::slice::from_ref(&id))?;
        Ok(id)
    }

    /// Through commits that nothing names, so that the base can be chosen: git itself could take one only from 2.40 on.
    pub(super) fn merge_in_memory(&self, merge: &Merge<'_>) -> Result<Merged, RepoError> {
        self.check_version(MERGES, "replaying commits on those of the remote")?;
        let failed = self.program.failed("replay a commit");
        let tree = |commit: &ObjectId| self.write_tree_with(commit, &Changes::new());
        let passing = |tree: &str, parent: Option<&str>| {
            let call = self.program.look(&["commit-tree", tree]).arguments(parent.map(|_| "-p"));
            let call = call.arguments(parent).envs(&nobody());
            let answer = call.run().map_err(&failed)?;
            Ok::<_, RepoError>(String::from_utf8_lossy(without_last_break(&answer)).into_owned())
        };
        let base = match merge.base {
            Some(base) => passing(tree(base)?.as_str(), None)?,
            None => passing(self.format.empty_tree(), None)?,
        };
        let ours = passing(tree(merge.ours)?.as_str(), Some(&base))?;
        let theirs = passing(self.write_tree_with(merge.theirs, merge.held)?.as_str(), Some(&base))?;
        let settings = ["-c", "merge.renames=true", "-c", "merge.directoryRenames=false"];
        let call = self.program.write(&settings).arguments(["merge-tree", "--write-tree", "-z"]);
        let call = call.arguments(["--name-only", "--no-messages", &ours, &theirs]);
        let (code, printed) = call.run_accepting(1).map_err(&failed)?;
        let mut fields = printed.split(|byte| *byte == 0).filter(|field| !field.is_empty());
        let tree = fields.next().and_then(object_id).ok_or_else(|| failed(unexpected()))?;
        if code == 0 {
            return Ok(Merged::Tree(tree));
        }
        Ok(Merged::Conflict(fields.map(RepoPath::from_bytes).collect()))
    }

    fn check_version(&self, needed: (u32, u32), doing: &'static str) -> Result<(), RepoError> {
        let answer = self.program.look(&["version"]).run().map_err(self.program.failed("say its version"))?;
        let answer = String::from_utf8_lossy(&answer).trim().to_owned();
        let version = answer.strip_prefix("git version ").unwrap_or(&answer);
        let mut numbers = version.split('.').map_while(|number| number.parse::<u32>().ok());
        let (major, minor) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        if (major, minor) >= needed {
            return Ok(());
        }
        let needed = format!("{}.{}", needed.0, needed.1);
        Err(RepoError::GitTooOld { version: version.to_owned(), needed, doing })
    }
}

/// Whoever made a commit that goes again.
fn nobody() -> Environment {
    [
        ("GIT_AUTHOR_NAME", "baton"),
        ("GIT_AUTHOR_EMAIL", "baton@localhost"),
        ("GIT_AUTHOR_DATE", "@0 +0000"),
        ("GIT_COMMITTER_NAME", "baton"),
        ("GIT_COMMITTER_EMAIL", "baton@localhost"),
        ("GIT_COMMITTER_DATE", "@0 +0000"),
    ]
    .map(|(name, value)| (name, value.into()))
    .to_vec()
}

/// A commit as `commit-tree` takes it.
struct Parts<'a> {
    tree: ObjectId,
    parents: Vec<ObjectId>,
    people: Environment,
    encoding: String,
    message: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(content: &'a [u8]) -> Option<Self> {
        let end = content.windows(2).position(|two| two == b"\n\n").unwrap_or(content.len());
        let (mut tree, mut parents, mut people) = (None, Vec::new(), Vec::new());
        let mut encoding = "UTF-8".to_owned();
        for line in content[..end].split(|byte| *byte == b'\n') {
            let at = line.iter().position(|byte| *byte == b' ')?;
            let (name, value) = (&line[..at], &line[at + 1..]);
            match name {
                b"tree" => tree = object_id(value),
                b"parent" => parents.push(object_id(value)?),
                b"author" => {
                    people.extend(person(value, ["GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_AUTHOR_DATE"])?);
                }
                b"committer" => people.extend(person(
                    value,
                    ["GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "GIT_COMMITTER_DATE"],
                )?),
                b"encoding" => encoding = String::from_utf8_lossy(value).into_owned(),
                _ => {}
            }
        }
        let message = content.get(end + 2..).unwrap_or_default();
        Some(Self { tree: tree?, parents, people, encoding, message })
    }
}

/// `name <address> seconds zone` as the three variables.
fn person(text: &[u8], names: [&'static str; 3]) -> Option<[(&'static str, OsString); 3]> {
    let open = text.iter().position(|byte| *byte == b'<')?;
    let close = text.iter().rposition(|byte| *byte == b'>')?;
    let name = text[..open].strip_suffix(b" ").unwrap_or(&text[..open]);
    let date = [b"@", text.get(close + 2..)?].concat();
    let values = [name.to_vec(), text.get(open + 1..close)?.to_vec(), date];
    let mut values = values.into_iter().map(OsString::from_vec);
    Some([(names[0], values.next()?), (names[1], values.next()?), (names[2], values.next()?)])
}
