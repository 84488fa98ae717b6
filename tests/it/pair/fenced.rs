//! A machine that is paused or gone while another takes its turn over: it publishes nothing, keeps its commits, and says so.

use rstest::rstest;
use rustix::process::Signal;

use crate::support::{Deed, Ending, Orchestrator, Pair, Scheme, await_event, start_role};

/// A lease that is over soon.
const SHORT_LEASE: &str = "sync: { poll_interval: 20ms, lease: 800ms, takeover: after_lease }\n";

/// Three machines, on the first of which galph's agent waits in the middle of its work.
fn at_work(scheme: Scheme) -> (Pair, Orchestrator, Deed) {
    let pair = Pair::configured(scheme, 3, SHORT_LEASE);
    pair.galph().prepare_release();
    pair.galph().script_once("galph", "work; wait_for_release");
    let galph = pair.start("galph", 1, None);
    let agent = pair.galph().await_waiting("galph");
    (pair, galph, agent)
}

/// Lets ralph and another galph do the iteration.
fn take_over(pair: &Pair) {
    let other = start_role(&pair.machines()[2], "galph", &["--sync-loops=1"], None);
    let ralph = pair.start("ralph", 1, None);
    other.wait().assert_code(0);
    ralph.wait().assert_code(0);
}

#[rstest]
fn a_machine_that_was_paused_through_a_takeover_publishes_nothing_and_keeps_its_commits(
    #[values(Scheme::Path, Scheme::Daemon)] scheme: Scheme,
) {
    let (pair, paused, agent) = at_work(scheme);
    paused.signal(Signal::STOP);
    take_over(&pair);
    let tip = pair.tip();
    paused.signal(Signal::CONT);
    pair.galph().release();
    let name = format!("refs/baton-rescue/{}/work", agent.turn);
    paused.wait().assert_code(6).assert_says(&name);
    assert_eq!(pair.tip(), tip, "something was published");
    let machine = pair.galph();
    let work = machine.git(&["show", &format!("{name}:plans/turn-{}.md", agent.turn)]);
    assert_eq!(work.trim(), agent.turn);
    assert_eq!(machine.head(), tip);
    let account = pair.assert_sound();
    account.assert_iterations(1);
    let endings: Vec<Ending> = account.turns.iter().map(|turn| turn.ending).collect();
    assert_eq!(endings, [Ending::TakenOver, Ending::Passed, Ending::Passed]);
    // The next start is an ordinary one.
    for ended in pair.run(1) {
        ended.assert_code(0);
    }
    pair.assert_sound().assert_iterations(2);
}

#[test]
fn a_machine_that_comes_back_after_a_takeover_ends_its_agent_and_publishes_nothing() {
    let (pair, killed, agent) = at_work(Scheme::Path);
    killed.signal(Signal::KILL);
    killed.wait().assert_killed();
    take_over(&pair);
    let tip = pair.tip();
    let name = format!("refs/baton-rescue/{}/work", agent.turn);
    let made = format!("plans/turn-{}.md", agent.turn);
    pair.start("galph", 1, None).wait().assert_code(6).assert_says(&name).assert_says(&format!(
        "what it had not committed stays in the work tree besides, and no turn publishes it as it is: docs/fix_plan.md, \
         plans/plan-1.md, {made}"
    ));
    assert_eq!(pair.tip(), tip);
    pair.galph().assert_nobody_runs();
    assert_eq!(pair.notes().starts_of(&agent.turn), 1);
    // What it had made is kept, and stays in the tree.
    assert_eq!(pair.galph().git(&["show", &format!("{name}:{made}")]).trim(), agent.turn);
    for ended in pair.run(1) {
        ended.assert_code(0);
    }
    assert_eq!(pair.history().account_with(&pair.notes()).passed().count(), 4);
    // It does not ride along with the seat's next turn, nor with the one after it, until an agent changes it.
    assert_eq!(pair.git(&["ls-tree", "--name-only", "main", &made]), "");
    assert_eq!(pair.galph().read(&made).unwrap().trim(), agent.turn);
    pair.galph().script_once("galph", &format!("work; echo taken up >> {made}"));
    for ended in pair.run(1) {
        ended.assert_code(0);
    }
    assert_eq!(pair.git(&["show", &format!("main:{made}")]), format!("{}\ntaken up\n", agent.turn));
}

/// A holder that renews its lease is not taken over, however long its agent works.
#[test]
fn a_machine_that_is_at_work_is_not_taken_over() {
    let pair = Pair::configured(Scheme::Daemon, 3, SHORT_LEASE);
    pair.galph().prepare_release();
    pair.galph().script_once("galph", "work; wait_for_release");
    let galph = pair.start("galph", 1, None);
    pair.galph().await_waiting("galph");
    let other = start_role(&pair.machines()[2], "galph", &["--sync-loops=1"], None);
    let lease = || pair.git(&["for-each-ref", "--format=%(objectname)", "refs/baton"]);
    let mut seen = std::collections::BTreeSet::new();
    await_event("renewals", || {
        seen.insert(lease());
        (seen.len() > 12).then_some(())
    });
    assert_eq!(pair.history().account().takeovers(), 0);
    other.signal(Signal::TERM);
    other.wait().assert_code(143);
    let ralph = pair.start("ralph", 1, None);
    pair.galph().release();
    galph.wait().assert_code(0);
    ralph.wait().assert_code(0);
    pair.assert_undisturbed(1);
}

#[test]
fn a_turn_that_a_person_takes_away_by_hand_is_fenced_off_and_claimed_again() {
    let (pair, paused, agent) = at_work(Scheme::Path);
    paused.signal(Signal::STOP);
    let person = pair.clone_machine("person");
    person.baton(&["takeover", "galph", "--yes"]).assert_code(0);
    take_over(&pair);
    let tip = pair.tip();
    paused.signal(Signal::CONT);
    pair.galph().release();
    paused.wait().assert_code(6).assert_says(&format!("refs/baton-rescue/{}/work", agent.turn));
    assert_eq!(pair.tip(), tip);
    let account = pair.assert_sound();
    account.assert_iterations(1);
    let endings: Vec<Ending> = account.turns.iter().map(|turn| turn.ending).collect();
    assert_eq!(endings, [Ending::TakenOver, Ending::Passed, Ending::Passed]);
}
