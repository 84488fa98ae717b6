//! What can go wrong with a remote: each time, nobody knows whether the remote was changed.

use super::super::error::RepoError;
use super::address::Address;
use crate::publish::ObjectId;

/// A look or a push has no answer. After a push, only a look tells what became of it.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// No connection.
    #[error(
        "cannot reach the remote `{remote}` ({url}): {said}; check the network, and `git ls-remote {remote}`"
    )]
    Unreachable {
        /// Its name.
        remote: String,
        /// Where it is, without credentials.
        url: String,
        /// In git's words.
        said: String,
    },
    /// It took too long.
    #[error(
        "the remote `{remote}` ({url}) did not answer within {seconds} s (`git.timeout`); check the network, and \
         `git ls-remote {remote}`, or allow more time"
    )]
    TimedOut {
        /// Its name.
        remote: String,
        /// Where it is, without credentials.
        url: String,
        /// The limit.
        seconds: u64,
    },
    /// This process was asked to stop while it waited.
    #[error("the answer of the remote `{remote}` ({url}) was not waited for: this process was asked to stop")]
    Stopped {
        /// Its name.
        remote: String,
        /// Where it is, without credentials.
        url: String,
    },
    /// The connection was there, and ended too early.
    #[error("the connection to the remote `{remote}` ({url}) broke off: {said}")]
    BrokeOff {
        /// Its name.
        remote: String,
        /// Where it is, without credentials.
        url: String,
        /// In git's words.
        said: String,
    },
    /// The server has trouble of its own.
    #[error("the remote `{remote}` ({url}) cannot serve just now: {said}")]
    Busy {
        /// Its name.
        remote: String,
        /// Where it is, without credentials.
        url: String,
        /// In git's words.
        said: String,
    },
    /// It wants to know who we are, and believes nobody.
    #[error(
        "the remote `{remote}` ({url}) does not let us in: {said}; set up access until `git ls-remote {remote}` and \
         `git push --dry-run {remote}` work without a question"
    )]
    Authentication {
        /// Its name.
        remote: String,
        /// Where it is, without credentials.
        url: String,
        /// In git's words.
        said: String,
    },
    /// There is nothing, or it is hidden from us.
    #[error(
        "there is no repository at {url} (the remote `{remote}`), or not for us: {said}; check the address with \
         `git remote get-url {remote}`, and change it with `git remote set-url {remote} <URL>`"
    )]
    NoRepository {
        /// Its name.
        remote: String,
        /// Where it is, without credentials.
        url: String,
        /// In git's words.
        said: String,
    },
    /// git failed in another way.
    #[error("git failed to {doing} the remote `{remote}` ({url}): {said}")]
    Failed {
        /// As a verb phrase, such as `look at`.
        doing: &'static str,
        /// Its name.
        remote: String,
        /// Where it is, without credentials.
        url: String,
        /// In git's words.
        said: String,
    },
    /// The push would have thrown away commits of the remote's; nothing was sent.
    #[error(
        "{commit} does not stand on {expected}, so pushing it would undo others' commits; nothing was pushed"
    )]
    NotOnTop {
        /// What was to be pushed.
        commit: ObjectId,
        /// What the remote has.
        expected: ObjectId,
    },
    /// The repository here failed; nothing was sent.
    #[error(transparent)]
    Here(#[from] RepoError),
}

impl RemoteError {
    /// Whether there is nothing at the address, or nothing that we may see.
    pub const fn is_no_repository(&self) -> bool {
        matches!(self, Self::NoRepository { .. })
    }

    /// Whether this process was asked to stop: nothing is tried again.
    pub const fn is_stopped(&self) -> bool {
        matches!(self, Self::Stopped { .. })
    }

    /// Whether a push that ended so may have arrived all the same: only a look at the remote tells.
    pub const fn may_have_arrived(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::TimedOut { .. }
            | Self::Stopped { .. }
            | Self::BrokeOff { .. }
            | Self::Busy { .. }
            | Self::NoRepository { .. }
            | Self::Failed { .. } => true,
            Self::Authentication { .. } | Self::NotOnTop { .. } | Self::Here(_) => false,
        }
    }

    /// Whether waiting may help: the network, a time limit, trouble of the server's own. Otherwise a person has to act.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::TimedOut { .. }
            | Self::Stopped { .. }
            | Self::BrokeOff { .. }
            | Self::Busy { .. } => true,
            Self::Authentication { .. }
            | Self::NoRepository { .. }
            | Self::Failed { .. }
            | Self::NotOnTop { .. }
            | Self::Here(_) => false,
        }
    }
}

/// The class of what git said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Unreachable,
    BrokeOff,
    Busy,
    Authentication,
    NoRepository,
}

/// Texts of git, ssh, curl and libgit2, and what they mean; the first that occurs counts.
const TEXTS: [(Class, &[&str]); 6] = [
    (
        Class::Authentication,
        &[
            "authentication failed",
            "authentication required",
            "could not read username",
            "could not read password",
            "terminal prompts disabled",
            "permission denied (",
            "host key verification failed",
            "too many authentication failures",
            "returned error: 401",
            "returned error: 403",
            "status code: 401",
            "status code: 403",
            "invalid credentials",
            "marked as read only",
            "write access to repository not granted",
            "permission to ",
        ],
    ),
    (
        Class::NoRepository,
        &[
            "does not appear to be a git repository",
            "not a git repository",
            "repository not found",
            "repository not exported",
            "' not found",
            "status code: 404",
            "returned error: 404",
            "could not find repository",
            "failed to resolve path",
            "no such file or directory",
            "is not a valid repository",
        ],
    ),
    (
        Class::Busy,
        &[
            "returned error: 5",
            "returned error: 429",
            "status code: 5",
            "status code: 429",
            "cannot lock ref",
            "unable to create '",
            "too many connections",
        ],
    ),
    (
        Class::Unreachable,
        &[
            "connection refused",
            "could not resolve host",
            "name or service not known",
            "temporary failure in name resolution",
            "failed to resolve address",
            "network is unreachable",
            "no route to host",
            "connection timed out",
            "operation timed out",
            "timed out",
            "failed to connect",
            "couldn't connect",
            "unable to connect",
            "unable to look up",
        ],
    ),
    (
        Class::BrokeOff,
        &[
            "hung up unexpectedly",
            "early eof",
            "unexpected eof",
            "eof before pack header",
            "unexpected disconnect",
            "connection reset",
            "connection closed",
            "broken pipe",
            "recv failure",
            "send failure",
            "kex_exchange_identification",
            "rpc failed",
            "unexpected end of",
            "could not read refs from remote",
            "could not read report from remote",
            "failed to report status",
            "short packet",
            "early end",
            "expected flush after",
            "bad line length",
            "could not read report",
            "hung up upon initial contact",
        ],
    ),
    // What git adds to anything at all.
    (Class::Unreachable, &["could not read from remote repository"]),
];

fn class_of(said: &str) -> Option<Class> {
    let said = said.to_ascii_lowercase();
    let is_said = |(_, texts): &&(Class, &[&str])| texts.iter().any(|text| said.contains(text));
    TEXTS.iter().find(is_said).map(|(class, _)| *class)
}

/// The lines that say something, in one line.
fn in_one_line(said: &str) -> String {
    const NOISE: [&str; 8] = [
        "Looking up ",
        "Connecting to ",
        "Please make sure you have the correct access rights",
        "and the repository exists.",
        "fatal: Could not read from remote repository.",
        "error: failed to push some refs",
        "From ",
        "To ",
    ];
    // What git was at is noise, unless it says behind it why it failed.
    let ends_in_failure = |line: &str| line.find("fatal: ").is_some_and(|at| at > 0);
    let is_noise = |line: &str| NOISE.iter().any(|noise| line.starts_with(noise)) && !ends_in_failure(line);
    let worth = |line: &&str| !line.is_empty() && !is_noise(line);
    let lines: Vec<&str> = said.lines().map(str::trim).filter(worth).collect();
    let from = lines.len().saturating_sub(4);
    let bare = |line: &&str| {
        // What git was at stands before it on the same line.
        let bare = line.rsplit_once("fatal: ").map_or(*line, |(_, bare)| bare);
        bare.strip_prefix("error: ").unwrap_or(bare).trim_end_matches(['.', ':']).to_owned()
    };
    let said: Vec<String> = lines[from..].iter().map(bare).collect();
    if said.is_empty() { "it said nothing".to_owned() } else { said.join(", ") }
}

/// Sorts out what git said when it could not do something at an address.
pub(super) fn failed(doing: &'static str, remote: &str, address: &Address, said: &str) -> RemoteError {
    let class = class_of(said);
    let said = in_one_line(&address.hide(said));
    let (remote, url) = (remote.to_owned(), address.shown().to_owned());
    match class {
        Some(Class::Unreachable) => RemoteError::Unreachable { remote, url, said },
        Some(Class::BrokeOff) => RemoteError::BrokeOff { remote, url, said },
        Some(Class::Busy) => RemoteError::Busy { remote, url, said },
        Some(Class::Authentication) => RemoteError::Authentication { remote, url, said },
        Some(Class::NoRepository) => RemoteError::NoRepository { remote, url, said },
        None => RemoteError::Failed { doing, remote, url, said },
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(
        "ssh: connect to host h port 22: Connection refused\nfatal: Could not read from remote repository.",
        true
    )]
    #[case("ssh: Could not resolve hostname h: Temporary failure in name resolution", true)]
    #[case("fatal: unable to access 'https://h/': Could not resolve host: h", true)]
    #[case("fatal: the remote end hung up unexpectedly", true)]
    #[case("fatal: unable to access 'https://h/': The requested URL returned error: 503", true)]
    #[case("kex_exchange_identification: Connection closed by remote host", true)]
    #[case("error: remote unpack failed: eof before pack header was fully read", true)]
    #[case("failed to connect to 127.0.0.1: Connection refused", true)]
    #[case("git@h: Permission denied (publickey).\nfatal: Could not read from remote repository.", false)]
    #[case("Host key verification failed.\nfatal: Could not read from remote repository.", false)]
    #[case("fatal: could not read Username for 'https://h': terminal prompts disabled", false)]
    #[case("fatal: Authentication failed for 'https://h/r/'", false)]
    #[case("ERROR: Repository not found.\nfatal: Could not read from remote repository.", false)]
    #[case("fatal: unable to access 'https://h/': SSL certificate problem: unable to get issuer", false)]
    #[case("fatal: something new", false)]
    fn what_may_pass_by_itself_is_told_from_what_a_person_must_mend(
        #[case] said: &str,
        #[case] transient: bool,
    ) {
        let error = failed("look at", "origin", &Address::parse("https://h/r"), said);
        assert_eq!(error.is_transient(), transient, "{error}");
    }

    #[rstest]
    #[case(
        "git@h: Permission denied (publickey).\nfatal: Could not read from remote repository.\n\nPlease make sure you have the correct access rights\nand the repository exists.",
        "the remote `origin` (https://h/r) does not let us in: git@h: Permission denied (publickey); set up access until `git ls-remote origin` and `git push --dry-run origin` work without a question"
    )]
    #[case(
        "fatal: unable to access 'https://me:secret@h/r': The requested URL returned error: 503",
        "the remote `origin` (https://h/r) cannot serve just now: unable to access 'https://h/r': The requested URL returned error: 503"
    )]
    #[case(
        "fatal: the remote end hung up unexpectedly",
        "the connection to the remote `origin` (https://h/r) broke off: the remote end hung up unexpectedly"
    )]
    #[case("fatal: new", "git failed to look at the remote `origin` (https://h/r): new")]
    #[case("", "git failed to look at the remote `origin` (https://h/r): it said nothing")]
    fn errors_say_what_where_and_what_next(#[case] said: &str, #[case] text: &str) {
        let address = Address::parse("https://me:secret@h/r");
        assert_eq!(failed("look at", "origin", &address, said).to_string(), text);
    }
}
