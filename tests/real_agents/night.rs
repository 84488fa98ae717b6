//! A night in miniature with the real Claude Code: thirty iterations in which its provider is overloaded, refuses for a
//! limit, hangs, and finds the prompt too long. Whoever keeps services alive starts the loop again.

use super::bench::Bench;
use super::clis::CLAUDE;
use super::server::{Behaviour, CACHED_TOKENS, INPUT_TOKENS, OUTPUT_TOKENS, Refusal};

const ITERATIONS: u64 = 30;
/// The rows of the smallest terminal that is common.
const SCREEN: usize = 24;
const LIMITS: &str = "turn: { idle_limit: 5s, grace_period: 2s }\nno_progress: { turns: 0 }\n";

/// From which iteration on the provider is in which trouble, until somebody has noticed it.
const TROUBLES: [(u64, Behaviour); 4] = [
    (4, Behaviour::Refuse(Refusal::Overloaded)),
    (11, Behaviour::Refuse(Refusal::Quota)),
    (17, Behaviour::Hang),
    (24, Behaviour::Refuse(Refusal::ContextTooLong)),
];

fn iteration(bench: &Bench) -> u64 {
    bench.state()["iteration"].as_u64().unwrap_or(1)
}

/// Makes trouble as the loop comes by, and ends it where the loop waits: the provider is well again, the hold cleared.
fn attend(bench: &Bench, next: &mut usize) {
    for hold in bench.state()["holds"].as_array().into_iter().flatten() {
        bench.server.behave(Behaviour::Good);
        bench.baton(&["hold", "clear", hold["id"].as_str().unwrap()]);
    }
    if let Some((at, trouble)) = TROUBLES.get(*next)
        && iteration(bench) >= *at
    {
        bench.server.behave(*trouble);
        *next += 1;
    }
}

#[test]
fn claude_comes_through_the_night() {
    let bench = Bench::scripted(CLAUDE, LIMITS);
    for (prompt, file) in
        [("main", "src/made-{{BATON_ITERATION}}.txt"), ("supervisor", "plans/{{BATON_ITERATION}}.md")]
    {
        bench.ask_for(prompt, std::path::Path::new(file));
    }
    let mut screens = Vec::new();
    let mut codes = Vec::new();
    let mut next = 0;
    let mut starts = 0;
    while codes.last() != Some(&Some(0)) {
        assert!(codes.len() < 5, "it does not come to its end: {codes:?}\n{screens:?}");
        let left = (ITERATIONS + 1 - iteration(&bench)).to_string();
        let mut running = bench.start(&["run", "--sync-loops", &left]);
        while !running.has_ended() {
            attend(&bench, &mut next);
        }
        let ended = running.wait();
        // Whoever looks at a failed turn mends what made it fail.
        bench.server.behave(Behaviour::Good);
        codes.push(ended.code);
        starts += ended.said.matches("\n  claude runs, log ").count();
        let table = ended.said.find("iter  seat").unwrap_or_else(|| panic!("no table in:\n{}", ended.said));
        screens.push(ended.said[table..].to_owned());
    }
    let all = screens.join("\n");
    println!("{all}");
    assert_eq!(codes, [Some(5), Some(5), Some(0)], "{all}");
    assert_eq!(iteration(&bench), ITERATIONS + 1, "{all}");
    for class in ["overloaded", "limited", "stalled", "failed"] {
        assert!(all.contains(&format!("  {class} ")), "no turn ended `{class}`:\n{all}");
    }
    assert!(all.ends_with(" iteration(s) done\n"), "{all}");
    for screen in &screens {
        assert!(screen.lines().count() <= SCREEN, "{} lines:\n{screen}", screen.lines().count());
    }

    // Sixty turns that passed and four that did not; a turn begins one conversation, however often its requests are tried.
    let usage = &bench.state()["usage"];
    let sum =
        |name: &str| ["galph", "ralph"].iter().map(|seat| usage[seat][name].as_u64().unwrap()).sum::<u64>();
    let answers = bench.server.seen().iter().filter(|seen| seen.behaviour == Behaviour::Good).count();
    let answers = u64::try_from(answers).unwrap();
    assert_eq!(sum("input_tokens"), (INPUT_TOKENS + CACHED_TOKENS) * answers, "{answers} answers");
    // Of a turn that was ended, the last answers' output is not known.
    let output = sum("output_tokens");
    assert!(
        output <= OUTPUT_TOKENS * answers && output + 2 * OUTPUT_TOKENS > OUTPUT_TOKENS * answers,
        "{output} in {answers}"
    );
    assert_eq!(sum("turns"), 60 + 2, "the turns that passed, and the two that failed");
    assert_eq!(starts, 60 + TROUBLES.len());
}
