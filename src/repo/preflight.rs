//! Whether a turn may start here: branch, identity, operations in progress, locks.

use std::ffi::OsStr;
use std::fmt;
use std::path::PathBuf;

use git2::{ErrorCode, RepositoryState};

use super::error::{GitLock, RepoError};
use super::head::Head;
use super::index::LOCK_PAUSE;
use super::index_lock::release_stale;
use super::open::Repo;

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

impl Repo {
    /// Checks everything that would make a turn's commits impossible or unwelcome, before anything is spent.
    ///
    /// `branch`: the only branch that is welcome (`--branch`); `None` welcomes any. Changes nothing.
    pub fn preflight(&self, branch: Option<&str>) -> Result<Ready, RepoError> {
        if let Some(operation) = self.operation() {
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
        let locks =
            [self.git_dir().join("index.lock"), self.common_dir().join(format!("refs/heads/{actual}.lock"))];
        for path in locks {
            self.wait_for_lock(path)?;
        }
        Ok(Ready { head, identity })
    }

    /// A person's `git status` takes the lock for a moment too; only one that stays is reported.
    pub(super) fn wait_for_lock(&self, path: PathBuf) -> Result<(), RepoError> {
        release_stale(self.git_dir());
        let waiting = self.ambient.stopwatch();
        while path.symlink_metadata().is_ok() {
            if waiting.elapsed() > self.lock_patience {
                return Err(RepoError::Locked { lock: GitLock { path } });
            }
            std::thread::sleep(LOCK_PAUSE);
        }
        Ok(())
    }

    pub(super) fn operation(&self) -> Option<Operation> {
        match self.git.state() {
            RepositoryState::Merge => Some(Operation::Merge),
            RepositoryState::Revert | RepositoryState::RevertSequence => Some(Operation::Revert),
            RepositoryState::CherryPick | RepositoryState::CherryPickSequence => Some(Operation::CherryPick),
            RepositoryState::Bisect => Some(Operation::Bisect),
            RepositoryState::Rebase
            | RepositoryState::RebaseInteractive
            | RepositoryState::RebaseMerge
            | RepositoryState::ApplyMailboxOrRebase => Some(Operation::Rebase),
            RepositoryState::ApplyMailbox => Some(Operation::ApplyMailbox),
            RepositoryState::Clean => {
                self.git_dir().join("sequencer").is_dir().then_some(Operation::CherryPick)
            }
        }
    }

    /// Author and committer as git would take them: `GIT_AUTHOR_*` and `GIT_COMMITTER_*`, then `author.*` and
    /// `committer.*`, then `user.*`, and `EMAIL` as the last resort for the address.
    pub fn identity(&self) -> Result<Identity, RepoError> {
        let config = self.git.config().map_err(self.failed("read the configuration"))?;
        let config = |key: &str| config.get_string(key).ok().filter(|text| !text.trim().is_empty());
        let env = |name: &str| {
            self.ambient
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
            self.signature(person)?;
        }
        Ok(identity)
    }

    /// At the clock's now, in UTC.
    pub(super) fn signature(&self, person: &Person) -> Result<git2::Signature<'static>, RepoError> {
        let time = git2::Time::new(self.ambient.now().as_second(), 0);
        git2::Signature::new(&person.name, &person.email, &time).map_err(|source| RepoError::BadIdentity {
            name: person.name.clone(),
            email: person.email.clone(),
            source,
        })
    }
}

pub(super) fn is_missing(error: &git2::Error) -> bool {
    matches!(error.code(), ErrorCode::NotFound)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use crate::repo::testing::TestRepo;

    fn refusal(test: &TestRepo) -> String {
        test.open().preflight(None).unwrap_err().to_string()
    }

    #[test]
    fn a_healthy_repository_is_ready() {
        let test = TestRepo::with(&[("a", "1")]);
        let ready = test.open().preflight(Some("main")).unwrap();
        assert_eq!(ready.head.branch.as_deref(), Some("main"));
        assert_eq!(ready.identity.author.name, "Tester");
        assert_eq!(ready.head.commit.as_str(), test.git(&["rev-parse", "HEAD"]).trim());
        assert_eq!(ready.head.short, test.git(&["rev-parse", "--short", "HEAD"]).trim());
    }

    #[test]
    fn a_branch_without_commits_is_refused() {
        assert_eq!(
            refusal(&TestRepo::unborn()),
            "the branch `main` has no commits yet; make the first one with `git commit --allow-empty -m 'Initial commit'`"
        );
    }

    #[test]
    fn a_detached_head_is_refused() {
        let test = TestRepo::with(&[]);
        test.git(&["checkout", "-q", "--detach"]);
        let short = test.git(&["rev-parse", "--short", "HEAD"]);
        assert_eq!(
            refusal(&test),
            format!(
                "HEAD is detached at {}, on no branch; run `git switch <branch>` (or `git switch -c <new branch>`)",
                short.trim()
            )
        );
    }

    #[test]
    fn another_branch_than_asked_for_is_refused() {
        let error = TestRepo::with(&[]).open().preflight(Some("feature")).unwrap_err();
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
    fn an_operation_in_progress_is_refused_and_named(#[case] marker: &str, #[case] text: &str) {
        let test = TestRepo::with(&[]);
        test.write(&format!(".git/{marker}"), &test.git(&["rev-parse", "HEAD"]));
        assert_eq!(refusal(&test), text);
    }

    #[test]
    fn a_rebase_that_stopped_is_told_from_a_detached_head() {
        let test = TestRepo::with(&[("a", "1")]);
        test.git(&["switch", "-q", "-c", "side"]);
        test.write("a", "2");
        test.git(&["commit", "-qam", "side"]);
        test.git(&["switch", "-q", "main"]);
        test.write("a", "3");
        test.git(&["commit", "-qam", "main"]);
        assert!(!test.run(&["rebase", "side"]).status.success());
        assert!(refusal(&test).starts_with("a rebase is in progress; "));
    }

    #[rstest]
    #[case(&["user.name"], "user.name is")]
    #[case(&["user.email"], "user.email is")]
    #[case(&["user.name", "user.email"], "user.name and user.email are")]
    fn a_missing_identity_is_refused(#[case] unset: &[&str], #[case] missing: &str) {
        let test = TestRepo::with(&[]);
        for key in unset {
            test.git(&["config", "--unset", key]);
        }
        assert_eq!(
            refusal(&test),
            format!(
                "git does not know who you are: {missing} not set; run `git config --global user.name 'Your Name'` and `git config --global user.email you@example.org`"
            )
        );
    }

    #[test]
    fn the_environment_names_people_before_the_configuration() {
        let mut test = TestRepo::with(&[]);
        test.git(&["config", "--unset", "user.name"]);
        test.set_env("GIT_AUTHOR_NAME", "Ann");
        test.set_env("GIT_COMMITTER_NAME", "Cis");
        test.set_env("GIT_COMMITTER_EMAIL", "cis@example.org");
        let identity = test.open().preflight(None).unwrap().identity;
        assert_eq!(
            (identity.author.name.as_str(), identity.author.email.as_str()),
            ("Ann", "tester@example.org")
        );
        assert_eq!(
            (identity.committer.name.as_str(), identity.committer.email.as_str()),
            ("Cis", "cis@example.org")
        );
    }

    #[test]
    fn a_name_that_no_commit_can_carry_is_refused() {
        let mut test = TestRepo::with(&[]);
        test.set_env("GIT_AUTHOR_NAME", "<>");
        assert_eq!(
            refusal(&test),
            "`<> <tester@example.org>` cannot be put on a commit; set `user.name` and `user.email` to text without `<`, `>` and line breaks"
        );
    }

    #[test]
    fn a_lock_that_stays_is_reported_and_kept() {
        let test = TestRepo::with(&[]);
        let lock = test.root.join(".git/index.lock");
        std::fs::write(&lock, "").unwrap();
        assert_eq!(
            refusal(&test),
            format!(
                "`{}` exists: another git is at work there, or was killed; if no git is running in this repository, remove the file and start again",
                lock.display()
            )
        );
        assert!(lock.exists());
    }
}
