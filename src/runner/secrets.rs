//! The secret scan: between the selection and the commits, everything that a turn newly brings in is looked at: the
//! contents of the selected paths, and of every commit since the claim, each by itself, since a history leaks.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;

use sha2::{Digest, Sha256};

use crate::attempt::InterruptSignal;
use crate::config::{self, SecretsConfig};
use crate::model::Actor;
use crate::publish::secret::{Fingerprint, Hit, SAMPLE_BYTES, Scan, find_name, scan};
use crate::publish::{FileMode, LeftReason, ObjectId, RepoPath, Rules, Selection};
use crate::repo::{Head, Introduced, IntroducedFile, Repo};

use super::RunnerError;
use super::commit::short;
use super::journal::TurnRecord;
use super::outcome::run_command;
use super::turn::Runner;

/// A file of a commit that is larger is not looked at, and said: it would have to be held in memory whole. Files of the
/// work tree are read piece by piece, whatever their size.
pub(super) const LARGEST_BLOB: u64 = 64 << 20;
/// How many findings a refusal names.
const NAMED: usize = 20;
/// Where the piece of a commit that is no file is.
const MESSAGE: &str = "its message";

/// Work that holds what looks like secrets; the journal waits where it was found.
#[derive(Debug, thiserror::Error)]
#[error("{actor}'s work holds what looks like secrets, and nothing is {}:{}", .at.undone(), listed(.findings))]
pub struct SecretsFound {
    /// Whose work.
    pub actor: Actor,
    /// Where it was found.
    pub at: FoundAt,
    /// One line a finding: place, rule, fingerprint; never the value.
    pub findings: Vec<String>,
    /// How to go on, in full sentences and commands.
    pub remedies: Vec<String>,
}

/// Where secrets were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoundAt {
    /// Before the turn's commits.
    Commit,
    /// Before its publication, in what a person has put on top of others' commits.
    Publication,
}

impl FoundAt {
    const fn undone(self) -> &'static str {
        match self {
            Self::Commit => "committed",
            Self::Publication => "published",
        }
    }
}

fn listed(findings: &[String]) -> String {
    findings.iter().fold(String::new(), |text, finding| text + "\n    " + finding)
}

/// A hit with where it is.
struct Finding {
    /// The commit that brought it in; `None` for the work tree.
    commit: Option<String>,
    /// `None`: the commit's message.
    path: Option<RepoPath>,
    hit: Hit,
}

impl Runner<'_> {
    /// Refuses a turn's work if it brings in secrets that nobody has allowed. A signal that stopped the external
    /// scanner is returned.
    pub(super) fn refuse_secrets(
        &mut self,
        turn: &TurnRecord,
        head: &Head,
        selection: &Selection,
    ) -> Result<Option<InterruptSignal>, RunnerError> {
        let (Some(repo), Some(from)) = (&self.workspace.repo, turn.leaves_after()) else { return Ok(None) };
        let settings = self.settings_for(turn);
        if !settings.enabled && settings.scanner.is_none() {
            return Ok(None);
        }
        let introduced = if head.commit == *from { Vec::new() } else { repo.introduced_since(from)? };
        let skipped: Vec<String> = introduced
            .iter()
            .flat_map(|commit| commit.files.iter().map(move |file| (commit, file)))
            .filter(|(_, file)| file.size > LARGEST_BLOB)
            .map(|(commit, file)| format!("{} in commit {}", file.path, commit.commit))
            .collect();
        let found = if settings.enabled {
            let allowed: BTreeSet<&str> =
                settings.allow.iter().map(|allowed| allowed.fingerprint.as_str()).collect();
            let mut found = in_work_tree(repo, selection)?;
            found.extend(in_commits(repo, &introduced, &self.workspace.rules)?);
            found.retain(|finding| !allowed.contains(finding.hit.fingerprint.as_str()));
            found
        } else {
            Vec::new()
        };
        let actor = turn.opening.actor;
        if !found.is_empty() {
            let error = refusal(actor, FoundAt::Commit, &again_of(turn), &found, from.as_str());
            self.flush()?;
            return Err(RunnerError::Secrets(Box::new(error)));
        }
        if !skipped.is_empty() {
            let named = skipped[..skipped.len().min(NAMED)].join(", ");
            self.warn(&format!("not scanned for secrets, since it is larger than 64 MiB: {named}"));
        }
        match &settings.scanner {
            Some(line) => self.run_scanner(turn, selection, &introduced, line),
            None => Ok(None),
        }
    }

    /// The same for work that a person has put on top of others' commits: all of it since `from`.
    pub(super) fn refuse_secrets_since(&self, turn: &TurnRecord, from: &ObjectId) -> Result<(), RunnerError> {
        let settings = self.settings_for(turn);
        let Some(repo) = self.workspace.repo.as_ref().filter(|_| settings.enabled) else { return Ok(()) };
        let introduced = repo.introduced_since(from)?;
        let allowed: BTreeSet<&str> =
            settings.allow.iter().map(|allowed| allowed.fingerprint.as_str()).collect();
        let mut found = in_commits(repo, &introduced, &self.workspace.rules)?;
        found.retain(|finding| !allowed.contains(finding.hit.fingerprint.as_str()));
        if found.is_empty() {
            return Ok(());
        }
        let actor = turn.opening.actor;
        let error = refusal(actor, FoundAt::Publication, &again_of(turn), &found, from.as_str());
        Err(RunnerError::Secrets(Box::new(error)))
    }

    /// The settings of the scan. Those of the claim count until a person has edited the configuration after the agent
    /// had ended: no agent can allow its own secret, committed or not, nor switch the scan off.
    fn settings_for(&self, turn: &TurnRecord) -> SecretsConfig {
        let configured = self.config.publish.secrets.clone();
        let Some(claimed) = turn.claim.as_ref().and_then(|claim| claim.secrets.clone()) else {
            return configured;
        };
        let now = self.settings_digest();
        let at_claim = turn.claim.as_ref().and_then(|claim| claim.settings.as_ref());
        let after_agent = turn.ran.as_ref().and_then(|ran| ran.settings.as_ref());
        let by_a_person = Some(&now) != after_agent || Some(&now) == at_claim;
        if turn.ran_earlier && by_a_person { configured } else { claimed }
    }

    /// Identifies the configuration's files as they are now.
    pub(super) fn settings_digest(&self) -> String {
        const LARGEST: u64 = (1 << 20) + 1;
        let project = self.workspace.root.join(config::PROJECT_FILE);
        let mut hash = Sha256::new();
        for path in [Some(project), config::user_file(self.ambient.env())].into_iter().flatten() {
            let mut bytes = Vec::new();
            // A file that is not there, or cannot be read, is one more content.
            let read = fs::metadata(&path)
                .and_then(|metadata| {
                    if metadata.is_file() {
                        fs::File::open(&path)
                    } else {
                        Err(std::io::ErrorKind::Other.into())
                    }
                })
                .and_then(|file| file.take(LARGEST).read_to_end(&mut bytes));
            hash.update([u8::from(read.is_ok())]);
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(&bytes);
        }
        hash.finalize().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
    }

    /// A person may edit the configuration between a refusal and the next start, as the refusal says: that is theirs,
    /// and no change of the agent. Only where the agent had not touched it.
    pub(super) fn leave_persons_settings(&self, turn: &TurnRecord, selection: &mut Selection) {
        let at_claim = turn.claim.as_ref().and_then(|claim| claim.settings.as_ref());
        let after_agent = turn.ran.as_ref().and_then(|ran| ran.settings.as_ref());
        let untouched = at_claim.is_some() && at_claim == after_agent;
        if !turn.ran_earlier || !untouched || Some(&self.settings_digest()) == after_agent {
            return;
        }
        let Some(repo) = &self.workspace.repo else { return };
        let path = RepoPath::from_path(&repo.prefix().as_path().join(config::PROJECT_FILE));
        if selection.refused.remove(&path).is_some() {
            selection.left.insert(path, LeftReason::DirtyBefore);
        }
    }
}

/// What the selected paths hold and HEAD's version of them does not.
fn in_work_tree(repo: &Repo, selection: &Selection) -> Result<Vec<Finding>, RunnerError> {
    let mut found = Vec::new();
    for (path, selected) in selection.batches.iter().flat_map(|batch| &batch.paths) {
        let Some(blob) = selected.content.as_ref().filter(|blob| blob.mode != FileMode::Submodule) else {
            continue;
        };
        if selected.head.as_ref().is_some_and(|head| head.id == blob.id) {
            continue;
        }
        let Some(mut content) = repo.open_work_file(path)? else { continue };
        let mut sample = Vec::new();
        let mut search = Scan::default();
        let failed = |source| RunnerError::Log { path: repo.root().join(path.as_path()), source };
        let mut piece = vec![0; SAMPLE_BYTES];
        loop {
            let count = match content.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(failed(error)),
            };
            if sample.len() < SAMPLE_BYTES {
                sample.extend_from_slice(&piece[..count]);
            }
            search.feed(&piece[..count]);
        }
        let old = selected.head.as_ref().map(|head| &head.id);
        let hits = new_hits(repo, search.finish(), path, &sample, old)?;
        found.extend(hits.into_iter().map(|hit| Finding { commit: None, path: Some(path.clone()), hit }));
    }
    Ok(found)
}

/// The tokens of the state file are ours, and no secrets.
fn in_commits(repo: &Repo, introduced: &[Introduced], rules: &Rules) -> Result<Vec<Finding>, RunnerError> {
    let mut known: BTreeMap<(ObjectId, Option<ObjectId>, RepoPath), Vec<Hit>> = BTreeMap::new();
    let mut found = Vec::new();
    for commit in introduced {
        let short = Some(commit.commit.clone());
        let said = scan(&commit.message).into_iter();
        found.extend(said.map(|hit| Finding { commit: short.clone(), path: None, hit }));
        let scanned = |file: &&IntroducedFile| file.size <= LARGEST_BLOB && !rules.is_state_file(&file.path);
        for file in commit.files.iter().filter(scanned) {
            let key = (file.blob.id.clone(), file.before.clone(), file.path.clone());
            let hits = if let Some(hits) = known.get(&key) {
                hits.clone()
            } else {
                let content = repo.read_blob(&file.blob.id)?;
                new_hits(repo, scan(&content), &file.path, &content, file.before.as_ref())?
            };
            known.entry(key).or_insert_with(|| hits.clone());
            let path = Some(file.path.clone());
            found.extend(hits.into_iter().map(|hit| Finding {
                commit: short.clone(),
                path: path.clone(),
                hit,
            }));
        }
    }
    Ok(found)
}

/// The hits of a content, and of its name where it is new; without those that its earlier version has too.
fn new_hits(
    repo: &Repo,
    mut hits: Vec<Hit>,
    path: &RepoPath,
    sample: &[u8],
    before: Option<&ObjectId>,
) -> Result<Vec<Hit>, RunnerError> {
    match before {
        None => hits.extend(find_name(path, sample)),
        Some(before) if !hits.is_empty() => {
            let old: BTreeSet<Fingerprint> =
                scan(&repo.read_blob(before)?).into_iter().map(|hit| hit.fingerprint).collect();
            hits.retain(|hit| !old.contains(&hit.fingerprint));
        }
        Some(_) => {}
    }
    Ok(hits)
}

fn refusal(actor: Actor, at: FoundAt, again: &str, found: &[Finding], base: &str) -> SecretsFound {
    let shown = &found[..found.len().min(NAMED)];
    let mut findings: Vec<String> = shown.iter().map(described).collect();
    if found.len() > shown.len() {
        findings.push(format!("and {} more", found.len() - shown.len()));
    }
    let goes_on = match at {
        FoundAt::Commit => "at the commit",
        FoundAt::Publication => "with the publication",
    };
    let mut remedies = vec![format!(
        "nothing is lost: the work is still there. Remove what is named, then `{again}`: it goes on {goes_on}, the \
             agent is not run again"
    )];
    if shown.iter().any(|finding| finding.commit.is_some()) {
        remedies.push(match at {
            FoundAt::Commit => out_of_history(shown, base),
            FoundAt::Publication => format!(
                "the commits must be made anew, since a history leaks: put changes of yours aside (`git stash`, and `git stash \
                 pop --index` at the end), then\n      git reset --soft {}\n    remove what is named, `git add` it, and \
                 `git commit`",
                short(base)
            ),
        });
    }
    let fingerprints: BTreeSet<&str> = shown.iter().map(|finding| finding.hit.fingerprint.as_str()).collect();
    let lines = fingerprints.iter().fold(String::new(), |lines, fingerprint| {
        lines + &format!("\n          - {{ fingerprint: \"{fingerprint}\", reason: \"why it is harmless\" }}")
    });
    remedies.push(format!(
        "what is no secret can be allowed in {}, then `{again}`:\n    publish:\n      secrets:\n        allow:{lines}",
        config::PROJECT_FILE
    ));
    SecretsFound { actor, at, findings, remedies }
}

fn out_of_history(shown: &[Finding], base: &str) -> String {
    let paths: BTreeSet<String> = shown
        .iter()
        .filter(|finding| finding.commit.is_some())
        .filter_map(|finding| finding.path.as_ref())
        .map(|path| quoted(&path.as_path().display().to_string()))
        .collect();
    let unstage = if paths.is_empty() {
        String::new()
    } else {
        format!(" && git reset --quiet -- {}", paths.into_iter().collect::<Vec<_>>().join(" "))
    };
    format!(
        "where a commit is named, first take the commits since the claim out of the history; what they changed stays \
         in the work tree and becomes the turn's:\n      git reset --soft {}{unstage}",
        short(base)
    )
}

/// The command that goes on with the turn.
fn again_of(turn: &TurnRecord) -> String {
    run_command(&turn.opening.mode, turn.opening.actor)
}

fn described(finding: &Finding) -> String {
    let Hit { rule, line, column, fingerprint } = &finding.hit;
    let path = finding.path.as_ref().map_or_else(|| MESSAGE.to_owned(), ToString::to_string);
    let place = match &finding.commit {
        Some(commit) => format!("commit {commit}, {path}:{line}:{column}"),
        None => format!("{path}:{line}:{column}"),
    };
    format!("{place}: {rule}, fingerprint {fingerprint}")
}

/// A word for the shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+' | ',' | '@');
    if word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_where_which_and_how_to_go_on() {
        let token = ["ghp_", "4kQ9zR2mX7pL1vN8", "bT6yW3cJ5hF0dSgAeUiO"].concat();
        let hit = scan(format!("a\n  {token}").as_bytes()).remove(0);
        let fingerprint = hit.fingerprint.clone();
        let at = |commit: Option<&str>, path: Option<&str>| Finding {
            commit: commit.map(str::to_owned),
            path: path.map(|path| RepoPath::from_bytes(path.as_bytes())),
            hit: hit.clone(),
        };
        let found =
            [at(None, Some("src/a.rs")), at(Some("1a2b3c4"), Some("it's")), at(Some("1a2b3c4"), None)];
        let error = refusal(
            Actor::Ralph,
            FoundAt::Commit,
            "baton run",
            &found,
            "0123456789abcdef0123456789abcdef01234567",
        );
        assert_eq!(
            error.to_string(),
            format!(
                "ralph's work holds what looks like secrets, and nothing is committed:\n    \
                 src/a.rs:2:3: github-token, fingerprint {fingerprint}\n    \
                 commit 1a2b3c4, it's:2:3: github-token, fingerprint {fingerprint}\n    \
                 commit 1a2b3c4, its message:2:3: github-token, fingerprint {fingerprint}"
            )
        );
        assert_eq!(
            error.remedies,
            [
                "nothing is lost: the work is still there. Remove what is named, then `baton run`: it goes on at the \
                 commit, the agent is not run again"
                    .to_owned(),
                "where a commit is named, first take the commits since the claim out of the history; what they changed \
                 stays in the work tree and becomes the turn's:\n      \
                 git reset --soft 0123456 && git reset --quiet -- 'it'\\''s'"
                    .to_owned(),
                format!(
                    "what is no secret can be allowed in orchestration.yaml, then `baton run`:\n    publish:\n      \
                     secrets:\n        allow:\n          - {{ fingerprint: \"{fingerprint}\", reason: \"why it is \
                     harmless\" }}"
                ),
            ]
        );
        assert!(!format!("{error:?}").contains(&token));
        let late = refusal(Actor::Ralph, FoundAt::Publication, "baton run", &found[1..2], "0123456789abcdef");
        assert_eq!(
            late.to_string(),
            format!(
                "ralph's work holds what looks like secrets, and nothing is published:\n    \
                 commit 1a2b3c4, it's:2:3: github-token, fingerprint {fingerprint}"
            )
        );
        assert_eq!(
            late.remedies[..2],
            [
                "nothing is lost: the work is still there. Remove what is named, then `baton run`: it goes on with the \
                 publication, the agent is not run again",
                "the commits must be made anew, since a history leaks: put changes of yours aside (`git stash`, and \
                 `git stash pop --index` at the end), then\n      git reset --soft 0123456\n    remove what is named, \
                 `git add` it, and `git commit`",
            ]
        );
    }
}
