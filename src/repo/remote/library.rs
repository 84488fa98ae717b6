//! Looks and pushes by libgit2.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::time::Duration;

use git2::{
    AutotagOption, Direction, ErrorCode, FetchOptions, Oid, PushOptions, RemoteCallbacks, Repository,
};

use super::super::error::RepoError;
use super::super::library::{Library, object_id, oid};
use super::super::stop::StopSign;
use super::address::Scheme;
use super::answer::{RefusalKind, RemoteSeen, refusal_kind};
use super::beside;
use super::found::{Found, Wanted, follow};
use super::limit::{Within, within};
use super::link::{Ask, Link, Order};
use super::opened;
use super::packs::NewPacks;
use crate::ambient::{Ambient, Stopwatch};
use crate::publish::ObjectId;

/// A handle of libgit2's for one remote.
pub(super) struct LibraryLink {
    workspace: PathBuf,
    ambient: Ambient,
    limit: Duration,
    stop: StopSign,
    /// Gone with a call that did not end in time; then another one is opened.
    handle: RefCell<Option<Library>>,
    /// The remote, where it lies beside this repository.
    there: RefCell<Option<Repository>>,
}

/// Why libgit2 has no answer.
#[derive(Debug)]
pub(super) enum LibraryFailure {
    TimedOut,
    Stopped,
    Git(git2::Error),
    Here(RepoError),
}

/// What libgit2 made of a push.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LibraryPush {
    Accepted,
    Refused(RefusalKind, String),
    /// It succeeded without a word about the reference.
    Unanswered,
}

/// What a look came to.
pub(super) struct LibraryLook {
    pub(super) seen: RemoteSeen,
    /// How many references the remote has listed.
    pub(super) references: usize,
    /// Whether a pack was stored.
    pub(super) has_downloaded: bool,
}

/// When a call has to end.
#[derive(Debug, Clone, Copy)]
struct Deadline {
    running: Stopwatch,
    limit: Duration,
}

impl Deadline {
    fn is_over(self) -> bool {
        self.running.elapsed() > self.limit
    }
}

impl LibraryLink {
    pub(super) fn new(library: Library, workspace: &Path, ambient: &Ambient, limit: Duration) -> Self {
        Self {
            workspace: workspace.to_owned(),
            ambient: ambient.clone(),
            limit,
            stop: StopSign::default(),
            handle: RefCell::new(Some(library)),
            there: RefCell::default(),
        }
    }

    pub(super) fn obey(&mut self, stop: &StopSign) {
        self.stop = stop.clone();
    }

    fn take(&self) -> Result<Library, LibraryFailure> {
        match self.handle.borrow_mut().take() {
            Some(library) => Ok(library),
            None => Library::open(&self.workspace, &self.ambient).map_err(LibraryFailure::Here),
        }
    }

    /// Without a network nothing can hang.
    fn run_here<T>(&self, job: impl FnOnce(&Library) -> Result<T, git2::Error>) -> Result<T, LibraryFailure> {
        let library = self.take()?;
        let result = job(&library);
        *self.handle.borrow_mut() = Some(library);
        result.map_err(LibraryFailure::Git)
    }

    fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Library, Deadline) -> Result<T, git2::Error> + Send + 'static,
    ) -> Result<T, LibraryFailure> {
        let library = self.take()?;
        let deadline = Deadline { running: self.ambient.stopwatch(), limit: self.limit };
        let ended = within(self.limit, &self.stop, &self.ambient, move || {
            let result = job(&library, deadline);
            (library, result)
        });
        match ended.map_err(|error| LibraryFailure::Git(git2::Error::from_str(&error.to_string())))? {
            Within::TooLong => Err(LibraryFailure::TimedOut),
            Within::Stopped => Err(LibraryFailure::Stopped),
            Within::Done((library, result)) => {
                *self.handle.borrow_mut() = Some(library);
                result.map_err(|error| {
                    if deadline.is_over() { LibraryFailure::TimedOut } else { LibraryFailure::Git(error) }
                })
            }
        }
    }

    pub(super) fn look(&self, link: &Link, ask: Ask) -> Result<LibraryLook, LibraryFailure> {
        if link.fetch.is_local() {
            let deadline = Deadline { running: self.ambient.stopwatch(), limit: Duration::MAX };
            return self.run_here(|library| {
                if let Some(look) = self.look_in_place(&library.git, link, ask) {
                    return Ok(look);
                }
                look(&library.git, link, ask, deadline)
            });
        }
        let link = link.clone();
        self.run(move |library, deadline| look(&library.git, &link, ask, deadline))
    }

    /// A look at a directory without listing its references; `None` where that does not do, or anything is odd.
    fn look_in_place(&self, git: &Repository, link: &Link, ask: Ask) -> Option<LibraryLook> {
        if *link.fetch.scheme() != Scheme::Path {
            return None;
        }
        let known = self.there.borrow_mut().take();
        let there = known.or_else(|| Repository::open(link.fetch.directory(&link.root)?).ok())?;
        let look = look_beside(git, &there, link, ask).ok().flatten()?;
        *self.there.borrow_mut() = Some(there);
        Some(look)
    }

    /// A push to a directory without a process; `None`: it is git's, whatever the reason.
    pub(super) fn push_in_place(&self, link: &Link, order: &Order) -> Option<LibraryPush> {
        if *link.push.scheme() != Scheme::Path {
            return None;
        }
        let env = self.ambient.env();
        // git pushes the same then, and finds out what is wrong, or that the branch has moved already.
        self.run_here(|library| beside::push(&library.git, &directory(link)?, order, env)).ok().flatten()
    }

    pub(super) fn push(&self, link: &Link, order: &Order) -> Result<LibraryPush, LibraryFailure> {
        // A branch is never forced; a new chain of leases replaces an old one.
        let force = if order.reference.starts_with("refs/heads/") { "" } else { "+" };
        let refspec = format!("{force}{}:{}", order.commit, order.reference);
        let pushed = self.push_refspec(link, order, refspec)?;
        if pushed != LibraryPush::Unanswered {
            return Ok(pushed);
        }
        // Nothing had to be sent: then the reference names the commit already.
        let (name, reference) = (link.name.clone(), order.reference.clone());
        let there = self.run(move |library, deadline| {
            let mut remote = library.git.find_remote(&name)?;
            let connection = remote.connect_auth(Direction::Push, Some(callbacks(deadline)), None)?;
            Ok(id_of(connection.list()?, &reference).map(object_id))
        })?;
        Ok(if there.as_ref() == Some(&order.commit) {
            LibraryPush::Accepted
        } else {
            LibraryPush::Unanswered
        })
    }

    pub(super) fn delete(
        &self,
        link: &Link,
        reference: &str,
        expected: &ObjectId,
    ) -> Result<LibraryPush, LibraryFailure> {
        let order = Order {
            reference: reference.to_owned(),
            commit: expected.clone(),
            expected: Some(expected.clone()),
            kind: super::answer::PushKind::Turn,
        };
        self.push_refspec(link, &order, format!(":{reference}"))
    }

    fn push_refspec(
        &self,
        link: &Link,
        order: &Order,
        refspec: String,
    ) -> Result<LibraryPush, LibraryFailure> {
        let (name, order) = (link.name.clone(), order.clone());
        self.run(move |library, deadline| push(&library.git, &name, &order, &refspec, deadline))
    }

    pub(super) fn check_push(&self, link: &Link) -> Result<(), LibraryFailure> {
        let name = link.name.clone();
        self.run(move |library, deadline| {
            let mut remote = library.git.find_remote(&name)?;
            remote.connect_auth(Direction::Push, Some(callbacks(deadline)), None).map(|_| ())
        })
    }

    pub(super) fn push_opened(&self, link: &Link, order: &Order) -> Result<LibraryPush, LibraryFailure> {
        self.run_here(|library| opened::push(&library.git, &directory(link)?, order))
    }

    /// The user's remote-tracking branch follows what was pushed, as git lets it. It is only for people.
    pub(super) fn follow_push(&self, link: &Link, order: &Order) {
        let followed = self.run_here(|library| {
            let remote = library.git.find_remote(&link.name)?;
            follow(&library.git, &remote, &order.reference, oid(&order.commit)?, "update by push");
            Ok(())
        });
        drop(followed);
    }

    pub(super) fn delete_opened(
        &self,
        link: &Link,
        reference: &str,
        expected: &ObjectId,
    ) -> Result<LibraryPush, LibraryFailure> {
        self.run_here(|_| opened::delete(&directory(link)?, reference, expected))
    }

    pub(super) fn check_opened(&self, link: &Link) -> Result<(), LibraryFailure> {
        self.run_here(|_| opened::check(&directory(link)?))
    }
}

fn directory(link: &Link) -> Result<PathBuf, git2::Error> {
    link.push.directory(&link.root).ok_or_else(|| git2::Error::from_str("it is no directory"))
}

/// Nothing is asked, and what takes too long is broken off as soon as anything arrives.
fn callbacks<'a>(deadline: Deadline) -> RemoteCallbacks<'a> {
    let mut callbacks = RemoteCallbacks::new();
    callbacks.transfer_progress(move |_| !deadline.is_over());
    callbacks.sideband_progress(move |_| !deadline.is_over());
    callbacks
}

fn id_of(heads: &[git2::RemoteHead<'_>], reference: &str) -> Option<Oid> {
    heads.iter().find(|head| head.name() == reference).map(git2::RemoteHead::oid)
}

fn look(git: &Repository, link: &Link, ask: Ask, deadline: Deadline) -> Result<LibraryLook, git2::Error> {
    let mut remote = match link.fetch.directory(&link.root).filter(|_| link.fetch.is_relative()) {
        // libgit2 would start from where this process runs.
        Some(directory) => git.remote_anonymous(&directory.to_string_lossy())?,
        None => git.find_remote(&link.name)?,
    };
    let mut connection = remote.connect_auth(Direction::Fetch, Some(callbacks(deadline)), None)?;
    let heads = connection.list()?;
    let references = heads.len();
    let found = Found::of(link, ask, |reference| Ok(id_of(heads, reference)))?;
    let wanted = found.changed(git, link);
    let refspecs: Vec<String> = wanted
        .iter()
        .filter(|wanted| wanted.there.is_some())
        .map(|wanted| format!("+{}:{}", wanted.reference, wanted.kept))
        .collect();
    if !refspecs.is_empty() {
        let mut options = FetchOptions::new();
        options
            .remote_callbacks(callbacks(deadline))
            .download_tags(AutotagOption::None)
            .update_fetchhead(false);
        let packs = NewPacks::since_now(git);
        connection.remote().download(&refspecs, Some(&mut options))?;
        packs.sync().map_err(|error| git2::Error::from_str(&error.to_string()))?;
    }
    found.keep(git, link, &wanted, connection.remote())?;
    Ok(LibraryLook { seen: found.seen(git)?, references, has_downloaded: !refspecs.is_empty() })
}

/// The same where the remote is open; `None`: what has changed there has to be fetched.
fn look_beside(
    git: &Repository,
    there: &Repository,
    link: &Link,
    ask: Ask,
) -> Result<Option<LibraryLook>, git2::Error> {
    let found = Found::of(link, ask, |reference| match there.refname_to_id(reference) {
        Ok(id) => Ok(Some(id)),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(error),
    })?;
    if found.tip.is_none() {
        return Ok(None);
    }
    let wanted = found.changed(git, link);
    for Wanted { there: id, kept, .. } in &wanted {
        let Some(id) = id else { continue };
        // The first time all that is there would be new.
        let Ok(base) = git.refname_to_id(kept) else { return Ok(None) };
        if !beside::fetch(there, git, base, *id)? {
            return Ok(None);
        }
    }
    if !wanted.is_empty() {
        found.keep(git, link, &wanted, &git.find_remote(&link.name)?)?;
    }
    Ok(Some(LibraryLook { seen: found.seen(git)?, references: 0, has_downloaded: false }))
}

fn push(
    git: &Repository,
    name: &str,
    order: &Order,
    refspec: &str,
    deadline: Deadline,
) -> Result<LibraryPush, git2::Error> {
    let expected = order.expected.as_ref().map(oid).transpose()?.unwrap_or(Oid::ZERO_SHA1);
    let commit = oid(&order.commit)?;
    let (has_moved, is_there, answer) = (Cell::new(false), Cell::new(false), RefCell::new(None));
    let result = {
        let mut callbacks = callbacks(deadline);
        callbacks.push_negotiation(|updates| {
            // What the reference names there, as the server has said by this connection.
            let is_deletion = refspec.starts_with(':');
            if !is_deletion && updates.iter().all(|update| update.src() == commit) {
                is_there.set(true);
                return Err(git2::Error::from_str("nothing has to be sent"));
            }
            if updates.iter().all(|update| update.src() == expected) {
                return Ok(());
            }
            has_moved.set(true);
            Err(git2::Error::from_str("it has moved"))
        });
        callbacks.push_update_reference(|reference, status| {
            if reference == order.reference {
                *answer.borrow_mut() = Some(status.map(str::to_owned));
            }
            Ok(())
        });
        let mut options = PushOptions::new();
        options.remote_callbacks(callbacks);
        git.find_remote(name)?.push(&[refspec], Some(&mut options))
    };
    if is_there.get() {
        return Ok(LibraryPush::Accepted);
    }
    if has_moved.get() {
        return Ok(LibraryPush::Refused(RefusalKind::Moved, "stale info".to_owned()));
    }
    match (result, answer.into_inner()) {
        (_, Some(None)) => Ok(LibraryPush::Accepted),
        // libgit2 keeps the server's reason to itself. A push that was cut on its way is one.
        (_, Some(Some(said))) if said.contains("unpacker error") => {
            Ok(LibraryPush::Refused(RefusalKind::NotTakenIn, said))
        }
        (_, Some(Some(said))) => Ok(LibraryPush::Refused(refusal_kind(&said, ""), said)),
        (Err(error), None) if error.code() == ErrorCode::NotFastForward => {
            Ok(LibraryPush::Refused(RefusalKind::Moved, "non-fast-forward".to_owned()))
        }
        (Err(error), None) => Err(error),
        (Ok(()), None) => Ok(LibraryPush::Unanswered),
    }
}
