//! Commits that cannot be published, kept under a name.

use std::collections::BTreeMap;

use crate::durable;
use crate::model::TurnId;
use crate::publish::ObjectId;
use crate::repo::error::RepoError;
use crate::repo::open::Repo;
use crate::repo::rescue::Rescue;

impl Repo {
    /// Names the commits of a turn `refs/baton-rescue/<turn>/work`, durably; the name. Where other commits have that name,
    /// they keep it, and these get `work-2` or the next number that is free.
    pub fn keep_work(&self, turn: TurnId, tip: &ObjectId) -> Result<String, RepoError> {
        let taken = self.backend.references()?;
        let is_free = |name: &String| taken.get(name).is_none_or(|commit| commit == tip);
        let mut free = Rescue::name(turn, "work");
        let mut number = 1;
        while !is_free(&free) {
            number += 1;
            free = Rescue::name(turn, &format!("work-{number}"));
        }
        // Others' gits do not sync what they store, and here it is relied upon that the commits are there.
        let objects = self.common_dir().join("objects");
        durable::sync_file_system(&objects).map_err(|source| RepoError::Io {
            doing: "sync",
            path: objects,
            source,
        })?;
        self.backend.name_objects(&BTreeMap::from([(free.clone(), tip.clone())]))?;
        Ok(free)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use crate::repo::testing::{TestRepo, Way, turn};

    #[test]
    fn a_lock_of_its_name_that_a_kill_has_left_is_no_obstacle_and_that_of_a_git_is_named() {
        let test = TestRepo::with(&[("a", "1")]);
        let repo = test.open();
        let head = repo.head().unwrap().commit;
        let name = "refs/baton-rescue/01JD5F3Z8K0000000000000000/work";
        let (lock, witness) = crate::repo::reference_lock::names(repo.common_dir(), name);
        std::fs::create_dir_all(lock.parent().unwrap()).unwrap();
        std::fs::write(&lock, "").unwrap();
        assert_eq!(
            repo.keep_work(turn(), &head).unwrap_err().to_string(),
            format!(
                "`{}` exists: another git is at work there, or was killed; if no git is running in this repository, remove the \
                 file and start again",
                lock.display()
            )
        );
        std::fs::hard_link(&lock, witness).unwrap();
        assert_eq!(repo.keep_work(turn(), &head).unwrap(), name);
        assert_eq!(test.git(&["rev-parse", name]).trim(), head.as_str());
        assert!(!lock.exists());
    }

    #[rstest]
    fn commits_are_kept_and_never_overwritten(#[values(Way::Library, Way::Program)] way: Way) {
        let test = TestRepo::with(&[("a", "1")]);
        let repo = test.open_as(way);
        let first = repo.head().unwrap().commit;
        let name = "refs/baton-rescue/01JD5F3Z8K0000000000000000/work";
        for _ in 0..2 {
            assert_eq!(repo.keep_work(turn(), &first).unwrap(), name);
        }
        test.git(&["commit", "-q", "--allow-empty", "-m", "second"]);
        let second = repo.head().unwrap().commit;
        for _ in 0..2 {
            assert_eq!(repo.keep_work(turn(), &second).unwrap(), format!("{name}-2"));
        }
        assert_eq!(test.git(&["rev-parse", name]).trim(), first.as_str());
        assert_eq!(test.git(&["rev-parse", &format!("{name}-2")]).trim(), second.as_str());
    }
}
