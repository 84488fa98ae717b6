//! From a run under `strace` to what a disk held, and from there to a disk again.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::disk::{Content, Disk, Image, Node};
use super::trace::{Event, parse_trace};
use crate::support::Ended;

const CALLS: &str = "openat,open,creat,write,pwrite64,writev,pwritev,lseek,dup,dup2,dup3,fcntl,ftruncate,truncate,\
    fallocate,fsync,fdatasync,syncfs,sync,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,\
    rmdir,mkdir,mkdirat,chdir,fchdir,clone,clone3,fork,vfork,copy_file_range,sendfile,splice";

/// What a run does to the file system. It is given the words to start it with, and begins in `cwd`.
pub(crate) fn traced(cwd: &Path, run: impl FnOnce(&[&str])) -> Vec<Event> {
    let installed = std::process::Command::new("strace").arg("-V").output().is_ok();
    assert!(
        installed,
        "the loss of power is replayed from a trace: install `strace` (`apt-get install strace`)"
    );
    let trace = tempfile::NamedTempFile::new().unwrap();
    let trace_path = trace.path().to_str().unwrap();
    let which = format!("trace={CALLS}");
    run(&["strace", "-f", "-y", "-xx", "-s", "16777216", "-o", trace_path, "-e", &which]);
    let events = parse_trace(&fs::read_to_string(trace.path()).unwrap(), cwd);
    let syncs = events.iter().filter(|event| matches!(event, Event::Sync { .. })).count();
    assert!(syncs > 10, "only {syncs} syncs are in the trace of {} calls", events.len());
    events
}

/// The replay is worth something only if it ends where the disk did.
#[track_caller]
pub(crate) fn assert_replayed(replayed: &Image, base: &Path, ours: &[&str]) {
    let real = Disk::snapshot(base).written();
    let comparable = |image: &Image| -> BTreeMap<_, _> {
        let ours = |path: &Path| ours.iter().any(|one| path.starts_with(one));
        image
            .iter()
            .filter(|(path, _)| ours(path))
            .map(|(path, node)| match node {
                Node::File(content) => {
                    (path.clone(), Some(String::from_utf8_lossy(&content.bytes).into_owned()))
                }
                Node::Directory | Node::Symlink(_) => (path.clone(), None),
            })
            .collect()
    };
    let (replayed, real) = (comparable(replayed), comparable(&real));
    let names = |image: &BTreeMap<_, _>| image.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&replayed), names(&real));
    for (path, content) in &real {
        assert!(replayed[path] == *content, "{}: the replay has another content", path.display());
    }
}

/// Agents whose end is durable in this image. A supervisor's report of another process does not count.
pub(crate) fn agents_that_ended(image: &Image, written: &Image) -> usize {
    let is_agents = |path: &Path| match written.get(&path.with_file_name("spec.json")) {
        Some(Node::File(spec)) => String::from_utf8_lossy(&spec.bytes).contains("FAKE_DIR/agent"),
        Some(Node::Directory | Node::Symlink(_)) | None => false,
    };
    let durable = |node: &Node| matches!(node, Node::File(text) if text.bytes.starts_with(b"{"));
    image
        .iter()
        .filter(|(path, node)| path.ends_with("exit.json") && durable(node) && is_agents(path))
        .count()
}

/// Puts an image in the place of these directories.
pub(crate) fn materialise(image: &Image, base: &Path, ours: &[&str]) {
    for name in ours {
        fs::remove_dir_all(base.join(name)).unwrap();
    }
    // A directory comes before what is in it.
    for (name, node) in image {
        let path = base.join(name);
        match node {
            Node::Directory => fs::create_dir(&path).unwrap(),
            Node::Symlink(target) => std::os::unix::fs::symlink(target, &path).unwrap(),
            Node::File(content) => {
                if let Some(first) = first_of(image, content) {
                    fs::hard_link(base.join(first), &path).unwrap();
                } else {
                    fs::write(&path, &content.bytes).unwrap();
                    fs::set_permissions(&path, fs::Permissions::from_mode(content.mode)).unwrap();
                }
            }
        }
    }
}

/// The other name of this file, where the image has both: names on two machines are two files.
fn first_of<'i>(image: &Image, content: &'i Content) -> Option<&'i PathBuf> {
    let first = content.first_name.as_ref()?;
    let same = |node: &Node| matches!(node, Node::File(there) if there.bytes == content.bytes);
    image.get(first).is_some_and(same).then_some(first)
}

/// The lock that a start is stopped by, from its message, which is pinned here. Git's lock may be anybody's, so a person
/// removes it, as the message says: before a turn (exit 1), or with the work done and not yet committed (exit 5).
pub(crate) fn lock_in_the_way(ended: &Ended) -> Option<PathBuf> {
    const SAID: &str = "` exists: another git is at work there, or was killed; if no git is running in this repository, \
        remove the file and start again\n";
    let (before, _) = ended.stderr.split_once(SAID)?;
    let (said, path) = before.rsplit_once('`')?;
    let expected = if said.ends_with("error: ") { 1 } else { 5 };
    assert_eq!(ended.code, Some(expected), "{}", ended.stderr);
    Some(path.into())
}
