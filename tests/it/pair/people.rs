//! People on the branch: they push to other files (to the same: `late`), rewrite it, delete it, and commit on a machine of the
//! pair.

use std::fs;

use rstest::rstest;

use crate::support::{Ended, Machine, Orchestrator, Pair, Scheme, start_role, wait_for_both};

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
    wait_for_both(started)
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

/// Somebody is faster than so many pushes of work, and then than none.
fn be_faster(pair: &Pair, times: u32) {
    pair.write_hook(
        "pre-receive",
        &format!(
            "read -r old new ref\n\
             case $(git log -1 --format=%s $new) in *status=ok*) ;; *) exit 0 ;; esac\n\
             echo >> faster; [ $(wc -l < faster) -le {times} ] || exit 0\n\
             unset GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES\n\
             export GIT_AUTHOR_NAME=P GIT_AUTHOR_EMAIL=p@example.org GIT_COMMITTER_NAME=P GIT_COMMITTER_EMAIL=p@example.org\n\
             git update-ref refs/heads/main $(git commit-tree -p main -m 'by a person' 'main^{{tree}}')"
        ),
    );
}

/// More often than any number of tries that somebody might have thought of.
#[rstest]
fn a_publication_that_is_overtaken_goes_on_until_it_is_through(#[values("galph", "ralph")] role: &str) {
    let (pair, started, _) = in_mid_turn(role, Scheme::Path);
    be_faster(&pair, 9);
    for ended in finish(&pair, role, started) {
        ended.assert_code(0);
    }
    pair.assert_undisturbed(1);
    let history = pair.history();
    assert_eq!(history.subjects().iter().filter(|subject| **subject == "by a person").count(), 9);
}

/// Where others never stop, it ends after a time, names what waits, and the next start goes on.
#[test]
fn a_publication_that_is_always_overtaken_ends_and_the_next_start_goes_on() {
    let pair = Pair::new(Scheme::Path);
    be_faster(&pair, u32::MAX);
    start_role(pair.galph(), "galph", &["--sync-loops=1", "--max-wait-sec=1"], None)
        .wait()
        .assert_code(1)
        .assert_says("while galph's turn was published; it waits here:\n    ")
        .assert_says("SUPERVISOR AUTO (prompt=supervisor.md) (iter=00001)")
        .assert_says("`baton run --mode role --role galph` goes on with the publication");
    pair.remove_hook("pre-receive");
    for ended in pair.run(1) {
        ended.assert_code(0);
    }
    pair.assert_undisturbed(1);
}

/// Published is published: the branch here comes along with the next turn.
#[rstest]
fn a_branch_that_a_lock_keeps_from_following_is_brought_along_by_the_next_turn(
    #[values("galph", "ralph")] role: &str,
) {
    let pair = Pair::new(Scheme::Path);
    let tick = |role: &str| {
        let role_word = format!("--role={role}");
        pair.seat(role).spawn(&[], &["tick", &role_word], None).wait()
    };
    if role == "ralph" {
        tick("galph").assert_code(0);
    }
    let lock = pair.seat(role).root().join(".git/index.lock");
    let path = lock.display();
    pair.write_hook(
        "post-receive",
        &format!(
            "read -r old new ref\ncase $(git log -1 --format=%s $new) in *status=ok*) : > '{path}' ;; esac"
        ),
    );
    let said = format!(
        "`{path}` exists: another git is at work there, or was killed; if no git is running in this repository, remove the \
         file and start again"
    );
    tick(role).assert_code(0).assert_says(&format!(
        "warning: the turn is published, but `main` here could not follow; the next turn here brings it along, when \
         nothing is in the way any more: {said}\n"
    ));
    pair.remove_hook("post-receive");
    for due in if role == "galph" { ["ralph", "galph"] } else { ["galph", "ralph"] } {
        if due == role {
            tick(role).assert_code(1).assert_says(&format!("error: {said}\n"));
            fs::remove_file(&lock).unwrap();
        }
        tick(due).assert_code(0);
    }
    pair.assert_machines_are_whole();
    assert_eq!(pair.passed(role), 2);
    assert_eq!(pair.seat(role).head(), pair.tip());
}

/// A turn that fails hands nothing over but its failure, and what a person has committed here waits for them.
#[test]
fn commits_of_a_person_that_do_not_fit_are_named_with_what_brings_them_together() {
    let pair = Pair::new(Scheme::Path);
    let (machine, person) = (pair.galph(), pair.clone_machine("person"));
    machine.prepare_release();
    machine.script_once("galph", "wait_for_release; exit 1");
    let started = machine.spawn(&[], &["tick", "--role=galph"], None);
    machine.await_waiting("galph");
    person.git(&["pull", "--quiet", "--rebase", "origin", "main"]);
    commit(&person, "own.txt", "theirs\n");
    push(&person);
    commit(machine, "own.txt", "mine\n");
    let mine = machine.head();
    machine.release();
    started.wait().assert_code(5).assert_says(
        "warning: the turn is published, but `main` here could not follow; `git pull --rebase origin main` brings them \
         together (`git stash` before it, where files are changed): commits here do not fit on what is new there\n",
    );
    assert_eq!(machine.head(), mine);
    pair.assert_machines_are_whole();
    // As it says.
    machine.git(&["stash", "--quiet"]);
    machine.try_git(&["pull", "--quiet", "--rebase", "origin", "main"]).unwrap_err();
    machine.write("own.txt", "both\n");
    machine.git(&["add", "own.txt"]);
    machine.git(&["-c", "core.editor=true", "rebase", "--continue"]);
    machine.git(&["stash", "pop", "--quiet", "--index"]);
    pair.assert_machines_are_whole();
    assert_eq!(machine.git(&["merge-base", "HEAD", &pair.tip()]).trim(), pair.tip());
}

/// The stamp must say which commit it hands over, also when it was made anew.
#[test]
fn people_who_push_again_and_again_cost_a_turn_nothing() {
    let (pair, [galph, ralph], person) = in_mid_turn("ralph", Scheme::Path);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 1..=30 {
                commit(&person, &format!("own/{number}.txt"), "theirs\n");
                if person.try_git(&["push", "--quiet", "origin", "main"]).is_err() {
                    person.git(&["pull", "--quiet", "--rebase", "origin", "main"]);
                }
            }
        });
        pair.ralph().release();
        ralph.wait().assert_code(0);
    });
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
    if role == "galph" {
        for ended in pair.run(1) {
            ended.assert_code(0);
        }
    } else {
        pair.start("ralph", 1, None).wait().assert_code(0);
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
