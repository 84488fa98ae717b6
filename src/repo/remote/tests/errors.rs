//! What a person reads when a remote does not answer.

use std::time::Duration;

use rstest::rstest;

use super::super::super::testing::{TestRepo, Way};
use super::super::super::{Repo, RepoError};
use super::super::{Engine, Remote, RemoteError};
use super::server::Server;
use super::{By, Hub, PushKind, child, remote_of, write_hook};
use crate::config::{GitBackend, GitConfig};
use crate::model::Span;

fn with_origin(url: &str) -> TestRepo {
    let repo = TestRepo::with(&[("a", "1")]);
    repo.git(&["remote", "add", "origin", url]);
    repo
}

fn look_fails(repo: &TestRepo, way: Way) -> RemoteError {
    remote_of(repo, way).look().unwrap_err()
}

#[rstest]
fn a_remote_that_is_not_configured_is_named(
    #[values(Way::Library, Way::LibraryAlone, Way::Program)] way: Way,
) {
    let repo = TestRepo::with(&[]);
    let refusal = |repo: &TestRepo| repo.open_as(way).remote("origin", "main").unwrap_err().to_string();
    assert_eq!(refusal(&repo), "there is no remote `origin`; add it with `git remote add origin <URL>`");
    repo.git(&["remote", "add", "upstream", "/x"]);
    assert_eq!(
        refusal(&repo),
        "there is no remote `origin` (only `upstream`); add it with `git remote add origin <URL>`, or name another in `git.remote`"
    );
}

#[rstest]
fn a_remote_with_two_addresses_is_refused(#[values(Way::Library, Way::LibraryAlone, Way::Program)] way: Way) {
    let repo = with_origin("/x");
    repo.git(&["remote", "set-url", "--add", "origin", "/y"]);
    assert_eq!(
        repo.open_as(way).remote("origin", "main").unwrap_err().to_string(),
        "the remote `origin` has 2 addresses, and a turn is passed through one; leave one with `git remote set-url --delete origin <URL>`, or set `git.remote` to another"
    );
}

#[rstest]
#[case("https://me:secret@host/r", "https://host/r", "https://")]
#[case("git@host:r.git", "git@host:r.git", "ssh")]
fn what_needs_git_says_so(#[case] url: &str, #[case] shown: &str, #[case] scheme: &str) {
    let repo = with_origin(url);
    let error = repo.open_as(Way::LibraryAlone).remote("origin", "main").unwrap_err();
    assert!(error.is_condition());
    assert_eq!(
        error.to_string(),
        format!(
            "the remote `origin` ({shown}) is reached by {scheme}, which needs git, and no `git` is on PATH; install git"
        )
    );
}

#[rstest]
#[case(Way::Library, "'/nowhere/r.git' does not appear to be a git repository")]
#[case(Way::Program, "'/nowhere/r.git' does not appear to be a git repository")]
#[case(Way::LibraryAlone, "No such file or directory")]
fn a_path_without_a_repository_is_named(#[case] way: Way, #[case] said: &str) {
    let error = look_fails(&with_origin("/nowhere/r.git"), way);
    assert!(!error.is_transient());
    assert_eq!(
        error.to_string(),
        format!(
            "there is no repository at /nowhere/r.git (the remote `origin`), or not for us: {said}; check the address with `git remote get-url origin`, and change it with `git remote set-url origin <URL>`"
        )
    );
}

#[rstest]
#[case(Way::Library)]
#[case(Way::Program)]
fn a_repository_that_the_server_does_not_have_is_named(#[case] way: Way) {
    let hub = Hub::new(By::Git);
    let url = hub.server.as_ref().unwrap().url("nothing.git");
    let error = look_fails(&with_origin(&url), way);
    assert!(!error.is_transient());
    assert!(
        error
            .to_string()
            .starts_with(&format!("there is no repository at {url} (the remote `origin`), or not for us: ")),
        "{error}"
    );
    assert!(error.to_string().contains("access denied or repository not exported: /nothing.git"), "{error}");
}

#[rstest]
#[case(Way::Library, "failed to connect to 127.0.0.1: Connection refused")]
#[case(Way::Program, "unable to connect to 127.0.0.1, 127.0.0.1[0: 127.0.0.1]: errno=Connection refused")]
fn a_server_that_is_not_there_is_named(#[case] way: Way, #[case] said: &str) {
    let error = look_fails(&with_origin("git://127.0.0.1:1/r"), way);
    assert!(error.is_transient());
    assert_eq!(
        error.to_string(),
        format!(
            "cannot reach the remote `origin` (git://127.0.0.1:1/r): {said}; check the network, and `git ls-remote origin`"
        )
    );
}

fn patient_for(repo: &TestRepo, backend: GitBackend, limit: Duration) -> Remote {
    let git = GitConfig { backend, remote: "origin".to_owned(), timeout: Span(limit) };
    Repo::open_configured(&repo.root, &git, &repo.ambient()).unwrap().remote("origin", "main").unwrap()
}

#[rstest]
#[case(GitBackend::Auto)]
#[case(GitBackend::Git2)]
#[case(GitBackend::Cli)]
fn a_server_that_hangs_is_left_at_the_time_limit(#[case] backend: GitBackend) {
    let server = Server::hanging();
    let url = server.url("r.git");
    let repo = with_origin(&url);
    let remote = patient_for(&repo, backend, Duration::from_secs(1));
    let text = format!(
        "the remote `origin` ({url}) did not answer within 1 s (`git.timeout`); check the network, and `git ls-remote origin`, or allow more time"
    );
    let running = repo.ambient().stopwatch();
    let error = remote.look().unwrap_err();
    assert!(error.is_transient());
    assert_eq!(error.to_string(), text);
    let commit = child(&remote, &repo.git(&["rev-parse", "HEAD"]).trim().parse().unwrap(), "x");
    assert_eq!(remote.push(&commit, None, PushKind::Turn).unwrap_err().to_string(), text);
    assert!(running.elapsed() < Duration::from_secs(30), "{:?}", running.elapsed());
}

#[test]
fn a_remote_that_answers_again_is_used_again() {
    let hub = Hub::new(By::Git);
    let hanging = Server::hanging();
    let clone = hub.clone();
    clone.git(&["remote", "set-url", "origin", &hanging.url("hub.git")]);
    let remote = patient_for(&clone, GitBackend::Auto, Duration::from_secs(1));
    assert!(remote.look().is_err());
    clone.git(&["remote", "set-url", "origin", &hub.url]);
    assert_eq!(remote.look().unwrap(), Some(hub.tip()));
}

/// A program in the place of ssh that notes its options and lets the command run here.
fn with_ssh(hub: &Hub, script: &str) -> TestRepo {
    let mut clone = hub.clone();
    let directory = clone.root.with_file_name("bin");
    write_hook(&directory.join("ssh"), script);
    let path = clone.ambient().var("PATH").unwrap().to_owned();
    clone.set_env("PATH", &format!("{}:{path}", directory.display()));
    clone.git(&["remote", "set-url", "origin", &format!("git@host:{}", hub.bare.display())]);
    clone
}

#[test]
fn ssh_goes_through_the_installed_git_and_asks_nothing() {
    let hub = Hub::new(By::Path);
    let clone = with_ssh(&hub, "echo \"$@\" >> \"$0.log\"; for last; do :; done; exec sh -c \"$last\"");
    let remote = remote_of(&clone, Way::Library);
    assert!(matches!(remote.facts().looks.engine, Engine::Program(_)));
    let tip = remote.look().unwrap();
    assert_eq!(tip, Some(hub.tip()));
    let commit = child(&remote, &hub.tip(), "x");
    assert_eq!(remote.push(&commit, tip.as_ref(), PushKind::Work).unwrap(), super::Pushed::Accepted);
    let log = std::fs::read_to_string(clone.root.with_file_name("bin").join("ssh.log")).unwrap();
    assert_eq!(log.lines().count(), 2, "{log}");
    assert!(log.lines().all(|line| line.starts_with("-o BatchMode=yes ")), "{log}");
}

#[rstest]
#[case(
    "echo 'git@host: Permission denied (publickey).' >&2; exit 255",
    false,
    "the remote `origin` (URL) does not let us in: git@host: Permission denied (publickey); set up access until `git ls-remote origin` and `git push --dry-run origin` work without a question"
)]
#[case(
    "echo 'ssh: connect to host host port 22: Connection timed out' >&2; exit 255",
    true,
    "cannot reach the remote `origin` (URL): ssh: connect to host host port 22: Connection timed out; check the network, and `git ls-remote origin`"
)]
#[case(
    "exit 255",
    true,
    "cannot reach the remote `origin` (URL): it said nothing; check the network, and `git ls-remote origin`"
)]
fn what_ssh_says_is_told_apart(#[case] script: &str, #[case] transient: bool, #[case] text: &str) {
    let hub = Hub::new(By::Path);
    let error = look_fails(&with_ssh(&hub, script), Way::Library);
    assert_eq!(error.is_transient(), transient);
    let url = format!("git@host:{}", hub.bare.display());
    assert_eq!(error.to_string().replace(&url, "URL"), text);
}

/// The server that closes the connection while git writes makes it end by SIGPIPE, with nothing said.
#[rstest]
#[case(
    "kill -PIPE $$",
    true,
    "the connection to the remote `origin` (URL) broke off: broken pipe: the other side closed the connection"
)]
#[case(
    "exit 141",
    true,
    "the connection to the remote `origin` (URL) broke off: broken pipe: the other side closed the connection"
)]
#[case("kill -KILL $$", false, "git failed to DO the remote `origin` (URL): git was ended by signal 9")]
fn a_git_that_a_signal_has_ended_is_told_by_the_signal(
    #[case] script: &str,
    #[case] transient: bool,
    #[case] text: &str,
) {
    let hub = Hub::new(By::Path);
    let mut clone = hub.clone();
    let commit = child(&remote_of(&clone, Way::Program), &hub.tip(), "x");
    let directory = clone.root.with_file_name("bin");
    let path = clone.ambient().var("PATH").unwrap().to_owned();
    write_hook(
        &directory.join("git"),
        &format!(
            "for word in \"$@\"; do case \"$word\" in fetch|push) {script} ;; esac; done\nPATH='{path}' exec git \"$@\""
        ),
    );
    clone.set_env("PATH", &format!("{}:{path}", directory.display()));
    let remote = remote_of(&clone, Way::Program);
    let look = remote.look().unwrap_err();
    let push = remote.push(&commit, Some(&hub.tip()), PushKind::Turn).unwrap_err();
    for (error, doing) in [(look, "look at"), (push, "push to")] {
        assert_eq!(error.is_transient(), transient, "{error}");
        assert!(error.may_have_arrived(), "{error}");
        let said = error.to_string().replace(&hub.bare.display().to_string(), "URL");
        assert_eq!(said, text.replace("DO", doing));
    }
}

#[test]
fn conditions_are_found_before_anything_is_done() {
    let repo = TestRepo::with(&[]);
    let error = repo.open().remote("origin", "main").unwrap_err();
    assert!(matches!(error, RepoError::NoRemote { .. }));
    assert!(error.is_condition());
}

#[rstest]
fn a_lock_that_a_killed_look_has_left_is_named(
    #[values(Way::Library, Way::LibraryAlone, Way::Program)] way: Way,
    #[values(By::Path, By::Git)] by: By,
) {
    let hub = Hub::new(by);
    let clone = hub.clone();
    let lock = clone.root.join(".git/refs/baton/remote/heads/main.lock");
    std::fs::create_dir_all(lock.parent().unwrap()).unwrap();
    std::fs::write(&lock, "").unwrap();
    let error = look_fails(&clone, way);
    assert!(!error.is_transient());
    assert_eq!(
        error.to_string(),
        format!(
            "`{}` exists: another git is at work there, or was killed; if no git is running in this repository, remove the file and start again",
            lock.display()
        )
    );
    std::fs::remove_file(lock).unwrap();
    assert_eq!(remote_of(&clone, way).look().unwrap(), Some(hub.tip()));
}
