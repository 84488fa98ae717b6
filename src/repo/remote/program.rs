//! Looks and pushes by the installed git: one process a connection.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::ExitStatus;

use rustix::process::Signal;

use super::super::program::{Call, Finished, GitProgram};
use super::super::stop::StopSign;
use super::address::Address;
use super::answer::{
    LeaseSeen, PushKind, Pushed, RefLine, RefusalKind, RemoteSeen, is_cut_off, read_porcelain, refusal_kind,
};
use super::error::RemoteError;
use super::lease::lease_token;
use super::link::{Ask, Link, Order};
use crate::publish::ObjectId;

/// The installed git, and how it calls ssh.
#[derive(Debug)]
pub(super) struct ProgramLink {
    program: GitProgram,
    /// `GIT_SSH_COMMAND`; `None` leaves the user's own way alone.
    ssh: Option<OsString>,
    /// What receives a push; `None`: as git and the user's configuration have it.
    receiver: Option<OsString>,
    stop: StopSign,
}

/// Nothing but what is asked for: no maintenance, no questions, no second connection.
const QUIET: [&str; 6] =
    ["-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "credential.interactive=false"];

/// What would make a push of one reference more than that.
const ONLY_THIS: [&str; 6] =
    ["-c", "push.pushOption=", "-c", "push.negotiate=false", "-c", "submodule.recurse=false"];

const FIELDS: &str = "--format=%(refname)%00%(objectname)%00%(contents)%00%00";

impl ProgramLink {
    /// `takes_short_way`: pushes go to a directory, and nobody has said what receives them there.
    pub(super) fn new(program: GitProgram, ssh: Option<OsString>, takes_short_way: bool) -> Self {
        let receiver = takes_short_way.then(|| receiver(program.path()));
        Self { program, ssh, receiver, stop: StopSign::default() }
    }

    pub(super) fn obey(&mut self, stop: &StopSign) {
        self.stop = stop.clone();
    }

    pub(super) fn path(&self) -> &Path {
        self.program.path()
    }

    fn quiet<'a>(&self, call: Call<'a>) -> Call<'a> {
        let call = call
            .env("GIT_ASKPASS", "")
            .env("SSH_ASKPASS_REQUIRE", "never")
            .env("GCM_INTERACTIVE", "never")
            .until(&self.stop);
        match &self.ssh {
            Some(ssh) => call.env("GIT_SSH_COMMAND", ssh),
            None => call,
        }
    }

    pub(super) fn look(&self, link: &Link, ask: Ask) -> Result<RemoteSeen, RemoteError> {
        let finished = match self.fetch(link, ask, &[])? {
            // A remote-tracking branch of the user's that is in the way is not ours to mend.
            finished if !is_ok(&finished) && IN_THE_WAY.iter().any(|words| finished.said.contains(words)) => {
                self.fetch(link, ask, &["--refmap="])?
            }
            finished => finished,
        };
        let Some(status) = finished.status else {
            return Err(unanswered(link, &link.fetch, finished.was_stopped));
        };
        if !status.success() {
            let missing = format!("couldn't find remote ref {}", link.branch_reference());
            if finished.said.contains(&missing) {
                self.forget(&[link.kept_branch(), link.kept_lease()])?;
                return Ok(RemoteSeen { tip: None, lease: None });
            }
            return Err(link
                .lock_left()
                .unwrap_or_else(|| link.look_failed(&with_signal(&finished.said, status))));
        }
        self.read_kept(link, ask, &finished.said)
    }

    fn fetch(&self, link: &Link, ask: Ask, more: &[&str]) -> Result<Finished, RemoteError> {
        let mut refspecs = vec![format!("+{}:{}", link.branch_reference(), link.kept_branch())];
        if ask == Ask::TipAndLease {
            // As a pattern, since git would fail where the lease does not exist.
            refspecs.push(format!("+{}*:{}*", link.lease_reference(), link.kept_lease()));
        }
        let call = self
            .program
            .write(&QUIET)
            .arguments(["-c".to_owned(), format!("core.filesRefLockTimeout={}", link.patience.as_millis())])
            .arguments(["-c", "fetch.output=full", "fetch", "--verbose", "--no-tags", "--no-prune"])
            .arguments(["--no-write-fetch-head", "--recurse-submodules=no"])
            .arguments(more)
            .arguments(["--", link.name.as_str()])
            .arguments(refspecs);
        self.quiet(call).finish().map_err(|failure| link.look_failed(&failure.said))
    }

    /// What the fetch has kept. A lease that it did not list is there no more.
    fn read_kept(&self, link: &Link, ask: Ask, said: &str) -> Result<RemoteSeen, RemoteError> {
        let (branch, lease) = (link.kept_branch(), link.kept_lease());
        let listed = self
            .program
            .look(&["for-each-ref", FIELDS, &branch, &lease])
            .run()
            .map_err(self.program.failed("read what was fetched"))?;
        let listed = String::from_utf8_lossy(&listed);
        let mut seen = RemoteSeen { tip: None, lease: None };
        for entry in listed.split("\0\0\n") {
            let mut fields = entry.splitn(3, '\0');
            let (Some(name), Some(id)) = (fields.next(), fields.next()) else { continue };
            let Ok(id) = id.parse::<ObjectId>() else { continue };
            if name == branch {
                seen.tip = Some(id);
            } else if name == lease {
                seen.lease = Some(LeaseSeen { id, token: lease_token(fields.next().unwrap_or_default()) });
            }
        }
        if seen.tip.is_none() {
            return Err(link.look_failed("it fetched the branch and did not keep it"));
        }
        if ask == Ask::Tip {
            seen.lease = None;
        } else if seen.lease.is_some() && !is_listed(said, &lease) {
            self.forget(&[lease])?;
            seen.lease = None;
        }
        Ok(seen)
    }

    fn forget(&self, names: &[String]) -> Result<(), RemoteError> {
        let orders = names.iter().fold(String::new(), |orders, name| orders + "delete " + name + "\0\0");
        let call = self.program.write(&["update-ref", "--stdin", "-z"]).input(orders.as_bytes());
        call.run().map_err(self.program.failed("forget what was fetched"))?;
        Ok(())
    }

    pub(super) fn push(&self, link: &Link, order: &Order) -> Result<Pushed, RemoteError> {
        let refspec = format!("{}:{}", order.commit, order.reference);
        let finished = self.run_push(link, order, &refspec, &[])?;
        self.read_push(link, order, finished)
    }

    pub(super) fn delete(
        &self,
        link: &Link,
        reference: &str,
        expected: &ObjectId,
    ) -> Result<Pushed, RemoteError> {
        let order = Order {
            reference: reference.to_owned(),
            commit: expected.clone(),
            expected: Some(expected.clone()),
            kind: PushKind::Turn,
        };
        let finished = self.run_push(link, &order, &format!(":{reference}"), &[])?;
        self.read_push(link, &order, finished)
    }

    /// A push of nothing new to a name that nobody uses, which git breaks off before it sends anything.
    pub(super) fn check_push(&self, link: &Link, commit: &ObjectId) -> Result<(), RemoteError> {
        let order = Order {
            reference: format!("refs/baton/{}/check", link.branch),
            commit: commit.clone(),
            expected: None,
            kind: PushKind::Turn,
        };
        let refspec = format!("{commit}:{}", order.reference);
        let finished = self.run_push(link, &order, &refspec, &["--dry-run"])?;
        match self.read_push(link, &order, finished)? {
            Pushed::Accepted => Ok(()),
            Pushed::Refused(refusal) => Err(link.push_failed(&refusal.reason)),
        }
    }

    fn run_push(
        &self,
        link: &Link,
        order: &Order,
        refspec: &str,
        more: &[&str],
    ) -> Result<Finished, RemoteError> {
        let expected = order.expected.as_ref().map_or("", ObjectId::as_str);
        let call = match order.kind {
            PushKind::Turn => self.program.write(&QUIET),
            // Hooks are anybody's programs: a language that knows all letters.
            PushKind::Work => self
                .program
                .write_with_hooks(&QUIET)
                .env("LC_ALL", "C.UTF-8")
                .env("LANGUAGE", "")
                .env("GIT_EDITOR", ":"),
        };
        let call = call
            .arguments(ONLY_THIS)
            .arguments(["-c".to_owned(), format!("remote.{}.mirror=false", link.name)])
            .arguments(["push", "--porcelain", "--no-follow-tags", "--recurse-submodules=no", "--no-signed"])
            .arguments((order.kind == PushKind::Turn).then_some("--no-verify"))
            .arguments(&self.receiver)
            .arguments(more)
            .arguments([format!("--force-with-lease={}:{expected}", order.reference)])
            .arguments(["--", link.name.as_str(), refspec]);
        self.quiet(call).finish().map_err(|failure| link.push_failed(&failure.said))
    }

    fn read_push(&self, link: &Link, order: &Order, finished: Finished) -> Result<Pushed, RemoteError> {
        let Finished { status, was_stopped, printed, said } = finished;
        let refused = |kind, reason: &str| Ok(link.refusal(&order.reference, kind, reason, &said));
        match read_porcelain(&String::from_utf8_lossy(&printed), &order.reference) {
            Some(RefLine::Ok) => Ok(Pushed::Accepted),
            Some(RefLine::Refused { here: true, reason }) => refused(RefusalKind::Moved, &reason),
            Some(RefLine::Refused { here: false, reason }) if is_cut_off(&reason, &said) => {
                Err(link.push_failed(&said))
            }
            Some(RefLine::Refused { here: false, reason }) => refused(refusal_kind(&reason, &said), &reason),
            Some(RefLine::Unanswered(summary)) => Err(link.push_failed(&format!("{said}\n{summary}"))),
            None => match status {
                None => Err(unanswered(link, &link.push, was_stopped)),
                // git says nothing of its own where the hook has failed, and dies of anything else.
                Some(status)
                    if order.kind == PushKind::Work
                        && status.code() == Some(1)
                        && !said.contains("fatal: ")
                        && self.has_pre_push() =>
                {
                    refused(RefusalKind::Hook, "pre-push hook failed")
                }
                Some(status) => Err(link.push_failed(&with_signal(&said, status))),
            },
        }
    }

    fn has_pre_push(&self) -> bool {
        self.program.pre_push().is_some()
    }
}

/// The same git, which need not start another one to list the references of repositories that the remote borrows objects
/// from: they would only spare it some of what is sent. A third of the time of a small push.
fn receiver(program: &Path) -> OsString {
    let mut option = OsString::from("--receive-pack='");
    option.push(program.to_string_lossy().replace('\'', r"'\''"));
    option.push("' -c core.alternateRefsCommand=true receive-pack");
    option
}

/// What git said, and the signal that ended it. A connection that the other side closes while git writes ends it by SIGPIPE
/// before it can say anything.
fn with_signal(said: &str, status: ExitStatus) -> String {
    // A git that runs another one passes its end on as a shell does.
    const BY_PIPE: i32 = 128 + Signal::PIPE.as_raw();
    let signal = status.signal().or((status.code() == Some(BY_PIPE)).then_some(Signal::PIPE.as_raw()));
    match signal {
        None => said.to_owned(),
        Some(signal) if signal == Signal::PIPE.as_raw() => {
            format!("{said}\nbroken pipe: the other side closed the connection")
        }
        Some(signal) => format!("{said}\ngit was ended by signal {signal}"),
    }
}

fn unanswered(link: &Link, address: &Address, was_stopped: bool) -> RemoteError {
    if was_stopped { link.stopped(address) } else { link.timed_out(address) }
}

fn is_ok(finished: &Finished) -> bool {
    finished.status.is_some_and(|status| status.success())
}

/// What git says of a reference here that it could not move: something stands there, or another fetch was faster.
const IN_THE_WAY: [&str; 2] = ["could not be updated", "unable to update local ref"];

/// Whether `git fetch --verbose` named this reference, changed or not.
fn is_listed(said: &str, kept: &str) -> bool {
    said.lines().any(|line| {
        let target = line.rsplit_once(" -> ").map(|(_, target)| target);
        target.and_then(|target| target.split_whitespace().next()) == Some(kept)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_fetch_names_is_there() {
        let said = "From ../r\n = [up to date]      main       -> refs/baton/remote/heads/main\n + 1...2 refs/baton/main/lease -> refs/baton/remote/lease/main  (forced update)";
        assert!(is_listed(said, "refs/baton/remote/heads/main"));
        assert!(is_listed(said, "refs/baton/remote/lease/main"));
        assert!(!is_listed(said, "refs/baton/remote/lease/mai"));
    }
}
