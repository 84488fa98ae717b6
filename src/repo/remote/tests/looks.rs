//! Looks: what they find, what they leave, what they cost.

use rstest::rstest;

use super::super::super::testing::{TestRepo, Way};
use super::super::Engine;
use super::{By, Hub, child, remote_of, snapshot, write_hook};
use crate::repo::PushKind;

const KEPT: &str = "refs/baton/remote/heads/main";

#[rstest]
fn a_look_finds_the_tip_and_stores_it(
    #[values(Way::Library, Way::LibraryAlone, Way::Program)] way: Way,
    #[values(By::Path, By::File, By::Git)] by: By,
) {
    let hub = Hub::new(by);
    let clone = hub.clone();
    let remote = remote_of(&clone, way);
    let first = hub.tip();
    assert_eq!(remote.look().unwrap(), Some(first.clone()));

    hub.first.write("b", "2");
    hub.first.git(&["add", "b"]);
    hub.first.git(&["commit", "-qm", "second"]);
    hub.first.git(&["tag", "v1"]);
    hub.first.git(&["push", "-q", "origin", "main", "v1", "main:other"]);
    let second = hub.tip();
    assert_eq!(remote.look().unwrap(), Some(second.clone()));
    assert_eq!(clone.git(&["show", &format!("{KEPT}:b")]), "2");
    assert_eq!(clone.git(&["rev-parse", KEPT]).trim(), second.as_str());
    assert_eq!(clone.git(&["rev-parse", "refs/remotes/origin/main"]).trim(), second.as_str());
    assert_eq!(clone.git(&["rev-parse", "HEAD"]).trim(), first.as_str());
    assert_eq!(clone.git(&["tag"]), "");
    assert!(!clone.run(&["rev-parse", "--verify", "-q", "refs/remotes/origin/other"]).status.success());
    clone.assert_sound();
}

#[rstest]
fn a_look_that_finds_nothing_new_writes_nothing(
    #[values(Way::Library, Way::LibraryAlone, Way::Program)] way: Way,
    #[values(By::Path, By::File, By::Git)] by: By,
) {
    let hub = Hub::new(by);
    let clone = hub.clone();
    let remote = remote_of(&clone, way);
    remote.look_with_lease().unwrap();
    let _ = std::fs::remove_file(clone.root.join(".git/FETCH_HEAD"));
    let before = snapshot(&clone.root);
    remote.look().unwrap();
    remote.look_with_lease().unwrap();
    assert_eq!(snapshot(&clone.root), before);
}

#[rstest]
fn a_branch_that_is_not_there_is_none(
    #[values(Way::Library, Way::LibraryAlone, Way::Program)] way: Way,
    #[values(By::Path, By::File, By::Git)] by: By,
) {
    let hub = Hub::empty(by);
    let remote = remote_of(&hub.first, way);
    assert_eq!(remote.look().unwrap(), None);
    hub.first.git(&["push", "-q", "origin", "main", "main:main2"]);
    assert_eq!(remote.look().unwrap(), Some(hub.tip()));
    hub.git(&["update-ref", "-d", "refs/heads/main"]);
    assert_eq!(remote.look().unwrap(), None);
    assert_eq!(remote.look_with_lease().unwrap().tip, None);
    assert!(!hub.first.run(&["rev-parse", "--verify", "-q", KEPT]).status.success());
}

#[rstest]
fn a_branch_that_was_forced_is_followed(
    #[values(Way::Library, Way::LibraryAlone, Way::Program)] way: Way,
    #[values(By::Path, By::Git)] by: By,
) {
    let hub = Hub::new(by);
    let clone = hub.clone();
    let remote = remote_of(&clone, way);
    remote.look().unwrap();
    hub.first.git(&["commit", "-q", "--amend", "--allow-empty", "-m", "rewritten"]);
    hub.first.git(&["push", "-q", "-f", "origin", "main"]);
    assert_eq!(remote.look().unwrap(), Some(hub.tip()));
}

#[rstest]
fn a_look_and_a_push_make_one_connection_each(
    #[values(Way::Library, Way::LibraryAlone, Way::Program)] way: Way,
) {
    let hub = Hub::new(By::Git);
    let clone = hub.clone();
    let remote = remote_of(&clone, way);
    let server = hub.server.as_ref().unwrap();
    let count = |work: &dyn Fn()| {
        let before = server.connections();
        work();
        server.connections() - before
    };
    let tip = hub.tip();
    assert_eq!(count(&|| assert!(remote.look().unwrap().is_some())), 1);
    let commit = child(&remote, &tip, "x");
    assert_eq!(
        count(&|| assert_eq!(
            remote.push(&commit, Some(&tip), PushKind::Turn).unwrap(),
            super::Pushed::Accepted
        )),
        1
    );
    hub.git(&["update-ref", "refs/baton/main/lease", commit.as_str()]);
    assert_eq!(count(&|| assert!(remote.look_with_lease().unwrap().lease.is_some())), 1);
}

/// The processes of git that a clone's call starts, in their words.
pub(super) fn processes(clone: &mut TestRepo) -> impl Fn() -> Vec<String> + use<> {
    let directory = clone.root.with_file_name("bin");
    let log = clone.root.with_file_name("log");
    let path = clone.ambient().var("PATH").unwrap().to_owned();
    write_hook(
        &directory.join("git"),
        &format!(
            "for word in \"$@\"; do case \"$word\" in fetch|for-each-ref|push|merge-base|update-ref) echo \"$word\" >> '{}'; \
             esac; done\nPATH='{path}' exec git \"$@\"",
            log.display()
        ),
    );
    clone.set_env("PATH", &format!("{}:{path}", directory.display()));
    move || {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        let _ = std::fs::remove_file(&log);
        text.lines().map(str::to_owned).collect()
    }
}

#[rstest]
#[case(Way::Library, &[], &[])]
#[case(Way::Program, &["fetch", "for-each-ref"], &["merge-base", "push"])]
fn few_processes_are_started(#[case] way: Way, #[case] look: &[&str], #[case] push: &[&str]) {
    let hub = Hub::new(By::Path);
    let mut clone = hub.clone();
    let started = processes(&mut clone);
    let remote = remote_of(&clone, way);
    let commit = child(&remote, &hub.tip(), "x");
    started();
    let tip = remote.look().unwrap();
    assert_eq!(started(), look);
    assert_eq!(remote.push(&commit, tip.as_ref(), PushKind::Turn).unwrap(), super::Pushed::Accepted);
    assert_eq!(started(), push);
}

#[test]
fn where_there_are_many_references_the_installed_git_looks() {
    let hub = Hub::new(By::Git);
    let tip = hub.tip();
    let tags =
        (0..1_100).map(|number| format!("{tip} refs/tags/t{number:04}")).collect::<Vec<_>>().join("\n");
    std::fs::write(hub.bare.join("packed-refs"), format!("# pack-refs with: sorted\n{tags}\n")).unwrap();
    let clone = hub.clone();
    let remote = remote_of(&clone, Way::Library);
    assert_eq!(remote.facts().looks.engine, Engine::Library);
    assert_eq!(remote.look().unwrap(), Some(tip.clone()));
    assert!(matches!(remote.facts().looks.engine, Engine::Program(_)));
    assert!(
        remote.facts().looks.to_string().contains("the remote has 1102 references"),
        "{:?}",
        remote.facts()
    );
    assert_eq!(remote.look().unwrap(), Some(tip));
}

#[test]
fn a_repository_that_libgit2_cannot_read_is_looked_at_by_git() {
    let hub = Hub::new(By::Path);
    hub.git(&["config", "core.repositoryFormatVersion", "1"]);
    let clone = hub.clone();
    hub.git(&["refs", "migrate", "--ref-format=reftable"]);
    let remote = remote_of(&clone, Way::Library);
    assert_eq!(remote.look().unwrap(), Some(hub.tip()));
    assert!(matches!(remote.facts().looks.engine, Engine::Program(_)));
}

#[rstest]
fn a_relative_path_starts_at_the_work_tree(
    #[values(Way::Library, Way::LibraryAlone, Way::Program)] way: Way,
) {
    let hub = Hub::new(By::Path);
    hub.first.git(&["remote", "set-url", "origin", "../hub.git"]);
    let remote = remote_of(&hub.first, way);
    let tip = remote.look().unwrap();
    assert_eq!(tip, Some(hub.tip()));
    let commit = child(&remote, &hub.tip(), "x");
    assert_eq!(remote.push(&commit, tip.as_ref(), PushKind::Turn).unwrap(), super::Pushed::Accepted);
    assert_eq!(remote.look().unwrap(), Some(commit));
}

#[rstest]
fn another_address_that_the_configuration_puts_in_its_place_counts(
    #[values(Way::Library, Way::LibraryAlone, Way::Program)] way: Way,
) {
    let hub = Hub::new(By::Path);
    let clone = hub.clone();
    clone.git(&["remote", "set-url", "origin", "hub:hub.git"]);
    clone.git(&["config", &format!("url.{}/.insteadOf", hub.bare.parent().unwrap().display()), "hub:"]);
    let remote = remote_of(&clone, way);
    assert_eq!(remote.facts().url, hub.bare.display().to_string());
    assert_eq!(remote.look().unwrap(), Some(hub.tip()));
}

#[test]
fn where_looks_have_left_many_packs_the_installed_git_looks() {
    let hub = Hub::new(By::File);
    let clone = hub.clone();
    let (remote, other) = (remote_of(&clone, Way::Library), remote_of(&hub.first, Way::LibraryAlone));
    let mut tip = hub.tip();
    for number in 0..52 {
        let commit = child(&other, &tip, &number.to_string());
        assert_eq!(other.push(&commit, Some(&tip), PushKind::Turn).unwrap(), super::Pushed::Accepted);
        assert_eq!(remote.look().unwrap(), Some(commit.clone()));
        tip = commit;
    }
    assert!(
        matches!(remote.facts().looks.because, crate::repo::Because::ManyPacks(51)),
        "{:?}",
        remote.facts()
    );
    clone.assert_sound();
}
