//! Storing what was selected, making commits of it, moving the branch.

use std::io::Write as _;

use super::super::backend::{Changes, Difference, Made, TreeChange};
use super::super::commit::{CommitOrder, CommitPlan};
use super::super::error::{GitLock, RepoError};
use super::super::hook::Hook;
use super::super::preflight::Identity;
use super::look::{object_id, object_ids};
use super::open::{Installed, LastMade, unexpected, without_last_break};
use super::run::Environment;
use super::scratch::ScratchIndex;
use crate::publish::{ObjectId, RepoPath, turn_of_message, with_turn};

/// Makes one commit after the other in one index.
struct Committing<'a> {
    installed: &'a Installed,
    order: &'a CommitOrder<'a>,
    index: ScratchIndex,
    /// `commit.gpgSign`.
    signed: bool,
    tip: ObjectId,
    tree: ObjectId,
    restaged: Vec<RepoPath>,
    difference: Difference,
}

impl Installed {
    pub(super) fn store_as_files(&self, paths: &[&RepoPath]) -> Result<Vec<ObjectId>, RepoError> {
        let ids = self.hash_objects(&["-w"], paths).map_err(self.program.failed("store a file"))?;
        self.sync(&ids)?;
        Ok(ids)
    }

    /// Through files that hold the targets, so that one process stores them all.
    pub(super) fn store_as_links(&self, targets: &[&[u8]]) -> Result<Vec<ObjectId>, RepoError> {
        if targets.is_empty() {
            return Ok(Vec::new());
        }
        let failed = self.program.failed("store a link");
        let directory = tempfile::tempdir().map_err(unusable_scratch)?;
        let mut input = Vec::new();
        for (number, target) in targets.iter().enumerate() {
            let file = directory.path().join(number.to_string());
            std::fs::write(&file, target).map_err(unusable_scratch)?;
            super::look::quote(file.as_os_str().as_encoded_bytes(), &mut input);
            input.push(b'\n');
        }
        let call = self.program.write(&["hash-object", "-w", "--no-filters", "--stdin-paths"]).input(&input);
        let ids = object_ids(&call.run().map_err(&failed)?);
        if ids.len() != targets.len() {
            return Err(failed(unexpected()));
        }
        self.sync(&ids)?;
        Ok(ids)
    }

    pub(super) fn sync(&self, ids: &[ObjectId]) -> Result<(), RepoError> {
        self.place.sync_stored(ids)
    }

    pub(super) fn commit_all(&self, order: &CommitOrder<'_>, changes: &[Changes]) -> Result<Made, RepoError> {
        let (tree, index) = self.scratch_index(&order.head.commit)?;
        let tip = order.head.commit.clone();
        let restaged = Vec::new();
        let difference = Difference::new();
        let mut committing = Committing {
            installed: self,
            order,
            index,
            signed: self.signed.get(),
            tip,
            tree,
            restaged,
            difference,
        };
        let mut made = Made::default();
        for (at, (plan, changes)) in order.plans.iter().zip(changes).enumerate() {
            made.commits.extend(committing.commit(plan, changes)?.map(|id| (at, id)));
        }
        made.restaged.clone_from(&committing.restaged);
        let Committing { tip, tree, index, difference, restaged, .. } = committing;
        self.keep_as_base(tip.clone(), tree, index);
        self.made.replace(Some(LastMade { from: order.head.commit.clone(), to: tip, difference, restaged }));
        Ok(made)
    }

    pub(super) fn swap_branch(
        &self,
        branch: &str,
        from: &ObjectId,
        to: &ObjectId,
        log: &str,
    ) -> Result<(), RepoError> {
        let reference = format!("refs/heads/{branch}");
        let patience = self.place.lock_patience.as_millis();
        let waiting = ["core.filesRefLockTimeout", "core.packedRefsTimeout", "reftable.lockTimeout"]
            .map(|key| format!("{key}={patience}"));
        let call = self.program.write_with_hooks(&["-c", &waiting[0], "-c", &waiting[1], "-c", &waiting[2]]);
        let swap = ["update-ref", "-m", log, "--no-deref", &reference, to.as_str(), from.as_str()];
        let Err(failure) = call.arguments(swap).run() else { return Ok(()) };
        let now = self.program.look(&["rev-parse", "--verify", "--quiet", &reference]).run();
        if now.ok().and_then(|now| object_id(without_last_break(&now))).as_ref() != Some(from) {
            return Err(RepoError::BranchMoved { branch: branch.to_owned(), expected: from.clone() });
        }
        let common = &self.place.common_dir;
        let locks = [
            common.join(format!("{reference}.lock")),
            common.join("reftable/tables.list.lock"),
            common.join("packed-refs.lock"),
        ];
        match locks.into_iter().find(|lock| lock.symlink_metadata().is_ok()) {
            Some(path) => Err(RepoError::Locked { lock: GitLock { path } }),
            None => Err(self.program.failed("move the branch")(failure)),
        }
    }

    /// Once, since the branch has moved once. git looks at neither its exit code nor its output.
    pub(super) fn run_post_commit(&self, order: &CommitOrder<'_>) {
        let _ = self.run_hook(Hook::PostCommit, &[], &people(order.identity, self.place.ambient.now()));
    }
}

/// These people and the clock's now, as git takes them.
pub(super) fn people(identity: &Identity, now: jiff::Timestamp) -> Environment {
    let date = format!("@{} +0000", now.as_second());
    let (author, committer) = (&identity.author, &identity.committer);
    [
        ("GIT_AUTHOR_NAME", &author.name),
        ("GIT_AUTHOR_EMAIL", &author.email),
        ("GIT_AUTHOR_DATE", &date),
        ("GIT_COMMITTER_NAME", &committer.name),
        ("GIT_COMMITTER_EMAIL", &committer.email),
        ("GIT_COMMITTER_DATE", &date),
    ]
    .map(|(name, value)| (name, value.into()))
    .to_vec()
}

impl Committing<'_> {
    /// One plan's commit; `None` where it changes nothing.
    fn commit(&mut self, plan: &CommitPlan, changes: &Changes) -> Result<Option<ObjectId>, RepoError> {
        let installed = self.installed;
        installed.change_index(&self.index, changes)?;
        let mut tree = self.write_tree()?;
        if tree == self.tree {
            return Ok(None);
        }
        if installed.hook(Hook::PreCommit).is_some() {
            self.run_hook(Hook::PreCommit, &[])?;
            tree = self.accept_restaged(&tree, changes)?;
            if tree == self.tree {
                return Ok(None);
            }
        }
        let message = self.message(plan)?;
        let commit = self.commit_tree(&tree, &message)?;
        let brought = installed.brought(self.tip.as_str(), &commit)?;
        installed.sync(&[&[commit.clone(), tree.clone()][..], &brought.objects].concat())?;
        for (path, versions) in brought.difference {
            self.difference
                .entry(path)
                .and_modify(|earlier| earlier.new.clone_from(&versions.new))
                .or_insert(versions);
        }
        (self.tip, self.tree) = (commit.clone(), tree);
        Ok(Some(commit))
    }

    fn write_tree(&self) -> Result<ObjectId, RepoError> {
        self.installed.write_tree(self.installed.in_index(&self.index.path(), &["write-tree"]))
    }

    /// What the hook staged is taken for the chosen paths; anything else that it staged is not.
    fn accept_restaged(&mut self, before: &ObjectId, changes: &Changes) -> Result<ObjectId, RepoError> {
        let after = self.write_tree()?;
        if after == *before {
            return Ok(after);
        }
        let difference = self.installed.brought(before.as_str(), &after)?.difference;
        let (chosen, others): (Vec<_>, Vec<_>) =
            difference.into_iter().partition(|(path, _)| changes.contains_key(path));
        let back = others.iter().map(|(path, versions)| {
            let change = versions.old.clone().map_or(TreeChange::Remove, TreeChange::Put);
            (path.clone(), change)
        });
        let back: Changes = back.collect();
        self.restaged.extend(chosen.into_iter().map(|(path, _)| path));
        if back.is_empty() {
            return Ok(after);
        }
        self.installed.change_index(&self.index, &back)?;
        self.write_tree()
    }

    fn people(&self) -> Environment {
        people(self.order.identity, self.installed.place.ambient.now())
    }

    fn run_hook(&self, hook: Hook, arguments: &[&str]) -> Result<(), RepoError> {
        let index = self.index.path();
        let mut environment = self.people();
        environment.push(("GIT_INDEX_FILE", index.into()));
        self.installed.run_hook(hook, arguments, &environment)
    }

    /// The plan's message, as the hooks leave it; the turn's trailer stays, or a restart could not recognise the commit.
    fn message(&self, plan: &CommitPlan) -> Result<String, RepoError> {
        let hooks = [Hook::PrepareCommitMessage, Hook::CommitMessage];
        if hooks.iter().all(|hook| self.installed.hook(*hook).is_none()) {
            return Ok(plan.message.clone());
        }
        let mut file = tempfile::Builder::new()
            .prefix("BATON_EDITMSG")
            .tempfile_in(&self.installed.place.git_dir)
            .map_err(unusable_scratch)?;
        file.write_all(plan.message.as_bytes()).map_err(unusable_scratch)?;
        let path = file.path().to_string_lossy().into_owned();
        self.run_hook(Hook::PrepareCommitMessage, &[&path, "message"])?;
        self.run_hook(Hook::CommitMessage, &[&path])?;
        let written = std::fs::read(file.path()).map_err(unusable_scratch)?;
        let written = String::from_utf8_lossy(&written);
        let message = written.trim().to_owned();
        if message.is_empty() {
            return Err(RepoError::HookRefused {
                hook: Hook::CommitMessage,
                file: self.installed.hooks_dir.join(Hook::CommitMessage.name()),
                ended: "it left an empty message".to_owned(),
                said: String::new(),
            });
        }
        if let (Some(turn), None) = (turn_of_message(&plan.message), turn_of_message(&message)) {
            return Ok(with_turn(&message, turn));
        }
        Ok(message + "\n")
    }

    fn commit_tree(&self, tree: &ObjectId, message: &str) -> Result<ObjectId, RepoError> {
        let program = &self.installed.program;
        let call = program
            .write(&[
                "-c",
                "i18n.commitEncoding=UTF-8",
                "commit-tree",
                tree.as_str(),
                "-p",
                self.tip.as_str(),
            ])
            .arguments(self.signed.then_some("-S"))
            .input(message.as_bytes());
        match call.envs(&self.people()).run() {
            Ok(answer) => object_id(without_last_break(&answer))
                .ok_or_else(|| program.failed("make a commit")(unexpected())),
            Err(failure) if self.signed => Err(RepoError::NotSigned { said: failure.said }),
            Err(failure) => Err(program.failed("make a commit")(failure)),
        }
    }
}

fn unusable_scratch(source: std::io::Error) -> RepoError {
    RepoError::Io { doing: "use", path: std::env::temp_dir(), source }
}
