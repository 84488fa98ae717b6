//! A person's uncommitted changes, staged entries, stashes and branches around a turn: kept before the agent starts,
//! compared when the turn ends, and told of where something is not as it was. Nothing of theirs is ever written.

use crate::model::TurnId;
use crate::publish::{Content, DirtyRecord};
use crate::repo::{Head, RemoteUrls, Repo, Rescue};

use super::RunnerError;
use super::agent_actions::{how_to_get_back, in_shell, moved};
use super::commit::short;
use super::journal::{Base, Guard, TurnRecord};
use super::turn::Runner;

/// How many new branches and tags a message names.
const NAMED_REFS: usize = 20;

/// Something around the turn's work that is not as it was.
struct Finding {
    text: String,
    /// Whether copies are needed to put it right.
    needs_copies: bool,
}

impl Runner<'_> {
    /// Stores what is a person's and uncommitted; the names come with [`Self::keep_rescue`].
    pub(super) fn guard(&self, repo: &Repo, head: &Head, base: &Base) -> Result<Guard, RunnerError> {
        let persons = self.persons(base);
        let surroundings = repo.surroundings(&persons, head.branch.as_deref())?;
        let rescue = repo.store_rescue(head, &persons, &surroundings)?;
        Ok(Guard { surroundings, rescue })
    }

    /// The remotes that an agent must not push to; none where git is avoided.
    pub(super) fn remotes(&self) -> RemoteUrls {
        self.workspace.repo.as_ref().map(Repo::remote_urls).unwrap_or_default()
    }

    /// What is dirty and neither baton's nor left by agents.
    fn persons(&self, base: &Base) -> DirtyRecord {
        base.dirty
            .iter()
            .filter(|(path, _)| !self.workspace.rules.is_own(path) && !base.by_agents.contains(path))
            .map(|(path, dirty)| (path.clone(), dirty.clone()))
            .collect()
    }

    /// Names the copies of a claim that is in the journal, so that git keeps them.
    pub(super) fn keep_rescue(&self, turn: &TurnRecord) -> Result<(), RunnerError> {
        if let (Some(repo), Some(base)) = (&self.workspace.repo, turn.base())
            && let Some(guard) = &base.guard
        {
            repo.keep_rescue(turn.opening.id, &base.head, &guard.rescue)?;
        }
        Ok(())
    }

    /// Forgets the copies of a turn that ended before its agent was started.
    pub(super) fn forget_rescue(&self, turn: TurnId) {
        // What stays behind costs a name and nothing else.
        if let Some(repo) = &self.workspace.repo {
            let _ = repo.drop_rescue(turn);
        }
    }

    /// Compares what is a person's with what it was at the claim, says what differs, and forgets the copies unless they
    /// are needed.
    pub(super) fn release_rescue(&mut self, turn: &TurnRecord) -> Vec<String> {
        let id = turn.opening.id;
        let (Some(repo), Some(base)) = (&self.workspace.repo, turn.base()) else { return Vec::new() };
        let Some(guard) = &base.guard else { return Vec::new() };
        if turn.attempts().is_empty() {
            self.forget_rescue(id);
            return Vec::new();
        }
        let findings = match self.findings(repo, turn, base, guard) {
            Ok(findings) => findings,
            Err(error) => {
                let text = format!(
                    "what is yours could not be compared with what it was before the turn ({error}); copies are kept \
                     as refs/baton-rescue/{id}"
                );
                vec![Finding { text, needs_copies: true }]
            }
        };
        if findings.iter().any(|finding| finding.needs_copies) {
            // The agent may have taken the names away too.
            let _ = repo.keep_rescue(id, &base.head, &guard.rescue);
        } else {
            let _ = repo.drop_rescue(id);
        }
        let told: Vec<String> = findings.into_iter().map(|finding| finding.text).collect();
        for text in &told {
            self.warn(text);
        }
        told
    }

    fn findings(
        &self,
        repo: &Repo,
        turn: &TurnRecord,
        base: &Base,
        guard: &Guard,
    ) -> Result<Vec<Finding>, RunnerError> {
        let id = turn.opening.id;
        let branch = base.head.branch.clone().unwrap_or_default();
        let mut findings = Vec::new();
        if let Err(text) = moved(repo, id, base, &branch)? {
            findings.push(Finding { text, needs_copies: true });
        }
        findings.extend(self.changed_files(repo, id, base)?);
        findings.extend(changed_entries(repo, id, guard)?);
        let now = repo.surroundings(&DirtyRecord::default(), Some(&branch))?;
        let was = &guard.surroundings;
        for stash in was.stashes.iter().filter(|stash| !now.stashes.contains(stash)) {
            findings.push(Finding {
                text: format!(
                    "the stash entry `{}` is gone: `git stash store -m '{}' {}` brings it back",
                    stash.message,
                    stash.message.replace('\'', r"'\''"),
                    stash.id
                ),
                needs_copies: true,
            });
        }
        for (name, target) in &was.refs {
            let (what, needs_copies) = match now.refs.get(name) {
                Some(found) if found == target => continue,
                // Commits on top of another branch, as a person in another work tree makes them, lose nothing.
                Some(found) if name.starts_with("refs/heads/") && repo.is_below(target, found) => continue,
                Some(found) => (format!("was moved to {}", short(found.as_str())), true),
                None => ("was deleted".to_owned(), true),
            };
            let text =
                format!("{name} {what} during the turn: `git update-ref {name} {target}` puts it back");
            findings.push(Finding { text, needs_copies });
        }
        let made: Vec<&str> =
            now.refs.keys().filter(|name| !was.refs.contains_key(*name)).map(String::as_str).collect();
        if !made.is_empty() {
            let text = format!(
                "made during the turn, not by baton: {}",
                made[..made.len().min(NAMED_REFS)].join(", ")
            );
            findings.push(Finding { text, needs_copies: false });
        }
        let names = was.settings.keys().chain(now.settings.keys());
        let names: std::collections::BTreeSet<&String> =
            names.filter(|name| was.settings.get(*name) != now.settings.get(*name)).collect();
        if !names.is_empty() {
            let names: Vec<String> =
                names.iter().map(|name| repo.common_dir().join(name).display().to_string()).collect();
            findings.push(Finding {
                text: format!(
                    "changed during the turn: {}; git takes orders and programs to run from there, so read it before \
                     you use git here",
                    names.join(", ")
                ),
                needs_copies: false,
            });
        }
        Ok(findings)
    }

    fn changed_files(&self, repo: &Repo, turn: TurnId, base: &Base) -> Result<Vec<Finding>, RunnerError> {
        let persons = self.persons(base);
        let now = repo.look_again(persons.iter())?;
        let heads = repo.in_head(persons.iter().map(|(path, _)| path))?;
        let mut findings = Vec::new();
        for ((path, was), head) in persons.iter().zip(heads) {
            let Some(now) = now.get(path) else { continue };
            let in_head = match now {
                Content::File(blob) => head.as_ref() == Some(blob),
                Content::Deleted => head.is_none(),
                _ => false,
            };
            let committed = in_head && head != was.head;
            if *now != was.content && !committed {
                findings.push(Finding {
                    text: format!(
                        "{path}: it had changes before the turn and is different now{}",
                        how_to_get_back(turn, base, path)
                    ),
                    needs_copies: true,
                });
            } else if committed {
                findings.push(Finding {
                    text: format!(
                        "{path}: it was not committed before the turn and is now, not by baton; to take that back, \
                         `git reset --soft {}`",
                        base.head.short
                    ),
                    needs_copies: false,
                });
            }
        }
        Ok(findings)
    }
}

/// Whether a file is without a copy because it was saved anew before the copy was made.
pub(super) fn changed_before_kept(repo: &Repo, base: &Base) -> Result<bool, RunnerError> {
    let Some(guard) = &base.guard else { return Ok(false) };
    let left_out = || base.dirty.iter().filter(|(path, _)| guard.rescue.left_out.contains(path));
    let now = repo.look_again(left_out())?;
    let changed = left_out().any(|(path, was)| now.get(path).is_some_and(|now| *now != was.content));
    Ok(changed)
}

/// What a person had staged and is not staged, nor committed, any more.
fn changed_entries(repo: &Repo, turn: TurnId, guard: &Guard) -> Result<Vec<Finding>, RunnerError> {
    let staged = &guard.surroundings.staged;
    let now = repo.index_entries(staged.keys())?;
    let differing = staged.iter().zip(now).filter(|((_, was), now)| *was != now).map(|it| it.0);
    let differing: Vec<_> = differing.collect();
    let heads = repo.in_head(differing.iter().map(|(path, _)| *path))?;
    Ok(differing
        .into_iter()
        .zip(heads)
        .filter(|((_, was), head)| head != *was)
        .map(|((path, _), _)| {
            let from = Rescue::name(turn, "staged");
            let place = in_shell(path);
            Finding {
                text: format!(
                    "{path} is not staged any more as it was before the turn: `git restore --source={from} --staged \
                     -- {place}` stages it again"
                ),
                needs_copies: true,
            }
        })
        .collect())
}
