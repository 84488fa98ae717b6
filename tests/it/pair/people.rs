//! People on the branch: they push to other files and to the same, rewrite it, delete it, and commit on a machine of the
//! pair.

use rstest::rstest;

use crate::support::{Ended, Machine, Orchestrator, Pair, Scheme, start_role};

/// A pair in which this seat's agent has done its work and waits, and somebody with a clone of their own.
fn in_mid_turn(role: &str, scheme: Scheme) -> (Pair, [Orchestrator; 2], Machine) {
    let pair = Pair::new(scheme);
    pair.seat(role).prepare_release();
    pair.seat(role).script_once(role, "work; wait_for_release");
    let started = ["galph", "ralph"].map(|role| pair.start(role, 1, None));
    pair.seat(role).await_waiting(role);
    let person = pair.clone_machine("person");
    (pair, started, person)
}

/// Lets the agent go on, and waits for both ends.
fn finish(pair: &Pair, role: &str, started: [Orchestrator; 2]) -> [Ended; 2] {
    pair.seat(role).release();
    started.map(Orchestrator::wait)
}

fn commit(person: &Machine, path: &str, content: &str) {
    person.write(path, content);
    person.git(&["add", "--", path]);
    person.git(&["commit", "--quiet", "--message=by a person", "--", path]);
}

fn push(person: &Machine) {
    person.git(&["push", "--quiet", "origin", "main"]);
}

#[rstest]
fn what_people_push_to_other_files_in_mid_turn_is_kept_below_the_work(
    #[values("galph", "ralph")] role: &str,
    #[values(Scheme::Path, Scheme::Daemon)] scheme: Scheme,
) {
    let (pair, started, person) = in_mid_turn(role, scheme);
    for number in 1..=3 {
        commit(&person, &format!("own/{number}.txt"), "theirs\n");
        push(&person);
    }
    for ended in finish(&pair, role, started) {
        ended.assert_code(0);
    }
    pair.assert_undisturbed(1);
    let subjects = pair.history();
    assert_eq!(subjects.subjects().iter().filter(|subject| **subject == "by a person").count(), 3);
    assert_eq!(pair.seat("ralph").head(), pair.tip());
    assert_eq!(pair.ralph().read("own/3.txt").as_deref(), Some("theirs\n"));
}

/// The stamp must say which commit it hands over, also when it was made anew.
#[test]
fn people_who_push_all_the_time_do_not_keep_a_turn_from_its_end() {
    let (pair, started, person) = in_mid_turn("ralph", Scheme::Path);
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0;
            while !over.load(std::sync::atomic::Ordering::Relaxed) {
                number += 1;
                commit(&person, &format!("own/{number}.txt"), "theirs\n");
                if person.try_git(&["push", "--quiet", "origin", "main"]).is_err() {
                    person.git(&["pull", "--quiet", "--rebase", "origin", "main"]);
                }
                // A person takes a moment.
                std::thread::sleep(std::time::Duration::from_millis(60));
            }
        });
        let ended = finish(&pair, "ralph", started);
        over.store(true, std::sync::atomic::Ordering::Relaxed);
        for ended in ended {
            ended.assert_code(0);
        }
    });
    pair.assert_undisturbed(1);
}

#[test]
fn what_people_push_to_the_same_file_stops_the_publication_until_it_is_resolved() {
    let (pair, started, person) = in_mid_turn("ralph", Scheme::Path);
    commit(&person, "src/counter.rs", "theirs\n");
    push(&person);
    pair.ralph().release();
    let [galph, ralph] = started;
    ralph
        .wait()
        .assert_code(1)
        .assert_says("both change:\n    src/counter.rs")
        .assert_says("`git pull --rebase origin main`");
    // The same again, as long as nobody has resolved it; no agent is started.
    pair.start("ralph", 1, None).wait().assert_code(1).assert_says("src/counter.rs");
    // A person does as they are told; what they had changed themselves they put aside for that.
    let machine = pair.ralph();
    machine.git(&["stash", "push", "--quiet", "--include-untracked"]);
    machine.try_git(&["pull", "--quiet", "--rebase", "origin", "main"]).unwrap_err();
    machine.write("src/counter.rs", "1\n");
    machine.git(&["add", "src/counter.rs"]);
    machine.git(&["-c", "core.editor=true", "rebase", "--continue"]);
    machine.git(&["stash", "pop", "--quiet", "--index"]);
    pair.start("ralph", 1, None).wait().assert_code(0);
    galph.wait().assert_code(0);
    pair.assert_undisturbed(1);
}

#[test]
fn a_branch_that_was_rewritten_stops_the_turn_and_nothing_is_lost() {
    let (pair, [galph, ralph], person) = in_mid_turn("ralph", Scheme::Path);
    let claim = pair.tip();
    // The claim is gone from it.
    person.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
    commit(&person, "own/other.txt", "theirs\n");
    person.git(&["push", "--quiet", "--force", "origin", "main"]);
    pair.ralph().release();
    ralph.wait().assert_code(1).assert_says("was rewritten");
    galph.signal(rustix::process::Signal::TERM);
    galph.wait();
    let machine = pair.ralph();
    assert_eq!(machine.read("src/made-1.rs").as_deref(), Some("made in iteration 1\n"));
    machine.git(&["merge-base", "--is-ancestor", &claim, "HEAD"]);
    assert_eq!(machine.git(&["show", "HEAD:src/made-1.rs"]), "made in iteration 1\n");
    assert_eq!(pair.notes().starts.len(), 2);
    pair.assert_machines_are_whole();
    // Put back, it goes on.
    machine.git(&["push", "--quiet", "--force", "origin", &format!("{claim}:refs/heads/main")]);
    pair.start("ralph", 1, None).wait().assert_code(0);
    pair.assert_undisturbed(1);
}

#[rstest]
fn a_branch_that_was_deleted_is_named_and_put_back_it_goes_on(#[values("galph", "ralph")] role: &str) {
    let (pair, started, _) = in_mid_turn(role, Scheme::Path);
    let claim = pair.tip();
    pair.git(&["update-ref", "-d", "refs/heads/main"]);
    pair.seat(role).release();
    let [galph, ralph] = started;
    for ended in [galph.wait(), ralph.wait()] {
        ended.assert_code(1).assert_says("the remote `origin` has no branch `main`");
    }
    pair.git(&["update-ref", "refs/heads/main", &claim]);
    for ended in pair.run(1) {
        ended.assert_code(0);
    }
    pair.assert_undisturbed(1);
}

#[test]
fn commits_of_a_person_on_a_machine_are_not_published_unasked() {
    let pair = Pair::new(Scheme::Path);
    let machine = pair.galph();
    machine.write("own.txt", "theirs\n");
    machine.git(&["add", "own.txt"]);
    machine.git(&["commit", "--quiet", "--message=by a person", "--", "own.txt"]);
    pair.start("galph", 1, None)
        .wait()
        .assert_code(2)
        .assert_says("by a person")
        .assert_says("`--publish-existing`");
    assert_eq!(pair.notes().starts.len(), 0);
    let ralph = pair.start("ralph", 1, None);
    start_role(machine, "galph", &["--sync-loops=1", "--publish-existing"], None).wait().assert_code(0);
    ralph.wait().assert_code(0);
    pair.assert_undisturbed(1);
    assert_eq!(pair.git(&["show", "main:own.txt"]), "theirs\n");
}

/// A commit that a person makes in the machine's tree while the agent works goes along with the turn.
#[test]
fn a_person_who_commits_on_the_machine_in_mid_turn_keeps_their_commit() {
    let (pair, started, _) = in_mid_turn("ralph", Scheme::Path);
    let machine = pair.ralph();
    machine.write("own.txt", "theirs\n");
    machine.git(&["add", "own.txt"]);
    machine.git(&["commit", "--quiet", "--message=by a person", "--", "own.txt"]);
    for ended in finish(&pair, "ralph", started) {
        ended.assert_code(0);
    }
    pair.assert_undisturbed(1);
    assert_eq!(pair.git(&["show", "main:own.txt"]), "theirs\n");
}

#[test]
fn a_branch_that_has_nothing_in_common_is_refused() {
    let pair = Pair::new(Scheme::Path);
    let person = pair.clone_machine("person");
    person.git(&["switch", "--quiet", "--orphan", "other"]);
    person.git(&["commit", "--quiet", "--allow-empty", "--message=another beginning"]);
    person.git(&["push", "--quiet", "--force", "origin", "other:main"]);
    let before = pair.galph().head();
    pair.start("galph", 1, None).wait().assert_code(2).assert_says("have no commit in common");
    assert_eq!((pair.galph().head(), pair.notes().starts.len()), (before, 0));
    pair.assert_machines_are_whole();
}

#[rstest]
fn a_file_of_a_person_that_stands_in_the_way_is_named_before_anything_is_claimed(
    #[values("mine.txt", "scratch.txt")] path: &str,
) {
    let pair = Pair::new(Scheme::Path);
    let person = pair.clone_machine("person");
    commit(&person, path, "pushed by somebody else\n");
    push(&person);
    let ralph = pair.start("ralph", 1, None);
    pair.start("galph", 1, None).wait().assert_code(1).assert_says(path);
    assert_eq!(pair.notes().starts.len(), 0);
    pair.galph().assert_persons_files();
    pair.galph().assert_index_is_the_persons();
    ralph.signal(rustix::process::Signal::TERM);
    ralph.wait().assert_code(143);
}
