//! Whether a turn may start here: branch, identity, operations in progress, locks.

use std::ffi::OsStr;
use std::fmt;
use std::path::PathBuf;

use super::empty_packs::forget_empty_packs;
use super::error::{GitLock, RepoError};
use super::head::Head;
use super::open::Repo;
use super::place::LOCK_PAUSE;

/// Something that git has begun and not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// `git merge`.
    Merge,
    /// `git rebase`.
    Rebase,
    /// `git cherry-pick`.
    CherryPick,
    /// `git revert`.
    Revert,
    /// `git bisect`.
    Bisect,
    /// `git am`.
    ApplyMailbox,
}

impl Operation {
    pub(super) const fn remedy(self) -> &'static str {
        match self {
            Self::Merge => "finish it with `git merge --continue`, or undo it with `git merge --abort`",
            Self::Rebase => "finish it with `git rebase --continue`, or undo it with `git rebase --abort`",
            Self::CherryPick => {
                "finish it with `git cherry-pick --continue`, or undo it with `git cherry-pick --abort`"
            }
            Self::Revert => "finish it with `git revert --continue`, or undo it with `git revert --abort`",
            Self::Bisect => "end it with `git bisect reset`",
            Self::ApplyMailbox => "finish it with `git am --continue`, or undo it with `git am --abort`",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Merge => "a merge",
            Self::Rebase => "a rebase",
            Self::CherryPick => "a cherry-pick",
            Self::Revert => "a revert",
            Self::Bisect => "a bisect",
            Self::ApplyMailbox => "applying a mailbox",
        })
    }
}

/// One person on a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Name.
    pub name: String,
    /// Address.
    pub email: String,
}

/// Who is put on commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Who wrote it.
    pub author: Person,
    /// Who committed it.
    pub committer: Person,
}

/// The repository is fit for a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// The branch and its commit; the branch is never absent.
    pub head: Head,
    /// Who is put on commits.
    pub identity: Identity,
}

const IDENTITY_KEYS: [&str; 6] =
    ["author.name", "author.email", "committer.name", "committer.email", "user.name", "user.email"];

impl Repo {
    /// Checks everything that would make a turn's commits impossible or unwelcome, before anything is spent.
    ///
    /// `branch`: the only branch that is welcome (`--branch`); `None` welcomes any. Changes nothing, but that what a
    /// kill or a loss of power has left half done is brought to its end.
    pub fn preflight(&self, branch: Option<&str>) -> Result<Ready, RepoError> {
        if let Some(operation) = self.operation()? {
            return Err(RepoError::InProgress { operation });
        }
        let head = self.head()?;
        let Some(actual) = head.branch.clone() else {
            return Err(RepoError::DetachedHead { commit: head.short });
        };
        if let Some(expected) = branch
            && expected != actual
        {
            return Err(RepoError::WrongBranch { expected: expected.to_owned(), actual });
        }
        let identity = self.identity()?;
        self.settle_left_behind(&actual)?;
        forget_empty_packs(&self.common_dir().join("objects"));
        let locks =
            [self.git_dir().join("index.lock"), self.common_dir().join(format!("refs/heads/{actual}.lock"))];
        for path in locks {
            self.wait_for_lock(path)?;
        }
        Ok(Ready { head, identity })
    }

    /// A person's `git status` takes the lock for a moment too; only one that stays is reported.
    pub(super) fn wait_for_lock(&self, path: PathBuf) -> Result<(), RepoError> {
        let waiting = self.backend.place().ambient.stopwatch();
        while path.symlink_metadata().is_ok() {
            if waiting.elapsed() > self.backend.place().lock_patience {
                return Err(RepoError::Locked { lock: GitLock { path } });
            }
            std::thread::sleep(LOCK_PAUSE);
        }
        Ok(())
    }

    /// git itself looks for these files; only references have a home of their own in other formats.
    pub(super) fn operation(&self) -> Result<Option<Operation>, RepoError> {
        const MARKS: [(&str, Operation); 9] = [
            ("rebase-merge", Operation::Rebase),
            ("rebase-apply/rebasing", Operation::Rebase),
            ("rebase-apply/applying", Operation::ApplyMailbox),
            ("rebase-apply", Operation::Rebase),
            ("MERGE_HEAD", Operation::Merge),
            ("REVERT_HEAD", Operation::Revert),
            ("CHERRY_PICK_HEAD", Operation::CherryPick),
            ("BISECT_LOG", Operation::Bisect),
            ("sequencer", Operation::CherryPick),
        ];
        let is_there = |mark: &str| self.git_dir().join(mark).symlink_metadata().is_ok();
        if let Some((_, operation)) = MARKS.iter().find(|(mark, _)| is_there(mark)) {
            return Ok(Some(*operation));
        }
        self.backend.operation_among_references()
    }

    /// Author and committer as git would take them: `GIT_AUTHOR_*` and `GIT_COMMITTER_*`, then `author.*` and
    /// `committer.*`, then `user.*`, and `EMAIL` as the last resort for the address.
    pub fn identity(&self) -> Result<Identity, RepoError> {
        let values = self.backend.settings(&IDENTITY_KEYS)?;
        let config = |key: &str| {
            let at = IDENTITY_KEYS.iter().position(|known| *known == key)?;
            values[at].clone().filter(|text| !text.trim().is_empty())
        };
        let env = |name: &str| {
            self.backend
                .place()
                .ambient
                .env()
                .get(OsStr::new(name))
                .and_then(|text| text.to_str())
                .filter(|text| !text.is_empty())
        };
        let person = |role: &str| {
            let variable =
                |part: &str| env(&format!("GIT_{}_{part}", role.to_ascii_uppercase())).map(str::to_owned);
            let configured =
                |part: &str| config(&format!("{role}.{part}")).or_else(|| config(&format!("user.{part}")));
            let name = variable("NAME").or_else(|| configured("name"));
            let email =
                variable("EMAIL").or_else(|| configured("email")).or_else(|| env("EMAIL").map(str::to_owned));
            match (name, email) {
                (Some(name), Some(email)) => Ok(Person { name, email }),
                (None, Some(_)) => Err(RepoError::NoIdentity { missing: "user.name is" }),
                (Some(_), None) => Err(RepoError::NoIdentity { missing: "user.email is" }),
                (None, None) => Err(RepoError::NoIdentity { missing: "user.name and user.email are" }),
            }
        };
        let identity = Identity { author: person("author")?, committer: person("committer")? };
        for person in [&identity.author, &identity.committer] {
            self.backend.check_person(person)?;
        }
        Ok(identity)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use crate::repo::testing::{TestRepo, Way};

    fn refusal(way: Way, test: &TestRepo) -> String {
        test.open_as(way).preflight(None).unwrap_err().to_string()
    }

    #[rstest]
    fn a_healthy_repository_is_ready(#[values(Way::Library, Way::Program)] way: Way) {
        let test = TestRepo::with(&[("a", "1")]);
        let ready = test.open_as(way).preflight(Some("main")).unwrap();
        assert_eq!(ready.head.branch.as_deref(), Some("main"));
        assert_eq!(ready.identity.author.name, "Tester");
        assert_eq!(ready.head.commit.as_str(), test.git(&["rev-parse", "HEAD"]).trim());
        assert_eq!(ready.head.short, test.git(&["rev-parse", "--short", "HEAD"]).trim());
    }

    #[rstest]
    fn a_branch_without_commits_is_refused(#[values(Way::Library, Way::Program)] way: Way) {
        assert_eq!(
            refusal(way, &TestRepo::unborn()),
            "the branch `main` has no commits yet; make the first one with `git commit --allow-empty -m 'Initial commit'`"
        );
    }

    #[rstest]
    fn a_detached_head_is_refused(#[values(Way::Library, Way::Program)] way: Way) {
        let test = TestRepo::with(&[]);
        test.git(&["checkout", "-q", "--detach"]);
        let short = test.git(&["rev-parse", "--short", "HEAD"]);
        assert_eq!(
            refusal(way, &test),
            format!(
                "HEAD is detached at {}, on no branch; run `git switch <branch>` (or `git switch -c <new branch>`)",
                short.trim()
            )
        );
    }

    #[rstest]
    fn another_branch_than_asked_for_is_refused(#[values(Way::Library, Way::Program)] way: Way) {
        let error = TestRepo::with(&[]).open_as(way).preflight(Some("feature")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the branch is `main`, not `feature` as asked for; run `git switch feature`, or change `--branch`"
        );
    }

    #[rstest]
    #[case(
        "MERGE_HEAD",
        "a merge is in progress; finish it with `git merge --continue`, or undo it with `git merge --abort`"
    )]
    #[case(
        "CHERRY_PICK_HEAD",
        "a cherry-pick is in progress; finish it with `git cherry-pick --continue`, or undo it with `git cherry-pick --abort`"
    )]
    #[case(
        "REVERT_HEAD",
        "a revert is in progress; finish it with `git revert --continue`, or undo it with `git revert --abort`"
    )]
    #[case("BISECT_LOG", "a bisect is in progress; end it with `git bisect reset`")]
    #[case(
        "rebase-merge/interactive",
        "a rebase is in progress; finish it with `git rebase --continue`, or undo it with `git rebase --abort`"
    )]
    #[case(
        "rebase-apply/rebasing",
        "a rebase is in progress; finish it with `git rebase --continue`, or undo it with `git rebase --abort`"
    )]
    #[case(
        "rebase-apply/applying",
        "applying a mailbox is in progress; finish it with `git am --continue`, or undo it with `git am --abort`"
    )]
    #[case(
        "sequencer/todo",
        "a cherry-pick is in progress; finish it with `git cherry-pick --continue`, or undo it with `git cherry-pick --abort`"
    )]
    fn an_operation_in_progress_is_refused_and_named(
        #[values(Way::Library, Way::Program)] way: Way,
        #[case] marker: &str,
        #[case] text: &str,
    ) {
        let test = TestRepo::with(&[]);
        test.write(&format!(".git/{marker}"), &test.git(&["rev-parse", "HEAD"]));
        assert_eq!(refusal(way, &test), text);
    }

    #[rstest]
    fn a_rebase_that_stopped_is_told_from_a_detached_head(#[values(Way::Library, Way::Program)] way: Way) {
        let test = TestRepo::with(&[("a", "1")]);
        test.git(&["switch", "-q", "-c", "side"]);
        test.write("a", "2");
        test.git(&["commit", "-qam", "side"]);
        test.git(&["switch", "-q", "main"]);
        test.write("a", "3");
        test.git(&["commit", "-qam", "main"]);
        assert!(!test.run(&["rebase", "side"]).status.success());
        assert!(refusal(way, &test).starts_with("a rebase is in progress; "));
    }

    #[rstest]
    #[case(&["user.name"], "user.name is")]
    #[case(&["user.email"], "user.email is")]
    #[case(&["user.name", "user.email"], "user.name and user.email are")]
    fn a_missing_identity_is_refused(
        #[values(Way::Library, Way::Program)] way: Way,
        #[case] unset: &[&str],
        #[case] missing: &str,
    ) {
        let test = TestRepo::with(&[]);
        for key in unset {
            test.git(&["config", "--unset", key]);
        }
        assert_eq!(
            refusal(way, &test),
            format!(
                "git does not know who you are: {missing} not set; run `git config --global user.name 'Your Name'` and `git config --global user.email you@example.org`"
            )
        );
    }

    #[rstest]
    fn the_environment_names_people_before_the_configuration(#[values(Way::Library, Way::Program)] way: Way) {
        let mut test = TestRepo::with(&[]);
        test.git(&["config", "--unset", "user.name"]);
        test.set_env("GIT_AUTHOR_NAME", "Ann");
        test.set_env("GIT_COMMITTER_NAME", "Cis");
        test.set_env("GIT_COMMITTER_EMAIL", "cis@example.org");
        let identity = test.open_as(way).preflight(None).unwrap().identity;
        assert_eq!(
            (identity.author.name.as_str(), identity.author.email.as_str()),
            ("Ann", "tester@example.org")
        );
        assert_eq!(
            (identity.committer.name.as_str(), identity.committer.email.as_str()),
            ("Cis", "cis@example.org")
        );
    }

    #[rstest]
    fn a_name_that_no_commit_can_carry_is_refused(#[values(Way::Library, Way::Program)] way: Way) {
        let mut test = TestRepo::with(&[]);
        test.set_env("GIT_AUTHOR_NAME", "<>");
        assert_eq!(
            refusal(way, &test),
            "`<> <tester@example.org>` cannot be put on a commit; set `user.name` and `user.email` to text without `<`, `>` and line breaks"
        );
    }

    #[rstest]
    fn a_lock_that_stays_is_reported_and_kept(#[values(Way::Library, Way::Program)] way: Way) {
        let test = TestRepo::with(&[]);
        let lock = test.root.join(".git/index.lock");
        std::fs::write(&lock, "").unwrap();
        assert_eq!(
            refusal(way, &test),
            format!(
                "`{}` exists: another git is at work there, or was killed; if no git is running in this repository, remove the file and start again",
                lock.display()
            )
        );
        assert!(lock.exists());
    }
}
