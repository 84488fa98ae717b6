//! What a remote answered.

use std::fmt;

use crate::publish::ObjectId;

/// The remote at one moment, by one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteSeen {
    /// The branch's commit, which is stored here now; `None`: there is no such branch.
    pub tip: Option<ObjectId>,
    /// The lease beside it; also `None` where there is no branch.
    pub lease: Option<LeaseSeen>,
}

/// A lease as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseSeen {
    /// Its commit: another one with each renewal.
    pub id: ObjectId,
    /// The token of the claim that it belongs to. A lease of another claim than the branch's is no sign of life.
    pub token: Option<String>,
}

/// What a push carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushKind {
    /// A claim, or another change of the state alone: the user's hook `pre-push` does not run.
    Turn,
    /// Work: the repository's hooks run, where the installed git pushes.
    Work,
}

/// What the server said to a push. That nobody knows is an error instead.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a push that was refused has changed nothing"]
pub enum Pushed {
    /// The branch names the commit: the server said so for this very reference.
    Accepted,
    /// The server, or git before it asked, definitely said no: the branch was not moved by this push.
    Refused(Refusal),
}

/// Why a push was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// The branch does not name the expected commit any more: look again.
    Moved,
    /// The server could not lock the reference, since somebody else pushes or a lock was left behind: try again.
    Busy,
    /// The server could not take in what was sent, and does not say why: try again.
    NotTakenIn,
    /// A hook or a rule of the server's forbids it, or it cannot write: trying again does not help.
    Declined,
    /// The user's own hook `pre-push` forbids it; nothing was sent.
    Hook,
}

/// A refusal, in words for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Refusal {
    /// Its class.
    pub kind: RefusalKind,
    /// What the server said about the reference, such as `stale info`.
    pub reason: String,
    /// The last lines that hooks or the server printed, without credentials.
    pub said: Vec<String>,
    /// The remote's name.
    pub remote: String,
    /// Where it was pushed to, without credentials.
    pub url: String,
    /// What was pushed, without `refs/heads/`.
    pub branch: String,
}

impl Refusal {
    /// Whether the same push may be taken later: somebody else was faster, or at work there.
    pub const fn may_pass(&self) -> bool {
        match self.kind {
            RefusalKind::Moved | RefusalKind::Busy | RefusalKind::NotTakenIn => true,
            RefusalKind::Declined | RefusalKind::Hook => false,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, reason, said, remote, url, branch } = self;
        match kind {
            RefusalKind::Moved => {
                return write!(
                    f,
                    "`{branch}` of the remote `{remote}` ({url}) has moved meanwhile ({reason}); nothing was pushed"
                );
            }
            RefusalKind::Busy => write!(
                f,
                "the remote `{remote}` ({url}) could not move `{branch}` ({reason}); if that stays so, a git was killed \
                 there, and left a lock that its owner can remove:"
            )?,
            RefusalKind::NotTakenIn => write!(
                f,
                "the remote `{remote}` ({url}) could not take in what was pushed to `{branch}` ({reason}); if that stays so, its \
                 disk may be full, or it takes no such objects:"
            )?,
            RefusalKind::Declined => write!(
                f,
                "the remote `{remote}` ({url}) does not take this push to `{branch}` ({reason}); put right what it names, or \
                 have its owner allow it:"
            )?,
            RefusalKind::Hook => write!(
                f,
                "the hook `pre-push` refused the push to `{branch}` of the remote `{remote}`; put right what it names, or the hook:"
            )?,
        }
        if said.is_empty() {
            return write!(f, " it said nothing more");
        }
        said.iter().try_for_each(|line| write!(f, "\n        {line}"))
    }
}

/// How many of the last lines an error shows.
const SHOWN_LINES: usize = 8;

/// The last lines that are worth showing.
pub(super) fn last_lines(text: &str) -> Vec<String> {
    let worth = |line: &&str| !line.is_empty() && !line.starts_with("error: failed to push some refs");
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(worth).collect();
    lines[lines.len().saturating_sub(SHOWN_LINES)..].iter().map(|line| (*line).to_owned()).collect()
}

/// One line of `git push --porcelain`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RefLine {
    /// The server said ok, or has it already.
    Ok,
    /// A definite no.
    Refused {
        /// By git itself, before it sent anything.
        here: bool,
        reason: String,
    },
    /// The server did not say.
    Unanswered(String),
}

/// What `git push --porcelain` says about a reference; `None` where it says nothing about it.
pub(super) fn read_porcelain(printed: &str, reference: &str) -> Option<RefLine> {
    printed.lines().find_map(|line| {
        let mut fields = line.splitn(3, '\t');
        let (flag, names, summary) = (fields.next()?, fields.next()?, fields.next()?);
        (names.rsplit_once(':')?.1 == reference).then(|| read_flag(flag, summary))
    })
}

fn read_flag(flag: &str, summary: &str) -> RefLine {
    let reason = |prefix: &str| {
        let rest = summary.strip_prefix(prefix)?.trim();
        let inner = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
        Some(inner.unwrap_or(rest).to_owned())
    };
    match flag {
        " " | "*" | "+" | "=" | "-" => RefLine::Ok,
        "!" => {
            let here = reason("[rejected]").map(|reason| RefLine::Refused { here: true, reason });
            let there = || reason("[remote rejected]").map(|reason| RefLine::Refused { here: false, reason });
            here.or_else(there).unwrap_or_else(|| RefLine::Unanswered(summary.to_owned()))
        }
        _ => RefLine::Unanswered(summary.to_owned()),
    }
}

/// Whether the server refused only because the push ended before it had all of it: the connection was cut on the way there,
/// and the answer still came through.
pub(super) fn is_cut_off(reason: &str, said: &str) -> bool {
    const ENDED_EARLY: [&str; 3] = ["eof before pack header", "early EOF", "unexpected disconnect"];
    reason.contains("unpacker error") && ENDED_EARLY.iter().any(|text| said.contains(text))
}

/// The class of what a server said, with everything that it printed.
pub(super) fn refusal_kind(reason: &str, said: &str) -> RefusalKind {
    let has = |texts: &[&str]| texts.iter().any(|text| reason.contains(text) || said.contains(text));
    let moved =
        ["but expected", "reference already exists", "incorrect old value", "fetch first", "stale info"];
    let busy = ["failed to update ref", "cannot lock ref", "failed to lock", ".lock", "Unable to create"];
    if has(&moved) {
        RefusalKind::Moved
    } else if busy.iter().any(|text| reason.contains(text)) || said.contains("cannot lock ref") {
        RefusalKind::Busy
    } else {
        RefusalKind::Declined
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const REF: &str = "refs/heads/main";

    #[rstest]
    #[case(" \tc:refs/heads/main\ta..b", Some(RefLine::Ok))]
    #[case("*\tc:refs/heads/main\t[new branch]", Some(RefLine::Ok))]
    #[case("=\tc:refs/heads/main\t[up to date]", Some(RefLine::Ok))]
    #[case("=\tc:refs/heads/main2\t[up to date]", None)]
    #[case("To ../r.git\nDone", None)]
    #[case(
        "To x\n!\tc:refs/heads/main\t[rejected] (stale info)\nDone",
        Some(RefLine::Refused { here: true, reason: "stale info".into() })
    )]
    #[case(
        "!\tc:refs/heads/main\t[remote rejected] (failed to update ref)",
        Some(RefLine::Refused { here: false, reason: "failed to update ref".into() })
    )]
    #[case(
        "!\tc:refs/heads/main\t[remote failure] (remote failed to report status)",
        Some(RefLine::Unanswered("[remote failure] (remote failed to report status)".into()))
    )]
    #[case("?\tc:refs/heads/main\tnew words", Some(RefLine::Unanswered("new words".into())))]
    fn only_what_the_server_said_about_this_reference_counts(
        #[case] printed: &str,
        #[case] line: Option<RefLine>,
    ) {
        assert_eq!(read_porcelain(printed, REF), line);
    }

    #[test]
    fn what_a_server_could_not_take_in_is_told_with_the_likely_reasons() {
        let refusal = Refusal {
            kind: RefusalKind::NotTakenIn,
            reason: "unpacker error".to_owned(),
            said: Vec::new(),
            remote: "origin".to_owned(),
            url: "git://h/r".to_owned(),
            branch: "main".to_owned(),
        };
        assert!(refusal.may_pass());
        assert_eq!(
            refusal.to_string(),
            "the remote `origin` (git://h/r) could not take in what was pushed to `main` (unpacker error); if that stays so, \
             its disk may be full, or it takes no such objects: it said nothing more"
        );
    }

    #[rstest]
    #[case("unpacker error", "error: remote unpack failed: eof before pack header was fully read", true)]
    #[case(
        "unpacker error",
        "remote: fatal: early EOF\nerror: remote unpack failed: index-pack failed",
        true
    )]
    #[case("unpacker error", "error: remote unpack failed: unpack-objects abnormal exit", false)]
    #[case("pre-receive hook declined", "remote: early EOF", false)]
    fn a_push_that_was_cut_on_its_way_is_no_refusal(
        #[case] reason: &str,
        #[case] said: &str,
        #[case] cut: bool,
    ) {
        assert_eq!(is_cut_off(reason, said), cut);
    }

    #[rstest]
    #[case("failed to update ref", "error: cannot lock ref 'r': is at a but expected b", RefusalKind::Moved)]
    #[case(
        "failed to update ref",
        "error: cannot lock ref 'r': reference already exists",
        RefusalKind::Moved
    )]
    #[case("failed to update ref", "fatal: Unable to create '/r/main.lock': File exists.", RefusalKind::Busy)]
    #[case("failed to update ref", "", RefusalKind::Busy)]
    #[case("pre-receive hook declined", "remote: nothing on Fridays", RefusalKind::Declined)]
    #[case("protected branch hook declined", "", RefusalKind::Declined)]
    #[case("unpacker error", "error: insufficient permission", RefusalKind::Declined)]
    fn a_refusal_is_told_by_what_the_server_said(
        #[case] reason: &str,
        #[case] said: &str,
        #[case] kind: RefusalKind,
    ) {
        assert_eq!(refusal_kind(reason, said), kind);
    }
}
