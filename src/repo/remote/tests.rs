//! One suite over every way to look and to push, and every scheme, with real repositories, hooks and servers on loopback.

mod beside;
mod errors;
mod leases;
mod looks;
mod pushes;
mod races;
mod server;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::super::backend::{Changes, Copy};
use super::super::testing::{TestRepo, Way};
use super::{PushKind, Pushed, RefusalKind, Remote};
use crate::publish::ObjectId;
use server::Server;

/// How the remote is addressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Path,
    File,
    Git,
}

/// A bare repository, the server before it, and what is needed to make clones.
pub(super) struct Hub {
    pub(super) bare: PathBuf,
    url: String,
    server: Option<Server>,
    pub(super) first: TestRepo,
}

impl Hub {
    /// With one commit on `main`.
    pub(super) fn new(by: By) -> Self {
        let hub = Self::empty(by);
        hub.first.git(&["push", "-q", "origin", "main"]);
        hub
    }

    pub(super) fn empty(by: By) -> Self {
        let first = TestRepo::with(&[("a", "1")]);
        let bare = first.root.with_file_name("hub.git");
        first.git(&["init", "-q", "--bare", "-b", "main", "../hub.git"]);
        let server = (by == By::Git).then(|| Server::start(bare.parent().unwrap()));
        let url = match (by, &server) {
            (By::Git, Some(server)) => server.url("hub.git"),
            (By::File, _) => format!("file://{}", bare.display()),
            _ => bare.display().to_string(),
        };
        first.git(&["remote", "add", "origin", &url]);
        Self { bare, url, server, first }
    }

    /// Another machine's clone.
    pub(super) fn clone(&self) -> TestRepo {
        let clone = TestRepo::unborn();
        clone.git(&["remote", "add", "origin", &self.url]);
        clone.git(&["pull", "-q", "origin", "main"]);
        clone
    }

    /// What git says in the bare repository.
    pub(super) fn git(&self, arguments: &[&str]) -> String {
        let output = self.first.run_in(&self.bare, arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    pub(super) fn tip(&self) -> ObjectId {
        self.git(&["rev-parse", "main"]).parse().unwrap()
    }

    fn hook(&self, name: &str, script: &str) {
        write_hook(&self.bare.join("hooks").join(name), script);
    }

    pub(super) fn assert_sound(&self) {
        let output = self.first.run_in(&self.bare, &["fsck", "--strict", "--full"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && !said.contains("error"), "{said}");
    }
}

fn write_hook(path: &Path, script: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

pub(super) fn remote_of(repo: &TestRepo, way: Way) -> Remote {
    repo.open_as(way).remote("origin", "main").unwrap()
}

/// A commit on top of another, on no branch.
pub(super) fn child(remote: &Remote, parent: &ObjectId, message: &str) -> ObjectId {
    let copy =
        Copy { base: Some(parent), changes: &Changes::new(), parents: std::slice::from_ref(parent), message };
    remote.backend.store_copy(&copy).unwrap()
}

fn refused(pushed: Pushed) -> (RefusalKind, String) {
    match pushed {
        Pushed::Accepted => panic!("it was accepted"),
        Pushed::Refused(refusal) => (refusal.kind, refusal.to_string()),
    }
}

/// Every file of a directory with its length and times: whatever is written changes something.
fn snapshot(directory: &Path) -> BTreeMap<PathBuf, (u64, std::time::SystemTime)> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        let metadata = entry.path().symlink_metadata().unwrap();
        found.insert(entry.path(), (metadata.len(), metadata.modified().unwrap()));
        if metadata.is_dir() {
            found.extend(snapshot(&entry.path()));
        }
    }
    found
}

#[test]
fn a_remote_can_be_sent_to_another_thread() {
    const fn sendable<T: Send>() {}
    sendable::<Remote>();
}
