//! The remote as its callers see it: looks, pushes, the lease.

use std::cell::{OnceCell, RefCell};
use std::ffi::OsStr;

use git2::ErrorCode;

use super::super::backend::{Backend, Changes, Copy};
use super::super::stop::StopSign;
use super::answer::{PushKind, Pushed, RefusalKind, RemoteSeen};
use super::error::RemoteError;
use super::facts::{Because, Engine, RemoteFacts, Way};
use super::lease::{LeaseMark, Renewed, lease_message};
use super::library::{LibraryFailure, LibraryLink, LibraryPush};
use super::link::{Ask, Link, Order};
use super::program::ProgramLink;
use crate::publish::ObjectId;

/// libgit2 lists every reference at each look, git only those that are asked for.
const MANY_REFERENCES: usize = 1_000;
/// As git's own `gc.autoPackLimit`.
const MANY_PACKS: usize = 50;

/// A branch of a remote. Can be sent to another thread; it has a handle of its own to the repository.
pub struct Remote {
    pub(super) link: Link,
    pub(super) facts: RemoteFacts,
    /// Since a look has shown that the installed git should look.
    pub(super) switched: OnceCell<RemoteFacts>,
    pub(super) backend: Box<dyn Backend>,
    pub(super) library: Option<LibraryLink>,
    pub(super) program: Option<ProgramLink>,
    pub(super) chain: RefCell<Option<Chain>>,
    /// Whether the installed git may be spared where it pushes to a directory.
    pub(super) pushes_in_place: bool,
}

/// The lease as we have pushed it last.
#[derive(Debug)]
pub(super) struct Chain {
    token: String,
    last: ObjectId,
    number: u64,
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote").field("facts", self.facts()).finish_non_exhaustive()
    }
}

impl Remote {
    /// Its address, and which git looks and pushes; that may change with the first look.
    pub fn facts(&self) -> &RemoteFacts {
        self.switched.get().unwrap_or(&self.facts)
    }

    /// Its answers are not waited for any longer once this asks to stop.
    pub fn obey(&mut self, stop: &StopSign) {
        self.library.iter_mut().for_each(|library| library.obey(stop));
        self.program.iter_mut().for_each(|program| program.obey(stop));
    }

    /// The branch's commit there, by one connection; it is stored here, with all that it needs, and kept under
    /// `refs/baton/remote/heads/`. `None`: there is no such branch. Where nothing has changed nothing is written.
    pub fn look(&self) -> Result<Option<ObjectId>, RemoteError> {
        Ok(self.ask(Ask::Tip)?.tip)
    }

    /// As [`Remote::look`], and the lease beside it, by the same connection.
    pub fn look_with_lease(&self) -> Result<RemoteSeen, RemoteError> {
        self.ask(Ask::TipAndLease)
    }

    /// Pushes this commit to the branch if the branch still names `expected` (`None`: if it does not exist). `commit` must stand on
    /// `expected`: others' commits are never undone.
    ///
    /// After an error nobody knows whether the branch was moved: look. The same commit may be pushed again.
    pub fn push(
        &self,
        commit: &ObjectId,
        expected: Option<&ObjectId>,
        what: PushKind,
    ) -> Result<Pushed, RemoteError> {
        if let Some(expected) = expected
            && expected != commit
            && !self.backend.descends(commit, expected)?
        {
            return Err(RemoteError::NotOnTop { commit: commit.clone(), expected: expected.clone() });
        }
        self.send(&Order {
            reference: self.link.branch_reference(),
            commit: commit.clone(),
            expected: expected.cloned(),
            kind: what,
        })
    }

    /// Gives a sign of life beside the branch. The first one of a claim starts a new chain in the place of an older claim's.
    pub fn renew_lease(&self, mark: &LeaseMark) -> Result<Renewed, RemoteError> {
        let token = mark.token.as_str();
        let known = self.chain.borrow().as_ref().filter(|chain| chain.token == token).map(|chain| {
            let last = chain.last.clone();
            (Some(last.clone()), Some(last), chain.number)
        });
        let (parent, expected, number) = match known {
            Some(known) => known,
            None => match self.look_with_lease()?.lease {
                Some(seen) if seen.token.as_deref() == Some(token) => {
                    (Some(seen.id.clone()), Some(seen.id), 0)
                }
                Some(seen) => (None, Some(seen.id), 0),
                None => (None, None, 0),
            },
        };
        let number = number + 1;
        let message = lease_message(mark, number, self.backend.place().ambient.now());
        let commit = self.backend.store_copy(&Copy {
            base: None,
            changes: &Changes::new(),
            parents: parent.as_slice(),
            message: &message,
        })?;
        let order = Order {
            reference: self.link.lease_reference(),
            commit: commit.clone(),
            expected,
            kind: PushKind::Turn,
        };
        match self.send(&order) {
            Ok(Pushed::Accepted) => {
                *self.chain.borrow_mut() =
                    Some(Chain { token: token.to_owned(), last: commit.clone(), number });
                Ok(Renewed::Done(commit))
            }
            Ok(Pushed::Refused(refusal)) if refusal.kind != RefusalKind::Moved => {
                Ok(Renewed::Refused(refusal))
            }
            Ok(Pushed::Refused(_)) => {
                *self.chain.borrow_mut() = None;
                let seen = self.look_with_lease()?;
                Ok(Renewed::Replaced { by: seen.lease, tip: seen.tip })
            }
            // It may have arrived: the next renewal looks first.
            Err(error) => {
                *self.chain.borrow_mut() = None;
                Err(error)
            }
        }
    }

    /// Deletes the lease on the remote, if there is one and it stays what it was.
    pub fn forget_lease(&self) -> Result<(), RemoteError> {
        *self.chain.borrow_mut() = None;
        let Some(lease) = self.look_with_lease()?.lease else { return Ok(()) };
        let reference = self.link.lease_reference();
        let deleted = match (&self.facts().pushes.engine, &self.library, &self.program) {
            (Engine::Program(_), _, Some(program)) => program.delete(&self.link, &reference, &lease.id)?,
            (Engine::Opened, Some(library), _) => {
                self.by_library(&reference, library.delete_opened(&self.link, &reference, &lease.id))?
            }
            (Engine::Library, Some(library), _) => {
                self.by_library(&reference, library.delete(&self.link, &reference, &lease.id))?
            }
            _ => return Err(self.no_engine()),
        };
        match deleted {
            Pushed::Accepted => Ok(()),
            Pushed::Refused(refusal) => Err(self.link.push_failed(&refusal.reason)),
        }
    }

    /// Whether this account may push, as far as that can be told without pushing.
    pub fn check_push(&self) -> Result<(), RemoteError> {
        match (&self.facts().pushes.engine, &self.library, &self.program) {
            (Engine::Program(_), _, Some(program)) => {
                program.check_push(&self.link, &self.backend.head()?.commit)
            }
            (Engine::Opened, Some(library), _) => {
                library.check_opened(&self.link).map_err(|failure| self.push_failure(failure))
            }
            (Engine::Library, Some(library), _) => {
                library.check_push(&self.link).map_err(|failure| self.push_failure(failure))
            }
            _ => Err(self.no_engine()),
        }
    }

    fn ask(&self, ask: Ask) -> Result<RemoteSeen, RemoteError> {
        match (&self.facts().looks.engine, &self.library, &self.program) {
            (Engine::Program(_), _, Some(program)) => program.look(&self.link, ask),
            (Engine::Library, Some(library), program) => {
                let failure = match library.look(&self.link, ask) {
                    Ok(look) => {
                        if look.references > MANY_REFERENCES {
                            self.switch(Because::ManyReferences(look.references));
                        } else if look.has_downloaded && self.packs() > MANY_PACKS {
                            self.switch(Because::ManyPacks(self.packs()));
                        }
                        return Ok(look.seen);
                    }
                    Err(failure) => failure,
                };
                self.ask_the_other(program.as_ref(), failure, ask)
            }
            _ => Err(self.no_engine()),
        }
    }

    /// Where libgit2 could not look, the installed git's word counts: it knows more formats and more credentials.
    fn ask_the_other(
        &self,
        program: Option<&ProgramLink>,
        failure: LibraryFailure,
        ask: Ask,
    ) -> Result<RemoteSeen, RemoteError> {
        let address = &self.link.fetch;
        let error = match failure {
            LibraryFailure::TimedOut => return Err(self.link.timed_out(address)),
            LibraryFailure::Stopped => return Err(self.link.stopped(address)),
            LibraryFailure::Here(error) => return Err(error.into()),
            LibraryFailure::Git(error) => error,
        };
        if error.code() == ErrorCode::Locked
            && let Some(left) = self.link.lock_left()
        {
            return Err(left);
        }
        let is_missing = address.directory(&self.link.root).is_some_and(|directory| !directory.exists());
        let said = if is_missing { "No such file or directory" } else { error.message() };
        let said = address.hide(said);
        let own = self.link.look_failed(&said);
        match program {
            Some(program) if address.is_local() || matches!(own, RemoteError::Authentication { .. }) => {
                let seen = program.look(&self.link, ask)?;
                self.switch(Because::LibraryFailed(said));
                Ok(seen)
            }
            Some(_) | None => Err(own),
        }
    }

    fn packs(&self) -> usize {
        let entries = std::fs::read_dir(self.link.common_dir.join("objects/pack")).into_iter().flatten();
        entries.flatten().filter(|entry| entry.path().extension() == Some(OsStr::new("pack"))).count()
    }

    /// From now on the installed git looks, if there is one.
    fn switch(&self, because: Because) {
        let Some(program) = &self.program else { return };
        let engine = Engine::Program(program.path().to_owned());
        let facts = RemoteFacts { looks: Way { engine, because }, ..self.facts.clone() };
        // Once is enough.
        let _ = self.switched.set(facts);
    }

    fn send(&self, order: &Order) -> Result<Pushed, RemoteError> {
        match (&self.facts().pushes.engine, &self.library, &self.program) {
            (Engine::Program(_), Some(library), _)
                if self.pushes_in_place
                    && let Some(pushed) = library.push_in_place(&self.link, order) =>
            {
                self.pushed_by_library(library, order, Ok(pushed))
            }
            (Engine::Program(_), _, Some(program)) => program.push(&self.link, order),
            (engine @ (Engine::Opened | Engine::Library), Some(library), _) => {
                let answer = match engine {
                    Engine::Opened => library.push_opened(&self.link, order),
                    Engine::Library | Engine::Program(_) => library.push(&self.link, order),
                };
                self.pushed_by_library(library, order, answer)
            }
            _ => Err(self.no_engine()),
        }
    }

    fn pushed_by_library(
        &self,
        library: &LibraryLink,
        order: &Order,
        answer: Result<LibraryPush, LibraryFailure>,
    ) -> Result<Pushed, RemoteError> {
        if matches!(answer, Ok(LibraryPush::Accepted)) {
            library.follow_push(&self.link, order);
        }
        self.by_library(&order.reference, answer)
    }

    fn by_library(
        &self,
        reference: &str,
        answer: Result<LibraryPush, LibraryFailure>,
    ) -> Result<Pushed, RemoteError> {
        match answer.map_err(|failure| self.push_failure(failure))? {
            LibraryPush::Accepted => Ok(Pushed::Accepted),
            LibraryPush::Refused(kind, reason) => Ok(self.link.refusal(reference, kind, &reason, "")),
            LibraryPush::Unanswered => Err(self.link.push_failed("the remote failed to report status")),
        }
    }

    fn push_failure(&self, failure: LibraryFailure) -> RemoteError {
        match failure {
            LibraryFailure::TimedOut => self.link.timed_out(&self.link.push),
            LibraryFailure::Stopped => self.link.stopped(&self.link.push),
            LibraryFailure::Here(error) => error.into(),
            LibraryFailure::Git(error) => self.link.push_failed(error.message()),
        }
    }

    /// The ways are decided from what is there.
    fn no_engine(&self) -> RemoteError {
        self.link.look_failed("no git that could do it")
    }
}
