//! What people read in `baton status`, and which command it names.

use super::facts::{AgentSeen, Facts, HolderFacts, Life, OpenTurn, PastTurn, Seat, Seats, Spend, StateFacts};
use super::next::{Next, decide_next};
use super::render::render;
use super::there::{LeaseFacts, SharedFacts};
use super::{facts, life};
use crate::model::{Actor, Hold, HoldId, HoldKind, Holder, State, Status, Usage};
use jiff::{SignedDuration, Timestamp};
use rstest::rstest;

fn now() -> Timestamp {
    "2026-11-21T06:30:00Z".parse().unwrap()
}

fn before(seconds: i64) -> Timestamp {
    now().checked_sub(SignedDuration::from_secs(seconds)).unwrap()
}

fn state() -> State {
    let mut state = State::initial(before(300));
    state.iteration = 3;
    state.expected_actor = Actor::Ralph;
    state.status = Status::WaitingRalph;
    state.usage.galph = Usage { turns: 3, wall_seconds: 75.0, ..Usage::default() };
    state.usage.ralph = Usage {
        turns: 2,
        wall_seconds: 4_000.0,
        input_tokens: 1_000,
        output_tokens: 20,
        cached_tokens: 0,
        cost_usd: Some(1.5),
    };
    state
}

fn facts_of(state: Option<&State>) -> Facts {
    let mut facts = Facts {
        workspace: "/ws".to_owned(),
        configured: true,
        state_file: "sync/state.json".to_owned(),
        flag: String::new(),
        place: String::new(),
        isolated: Vec::new(),
        state: state.map(|state| StateFacts::of(state, "engineer")),
        shared: None,
        holder: None,
        seats: Seats { galph: Seat::Free, ralph: Seat::Free },
        open_turns: Vec::new(),
        last_turns: Vec::new(),
        ticks: Vec::new(),
        ledger_problem: None,
        blocked: state.map(|state| facts::blocks(state, now())).unwrap_or_default(),
        spend: state.map(|state| Spend::of(&state.usage)),
        next: Next::default(),
    };
    facts.next = decide_next(&facts, now());
    facts
}

fn past_turn(actor: Actor, class: &str, detail: &str) -> PastTurn {
    PastTurn {
        id: "01JD5F3Z8K0000000000000000".to_owned(),
        actor,
        mode: "combined".to_owned(),
        iteration: 3,
        class: class.to_owned(),
        detail: detail.to_owned(),
        prompt: Some("supervisor.md".to_owned()),
        agent: Some("shell".to_owned()),
        opened_at: before(400),
        closed_at: before(300),
        wall_seconds: Some(12.34),
        commits: vec!["abc1234 docs: plan the next item".to_owned()],
        log: Some("logs/main/galph/iter-00003_20261121_062320.log".to_owned()),
        summary: Some("logs/main/galph-summaries/iter-00003_20261121_062320-summary.md".to_owned()),
    }
}

fn open_turn(agent: Option<AgentSeen>) -> OpenTurn {
    OpenTurn {
        id: "01JD5F3Z8K0000000000000000".to_owned(),
        actor: Actor::Ralph,
        mode: "combined".to_owned(),
        iteration: 3,
        opened_at: before(3_600),
        phase: Some("running".to_owned()),
        phase_done: false,
        agent,
        taken_away: false,
        of_this_machine: true,
        refused: false,
    }
}

fn holder(host: &str) -> Holder {
    Holder { id: "01JD5F3Z8K0000000000000000".into(), host: host.into(), pid: 4711, since: before(3_600) }
}

#[test]
fn a_state_at_rest_is_told_with_the_last_change_and_the_spend() {
    let mut facts = facts_of(Some(&state()));
    facts.last_turns = vec![
        past_turn(Actor::Galph, "ok", ""),
        past_turn(Actor::Ralph, "no_change", "nothing differs\nat all"),
    ];
    insta::assert_snapshot!(render(&facts, now()), @r"
    Workspace   /ws
    Turn        ralph (engineer), iteration 3
                waiting-ralph since 2026-11-21T06:25:00Z (5 min ago)
    Last turn   galph, iteration 3: ok (5 min ago)
                prompt supervisor.md, agent shell, ran 12.3 s
                commit abc1234 docs: plan the next item
                summary logs/main/galph-summaries/iter-00003_20261121_062320-summary.md
    Before it   ralph, iteration 3: no_change: nothing differs
    Spend       galph 3 turns, 1 min 15 s
                ralph 2 turns, 1 h 6 min, 1000 tokens in, 20 out, $1.50
                total 5 turns, 1 h 7 min, 1000 tokens in, 20 out, $1.50
    Next        baton run
                (it takes ralph's turn of iteration 3)
    ");
}

#[test]
fn a_turn_of_a_dead_process_is_told_with_its_phase_and_its_agent() {
    let mut state = state();
    state.status = Status::RunningRalph;
    state.holder = Some(holder("here"));
    let mut facts = facts_of(Some(&state));
    facts.holder =
        Some(HolderFacts { actor: Actor::Ralph, holder: state.holder.clone(), life: Life::GoneHere });
    facts.open_turns = vec![open_turn(Some(AgentSeen::Alive))];
    facts.spend = None;
    facts.ledger_problem = Some("cannot read the ledger /ws/.git/baton/ledger.db: disk I/O error".to_owned());
    facts.next = decide_next(&facts, now());
    insta::assert_snapshot!(render(&facts, now()), @r"
    Workspace   /ws
    Turn        ralph (engineer), iteration 3
                running-ralph since 2026-11-21T05:30:00Z (1 h ago)
    Holder      here pid 4711, since 2026-11-21T05:30:00Z; gone: no such process holds the seat on this machine
    Open turn   ralph, iteration 3, begun 1 h ago: in `running`
                its agent still runs
    Records     problem: cannot read the ledger /ws/.git/baton/ledger.db: disk I/O error
    Next        baton run
                (it goes on with the open turn, whose agent still runs)
    ");
}

#[test]
fn what_blocks_is_told_with_the_command_that_clears_it() {
    let mut state = state();
    let hold = |number, kind, until| Hold {
        id: HoldId::from_parts(0, number),
        kind,
        reason: "because".to_owned(),
        since: before(60),
        until,
    };
    state.holds = vec![
        hold(1, HoldKind::Pause, None),
        hold(2, HoldKind::Limit, Some(before(-60))),
        hold(3, HoldKind::Limit, Some(before(1))),
    ];
    state.exit = true;
    state.status = Status::Failed;
    let mut facts = facts_of(Some(&state));
    facts.spend = None;
    insta::assert_snapshot!(render(&facts, now()), @r"
    Workspace   /ws
    Turn        ralph (engineer), iteration 3
                failed since 2026-11-21T06:25:00Z (5 min ago)
    Blocked     exit: no reason was given
                clear with `baton stop --clear`
                pause: because
                clear with `baton hold clear 00000000000000000000000001`
                limit: because (until 2026-11-21T06:31:00Z)
                clear with `baton hold clear 00000000000000000000000002`
                failed: ralph's last turn failed
                clear with `baton run`
    Next        baton stop --clear
                (nobody takes a turn until then)
    ");
}

#[test]
fn without_a_state_it_says_what_to_begin_with() {
    let mut facts = facts_of(None);
    insta::assert_snapshot!(render(&facts, now()), @r"
    Workspace   /ws
    Turn        galph, iteration 1: there is no sync/state.json yet
    Next        baton run
                (nothing has been run yet; it begins with galph's turn)
    ");
    facts.configured = false;
    assert_eq!(decide_next(&facts, now()).command, "baton init");
}

#[test]
fn the_json_document_has_a_stable_shape() {
    let mut state = state();
    state.status = Status::RunningRalph;
    let mut facts = facts_of(Some(&state));
    facts.holder =
        Some(HolderFacts { actor: Actor::Ralph, holder: Some(holder("there")), life: Life::Elsewhere });
    facts.open_turns = vec![open_turn(None)];
    facts.last_turns = vec![past_turn(Actor::Galph, "ok", "")];
    let document: serde_json::Value =
        serde_json::from_str(&facts::to_json(&facts, &crate::publish::secret::Masker::default())).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&document).unwrap());
}

#[rstest]
#[case(None, Seat::Taken, Life::AliveHere)]
#[case(Some("here"), Seat::Taken, Life::AliveHere)]
#[case(Some("here"), Seat::Free, Life::GoneHere)]
#[case(Some("there"), Seat::Free, Life::Elsewhere)]
#[case(None, Seat::Free, Life::Unknown)]
fn only_the_lock_proves_that_a_holder_lives(
    #[case] host: Option<&str>,
    #[case] seat: Seat,
    #[case] expected: Life,
) {
    assert_eq!(life(host.map(holder).as_ref(), seat, "here"), expected);
}

#[rstest]
#[case(Life::AliveHere, "baton logs -n 1", "the turn runs here")]
#[case(
    Life::GoneHere,
    "baton takeover ralph",
    "the process that held the turn is gone, and its journal with it"
)]
#[case(
    Life::Elsewhere,
    "baton takeover ralph",
    "only if there is gone for good; else wait for its turn to end"
)]
#[case(
    Life::Unknown,
    "baton takeover ralph",
    "only if nothing runs the turn; the state does not say who does"
)]
fn a_turn_that_the_journal_does_not_know_is_not_run_again(
    #[case] life: Life,
    #[case] command: &str,
    #[case] why: &str,
) {
    let mut facts = facts_of(Some(&state()));
    facts.holder = Some(HolderFacts { actor: Actor::Ralph, holder: Some(holder("there")), life });
    assert_eq!(decide_next(&facts, now()), Next { command: command.into(), why: why.into() });
}

#[rstest]
#[case(Some(AgentSeen::Alive), "it goes on with the open turn, whose agent still runs")]
#[case(
    Some(AgentSeen::Finished),
    "it goes on with the open turn; its agent has finished and is not run again"
)]
#[case(Some(AgentSeen::Vanished), "it gives the open turn back, since its agent is gone without a result")]
#[case(None, "it goes on with the open turn")]
fn an_open_turn_is_gone_on_with_by_the_run_that_began_it(
    #[case] agent: Option<AgentSeen>,
    #[case] why: &str,
) {
    let mut facts = facts_of(Some(&state()));
    facts.flag = " --no-git".to_owned();
    facts.open_turns = vec![open_turn(agent)];
    assert_eq!(decide_next(&facts, now()), Next { command: "baton run --no-git".into(), why: why.into() });
    facts.open_turns[0].mode = "solo".to_owned();
    assert_eq!(decide_next(&facts, now()).command, "baton run --mode solo --role ralph --no-git");
    facts.open_turns[0].of_this_machine = false;
    assert_eq!(decide_next(&facts, now()).command, "baton doctor");
}

#[rstest]
#[case(Some("running"), false, Some("here"), false)]
#[case(Some("running"), false, None, true)]
#[case(Some("claimed"), true, None, true)]
#[case(Some("claimed"), false, None, false)]
#[case(Some("stamped"), false, None, false)]
#[case(None, false, None, false)]
fn an_open_turn_that_the_state_does_not_name_was_taken_away(
    #[case] phase: Option<&str>,
    #[case] phase_done: bool,
    #[case] host: Option<&str>,
    #[case] taken_away: bool,
) {
    let mut turn =
        OpenTurn { phase: phase.map(str::to_owned), phase_done, ..open_turn(Some(AgentSeen::Finished)) };
    let holder = HolderFacts { actor: Actor::Ralph, holder: host.map(holder), life: Life::GoneHere };
    turn.compare(Some(&holder), None);
    assert_eq!(turn.taken_away, taken_away);
    if taken_away {
        let mut facts = facts_of(Some(&state()));
        facts.open_turns = vec![turn];
        assert_eq!(
            decide_next(&facts, now()).why,
            "it ends what is left of the open turn, which was taken away (exit 6); the run after it claims again"
        );
    }
}

#[test]
fn a_hold_that_ends_by_itself_is_waited_for_and_a_failed_turn_is_taken_again() {
    let mut state = state();
    state.holds = vec![Hold {
        id: HoldId::from_parts(0, 1),
        kind: HoldKind::Limit,
        reason: "usage limit".to_owned(),
        since: before(60),
        until: Some(before(-60)),
    }];
    let next = facts_of(Some(&state)).next;
    assert_eq!(
        (next.command.as_str(), next.why.as_str()),
        ("baton run", "it waits for the hold to end at 2026-11-21T06:31:00Z")
    );
    state.holds.clear();
    state.status = Status::Failed;
    let next = facts_of(Some(&state)).next;
    assert_eq!(next.why, "it takes ralph's failed turn again; read its summary first");
}

#[test]
fn while_a_baton_is_at_work_nothing_else_is_asked_for() {
    let mut facts = facts_of(Some(&state()));
    facts.seats.galph = Seat::Taken;
    facts.open_turns = vec![open_turn(None)];
    assert_eq!(
        decide_next(&facts, now()),
        Next {
            command: "baton logs -n 1".into(),
            why: "a baton is at work here; it goes on by itself".into()
        }
    );
}

fn shared(seat: Option<Actor>) -> SharedFacts {
    SharedFacts {
        remote: "origin".into(),
        url: "host:repo".into(),
        branch: "main".into(),
        online: true,
        problem: None,
        seen_at: Some(now()),
        commit: Some("abc1234".into()),
        subject: Some("[SYNC i=3] actor=galph → next=ralph status=ok galph_commit=def5678".into()),
        changed_at: Some(before(300)),
        ahead: Some(1),
        behind: Some(2),
        by_earlier_scripts: true,
        lease: None,
        seat,
    }
}

#[rstest]
#[case(Some(Actor::Ralph), "ralph", "it takes ralph's turn of iteration 3")]
#[case(Some(Actor::Galph), "galph", "it waits for ralph to take its turn of iteration 3")]
#[case(None, "ralph", "on the machine that plays this seat: it takes ralph's turn of iteration 3")]
fn in_a_shared_workspace_each_clone_plays_its_own_seat(
    #[case] seat: Option<Actor>,
    #[case] role: &str,
    #[case] why: &str,
) {
    let mut facts = facts_of(Some(&state()));
    facts.shared = Some(shared(seat));
    let command = format!("baton run --mode role --role {role}");
    assert_eq!(decide_next(&facts, now()), Next { command, why: why.into() });
}

#[test]
fn the_other_seats_running_turn_is_waited_for_until_its_lease_has_run_out() {
    let mut facts = facts_of(Some(&state()));
    facts.holder =
        Some(HolderFacts { actor: Actor::Ralph, holder: Some(holder("there")), life: Life::Elsewhere });
    facts.shared = Some(shared(Some(Actor::Galph)));
    let next = decide_next(&facts, now());
    assert_eq!(
        (next.command.as_str(), next.why.as_str()),
        ("baton run --mode role --role galph", "it waits for ralph, whose turn runs on there")
    );
    let lease = LeaseFacts {
        watched: "unchanged",
        unchanged_seconds: Some(800),
        length_seconds: 600,
        expired: true,
        words: String::new(),
    };
    facts.shared = Some(SharedFacts { lease: Some(lease), ..shared(Some(Actor::Galph)) });
    let next = decide_next(&facts, now());
    assert_eq!(
        (next.command.as_str(), next.why.as_str()),
        ("baton takeover ralph", "the lease has run out: nothing was heard of there for long enough")
    );
}

#[test]
fn a_failed_turn_is_taken_again_where_its_seat_is_played() {
    let mut state = state();
    state.status = Status::Failed;
    let mut facts = facts_of(Some(&state));
    facts.shared = Some(shared(Some(Actor::Galph)));
    let next = decide_next(&facts, now());
    assert_eq!(next.command, "baton run --mode role --role ralph");
    assert_eq!(
        next.why,
        "on the machine that plays this seat: it takes ralph's failed turn again; read its summary first"
    );
    facts.state = None;
    assert_eq!(decide_next(&facts, now()).command, "baton run --mode role --role galph");
}

#[test]
fn the_remotes_branch_is_told_with_the_distance_of_the_one_here() {
    let mut facts = facts_of(Some(&state()));
    facts.shared = Some(shared(None));
    let text = render(&facts, now());
    let lines: Vec<&str> = text.lines().skip(3).take(6).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    Shared      `main` of `origin` (host:repo), looked at just now
                newest commit abc1234: [SYNC i=3] actor=galph → next=ralph status=ok galph_commit=def5678
                the state was changed 2026-11-21T06:25:00Z (5 min ago)
                the branch here has 1 commit that is not there, and is 2 commits behind
                the earlier scripts have written the state last: they know no holds and no leases
    Spend       galph 3 turns, 1 min 15 s
    ");
}

#[rstest]
#[case(Some("here"), Seat::Taken, true, Life::AliveHere)]
#[case(Some("here"), Seat::Free, true, Life::GoneHere)]
#[case(Some("here"), Seat::Taken, false, Life::Elsewhere)]
#[case(Some("here"), Seat::Free, false, Life::Elsewhere)]
#[case(None, Seat::Taken, false, Life::Unknown)]
fn two_clones_on_one_host_are_told_apart_by_their_journals(
    #[case] host: Option<&str>,
    #[case] seat: Seat,
    #[case] is_of_this_clone: bool,
    #[case] expected: Life,
) {
    assert_eq!(super::life_there(host.map(holder).as_ref(), seat, is_of_this_clone), expected);
}
