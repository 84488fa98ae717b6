//! Contenders that push at the same moment: exactly one is told that it has won, and it has.

use std::sync::Barrier;

use rstest::rstest;

use super::super::super::testing::{TestRepo, Way};
use super::super::Remote;
use super::{By, Hub, PushKind, Pushed, RefusalKind, child, remote_of};
use crate::publish::ObjectId;

const ROUNDS: usize = 4;

/// Each contender's own clone, and its remote.
fn contenders(hub: &Hub, way: Way, count: usize) -> (Vec<TestRepo>, Vec<Remote>) {
    let clones: Vec<TestRepo> = (0..count).map(|_| hub.clone()).collect();
    let remotes = clones.iter().map(|clone| remote_of(clone, way)).collect();
    (clones, remotes)
}

/// All push at once; who was accepted.
fn push_at_once(remotes: &mut [Remote], commits: &[ObjectId], expected: Option<&ObjectId>) -> Vec<usize> {
    let start = Barrier::new(remotes.len());
    let answers: Vec<Pushed> = std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for (remote, commit) in remotes.iter_mut().zip(commits) {
            let start = &start;
            threads.push(scope.spawn(move || {
                start.wait();
                remote.push(commit, expected, PushKind::Turn).unwrap()
            }));
        }
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut winners = Vec::new();
    for (number, answer) in answers.into_iter().enumerate() {
        match answer {
            Pushed::Accepted => winners.push(number),
            Pushed::Refused(refusal) => {
                assert!(
                    matches!(refusal.kind, RefusalKind::Moved | RefusalKind::Busy),
                    "a lost race is taken for something else: {refusal:?}"
                );
            }
        }
    }
    winners
}

#[rstest]
#[case(By::Path, 2)]
#[case(By::Path, 8)]
#[case(By::File, 4)]
#[case(By::Git, 2)]
#[case(By::Git, 8)]
fn exactly_one_of_those_who_push_at_once_is_accepted(
    #[values(Way::Library, Way::LibraryAlone, Way::Program)] way: Way,
    #[case] by: By,
    #[case] count: usize,
) {
    let hub = Hub::new(by);
    let (_clones, mut remotes) = contenders(&hub, way, count);
    for round in 0..ROUNDS {
        let base = hub.tip();
        let commits: Vec<ObjectId> = remotes
            .iter()
            .enumerate()
            .map(|(number, remote)| {
                assert_eq!(remote.look().unwrap(), Some(base.clone()));
                child(remote, &base, &format!("{number} in {round}"))
            })
            .collect();
        let winners = push_at_once(&mut remotes, &commits, Some(&base));
        assert_eq!(winners.len(), 1, "round {round}: {winners:?} were accepted");
        assert_eq!(hub.tip(), commits[winners[0]], "round {round}: the winner's commit is not the tip");
    }
    assert_eq!(hub.git(&["rev-list", "--count", "main"]), (ROUNDS + 1).to_string());
    hub.assert_sound();
}

#[rstest]
fn exactly_one_of_those_who_make_the_branch_at_once_is_accepted(
    #[values(Way::Library, Way::LibraryAlone, Way::Program)] way: Way,
    #[values(By::Path, By::Git)] by: By,
) {
    let hub = Hub::new(by);
    let base = hub.tip();
    let (_clones, mut remotes) = contenders(&hub, way, 4);
    for round in 0..ROUNDS {
        hub.git(&["update-ref", "-d", "refs/heads/main"]);
        let commits: Vec<ObjectId> = remotes
            .iter()
            .enumerate()
            .map(|(number, remote)| child(remote, &base, &format!("{number} in {round}")))
            .collect();
        let winners = push_at_once(&mut remotes, &commits, None);
        assert_eq!(winners.len(), 1, "round {round}: {winners:?} were accepted");
        assert_eq!(hub.tip(), commits[winners[0]]);
    }
    hub.assert_sound();
}

/// As a loop of claims would: each looks, stands on what it saw, and pushes, as fast as it can.
#[rstest]
fn every_accepted_push_of_a_free_race_is_in_the_history(
    #[values(Way::Library, Way::LibraryAlone, Way::Program)] way: Way,
    #[values(By::Path, By::Git)] by: By,
) {
    let hub = Hub::new(by);
    let (_clones, remotes) = contenders(&hub, way, 3);
    race_freely(&hub, remotes);
}

/// In place, by git, and by a baton that has none.
#[test]
fn every_way_to_push_to_a_directory_keeps_the_others_locks() {
    let hub = Hub::new(By::Path);
    let ways = [Way::Library, Way::Program, Way::LibraryAlone, Way::Library];
    let (_clones, remotes): (Vec<TestRepo>, Vec<Remote>) = ways
        .map(|way| {
            let clone = hub.clone();
            let remote = remote_of(&clone, way);
            (clone, remote)
        })
        .into_iter()
        .unzip();
    race_freely(&hub, remotes);
}

fn race_freely(hub: &Hub, mut remotes: Vec<Remote>) {
    let accepted: usize = std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for (number, remote) in remotes.iter_mut().enumerate() {
            threads.push(scope.spawn(move || {
                let attempt = |attempt: usize| {
                    let tip = remote.look().unwrap().unwrap();
                    let commit = child(remote, &tip, &format!("{number}, attempt {attempt}"));
                    remote.push(&commit, Some(&tip), PushKind::Turn).unwrap() == Pushed::Accepted
                };
                (0..8).map(attempt).filter(|accepted| *accepted).count()
            }));
        }
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert!(accepted > 0);
    assert_eq!(hub.git(&["rev-list", "--count", "main"]), (accepted + 1).to_string());
    hub.assert_sound();
}
