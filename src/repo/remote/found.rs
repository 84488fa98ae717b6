//! What a look has found on a remote, and the names that it gets here.

use git2::{Direction, ErrorCode, Oid, Repository};

use super::super::library::{name_lightly, object_id};
use super::super::place::LOCK_PAUSE;
use super::answer::{LeaseSeen, RemoteSeen};
use super::lease::lease_token;
use super::link::{Ask, Link};

/// What the remote's references name.
pub(super) struct Found {
    ask: Ask,
    pub(super) tip: Option<Oid>,
    lease: Option<Oid>,
}

/// A reference there that names something else than what is kept of it here.
pub(super) struct Wanted {
    pub(super) there: Option<Oid>,
    pub(super) reference: String,
    pub(super) kept: String,
}

impl Found {
    pub(super) fn of(
        link: &Link,
        ask: Ask,
        named: impl Fn(&str) -> Result<Option<Oid>, git2::Error>,
    ) -> Result<Self, git2::Error> {
        let tip = named(&link.branch_reference())?;
        let lease = match tip {
            Some(_) if ask == Ask::TipAndLease => named(&link.lease_reference())?,
            Some(_) | None => None,
        };
        Ok(Self { ask, tip, lease })
    }

    pub(super) fn changed(&self, git: &Repository, link: &Link) -> Vec<Wanted> {
        let (reference, kept) = (link.branch_reference(), link.kept_branch());
        let mut wanted = vec![Wanted { there: self.tip, reference, kept }];
        if self.ask == Ask::TipAndLease || self.tip.is_none() {
            let (reference, kept) = (link.lease_reference(), link.kept_lease());
            wanted.push(Wanted { there: self.lease, reference, kept });
        }
        wanted.retain(|wanted| git.refname_to_id(&wanted.kept).ok() != wanted.there);
        // What we have published ourselves is in HEAD, and nobody looks for it elsewhere.
        let is_ours = |wanted: &Wanted| {
            wanted.there == self.tip
                && wanted.reference == link.branch_reference()
                && git.refname_to_id(&wanted.kept).is_ok()
                && git.refname_to_id("HEAD").ok() == self.tip
        };
        wanted.retain(|wanted| !is_ours(wanted));
        wanted
    }

    /// What was stored gets its names.
    pub(super) fn keep(
        &self,
        git: &Repository,
        link: &Link,
        wanted: &[Wanted],
        remote: &git2::Remote<'_>,
    ) -> Result<(), git2::Error> {
        for Wanted { there, kept, .. } in wanted {
            keep_patiently(git, link, kept, *there)?;
        }
        if let (Some(tip), false) = (self.tip, wanted.is_empty()) {
            follow(git, remote, &link.branch_reference(), tip, "fetch");
        }
        Ok(())
    }

    pub(super) fn seen(&self, git: &Repository) -> Result<RemoteSeen, git2::Error> {
        let lease = self.lease.map(|id| {
            let commit = git.find_commit(id)?;
            let token = lease_token(&String::from_utf8_lossy(commit.message_bytes()));
            Ok::<_, git2::Error>(LeaseSeen { id: object_id(id), token })
        });
        Ok(RemoteSeen { tip: self.tip.map(object_id), lease: lease.transpose()? })
    }
}

/// Another look may be keeping the same just now.
fn keep_patiently(git: &Repository, link: &Link, kept: &str, there: Option<Oid>) -> Result<(), git2::Error> {
    let mut pauses = link.patience.as_millis() / LOCK_PAUSE.as_millis().max(1);
    loop {
        match keep(git, kept, there) {
            Err(error) if error.code() == ErrorCode::Locked && pauses > 0 => {
                pauses -= 1;
                std::thread::sleep(LOCK_PAUSE);
            }
            ended => return ended,
        }
    }
}

/// Lets the reference name what was fetched, or not exist.
fn keep(git: &Repository, kept: &str, there: Option<Oid>) -> Result<(), git2::Error> {
    match there {
        Some(id) => {
            // What cannot be read was not fetched.
            git.find_commit(id)?;
            name_lightly(git, kept, id, "baton: look")
        }
        None => match git.find_reference(kept).and_then(|mut reference| reference.delete()) {
            Err(error) if error.code() != ErrorCode::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        },
    }
}

/// The user's remote-tracking branch follows, as after any fetch or push. It is only for people, so its failure is none.
pub(super) fn follow(git: &Repository, remote: &git2::Remote<'_>, reference: &str, tip: Oid, log: &str) {
    for refspec in remote.refspecs() {
        if refspec.direction() == Direction::Fetch
            && refspec.src_matches(reference)
            && let Ok(tracking) = refspec.transform(reference)
            && let Ok(tracking) = std::str::from_utf8(&tracking)
        {
            let _ = name_lightly(git, tracking, tip, log);
        }
    }
}
