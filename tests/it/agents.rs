//! What an agent tells of itself, through `baton run`: caps that it can keep, budgets, sessions, limits of the provider.

use jiff::{SignedDuration, Timestamp};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::Claude;

/// Ralph's agent tells nothing of its use and knows no sessions.
const RALPH_PLAIN: &str =
    "agent:\n  roles: { galph: claude, ralph: shell }\n  options: { claude: { binary: ../claude/claude } }\n";

fn time(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

#[rstest]
#[case::cost_of_a_run(
    "budget: { run: { cost_usd: 5 } }",
    "error: orchestration.yaml:4:28: `budget.run.cost_usd` cannot be kept: the agent `shell` does not report what its runs cost\n  \
     4 | budget: { run: { cost_usd: 5 } }\n    |                            ^\n  \
     help: cap `turns`, `wall` or `tokens` instead, or choose an agent that reports costs"
)]
#[case::cost_in_total(
    "budget: { total: { cost_usd: 5 } }",
    "error: orchestration.yaml:4:30: `budget.total.cost_usd` cannot be kept: the agent `shell` does not report what its runs cost\n  \
     4 | budget: { total: { cost_usd: 5 } }\n    |                              ^\n  \
     help: cap `turns`, `wall` or `tokens` instead, or choose an agent that reports costs"
)]
#[case::tokens_of_a_run(
    "budget: { run: { tokens: 5000 } }",
    "error: `budget.run.tokens` cannot be kept: the agent `shell` of ralph reports no tokens\n  \
     help: limit `turns` or `wall` instead"
)]
#[case::tokens_in_total(
    "budget: { total: { tokens: 5000 } }",
    "error: `budget.total.tokens` cannot be kept: the agent `shell` of ralph reports no tokens\n  \
     help: limit `turns` or `wall` instead"
)]
#[case::sessions(
    "turn: { session: resume }",
    "error: `turn.session: resume` cannot be kept: the agent `shell` of ralph cannot go on with a session\n  \
     help: set `turn.session: fresh`, or give the seat an agent that can"
)]
fn what_an_agent_cannot_keep_is_refused_before_either_seats_turn(
    #[case] setting: &str,
    #[case] message: &str,
) {
    let claude = Claude::with_configuration(&format!("{RALPH_PLAIN}{setting}\n"));
    let run = claude.run("1");
    assert_eq!((run.code, run.error()), (Some(2), message));
    assert!(!claude.scratch.exists("sync/state.json"), "nothing is claimed");
    assert_eq!(claude.starts(), Vec::<String>::new());
}

#[rstest]
#[case("run")]
#[case("total")]
fn the_agent_that_auto_finds_is_held_to_the_cap_too(#[case] which: &str) {
    let claude = Claude::with_configuration(&format!(
        "agent:\n  default: auto\n  options:\n    claude: {{ binary: ../none }}\n    codex: {{ binary: ../none }}\n    \
         gemini: {{ binary: ../claude/claude }}\nbudget: {{ {which}: {{ cost_usd: 5 }} }}\n"
    ));
    let run = claude.run("1");
    let message = format!(
        "error: `budget.{which}.cost_usd` cannot be kept: the agent `gemini` of galph reports no cost\n  \
         help: limit `turns`, `wall` or `tokens` instead"
    );
    assert_eq!((run.code, run.error()), (Some(2), message.as_str()));
    assert!(!claude.scratch.exists("sync/state.json"));
}

#[test]
fn a_cap_of_turns_needs_no_report() {
    let claude = Claude::with_configuration(&format!("{RALPH_PLAIN}budget: {{ run: {{ turns: 2 }} }}\n"));
    assert_eq!(claude.run("1").code, Some(0));
}

#[rstest]
#[case::cost("cost_usd: 0.6", 3, "0.75 of 0.60 US dollars are used")]
#[case::tokens("tokens: 2000", 2, "2400 of 2000 tokens are used")]
#[case::turns("turns: 1", 1, "1 of 1 turns are used")]
fn a_runs_budget_ends_the_run_and_holds_nobody(#[case] cap: &str, #[case] turns: usize, #[case] used: &str) {
    let claude = Claude::configured(&format!("budget: {{ run: {{ {cap} }} }}\n"));
    let run = claude.run("5");
    let message = format!(
        "error: the budget is used up: {used}\n  \
         help: raise it in `budget`, and clear the hold if `baton status` shows one"
    );
    assert_eq!((run.code, run.error()), (Some(4), message.as_str()));
    assert_eq!(claude.starts().len(), turns);
    assert_eq!(claude.state()["holds"], json!([]));
    assert_eq!(claude.run("5").code, Some(4), "the next run has a budget of its own");
    assert_eq!(claude.starts().len(), 2 * turns);
}

#[rstest]
#[case::cost("cost_usd: 0.5", "0.50 of 0.50 US dollars are used")]
#[case::tokens("tokens: 2000", "2400 of 2000 tokens are used")]
fn the_total_budget_is_over_both_seats_and_holds_every_process(#[case] cap: &str, #[case] used: &str) {
    let claude = Claude::configured(&format!("budget: {{ total: {{ {cap} }} }}\n"));
    let run = claude.run("5");
    let message = format!(
        "error: the budget is used up: {used}\n  \
         help: raise it in `budget`, and clear the hold if `baton status` shows one"
    );
    assert_eq!((run.code, run.error()), (Some(4), message.as_str()));
    assert_eq!(claude.starts().len(), 2);
    let state = claude.state();
    for seat in ["galph", "ralph"] {
        let usage = &state["usage"][seat];
        let counts =
            ["turns", "input_tokens", "cached_tokens", "output_tokens"].map(|name| usage[name].as_u64());
        assert_eq!(counts, [Some(1), Some(1000), Some(400), Some(200)], "{usage}");
        assert_eq!(usage["cost_usd"], 0.25);
    }
    assert_eq!((&state["holds"][0]["kind"], &state["holds"][0]["reason"]), (&"budget".into(), &used.into()));
    let id = state["holds"][0]["id"].as_str().unwrap();
    let again = claude.run("5");
    let held = format!("error: held: {used} (budget)\n  help: `baton hold clear {id}` lets the turns go on");
    assert_eq!((again.code, again.error()), (Some(4), held.as_str()));
    assert_eq!(claude.starts().len(), 2, "nothing was started");
}

#[test]
fn a_seat_goes_on_with_its_own_session_by_its_id() {
    let claude = Claude::configured("turn: { session: resume }\n");
    assert_eq!(claude.run("2").code, Some(0));
    let session = |start: &str, flag: &str| {
        let mut words = start.split(' ').skip_while(|word| *word != flag);
        words.nth(1).unwrap_or_else(|| panic!("no {flag} in {start}")).to_owned()
    };
    let starts = claude.starts();
    assert_eq!(starts.len(), 4);
    let begun = [session(&starts[0], "--session-id"), session(&starts[1], "--session-id")];
    assert_ne!(begun[0], begun[1]);
    assert_eq!([session(&starts[2], "--resume"), session(&starts[3], "--resume")], begun);
}

#[test]
fn a_cli_that_counts_its_whole_session_is_charged_by_turn() {
    let claude = Claude::with_configuration(
        "agent: { default: qwen, options: { qwen: { binary: ../claude/claude } } }\nturn: { session: resume }\n",
    );
    let report = |input: u32, output: u32| {
        format!(
            "work; says '{{\"type\":\"result\",\"subtype\":\"success\",\"is_error\":false,\"result\":\"Done.\",\"usage\":\
             {{\"input_tokens\":{input},\"output_tokens\":{output}}}}}'"
        )
    };
    for (start, input, output) in [(1, 1000, 100), (2, 700, 70), (3, 2500, 300), (4, 900, 80)] {
        claude.script(start, &report(input, output));
    }
    let run = claude.run("2");
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(claude.starts()[2].contains(" --resume "), "{:?}", claude.starts());
    let usage = &claude.state()["usage"];
    let tokens = |seat: &str| [&usage[seat]["input_tokens"], &usage[seat]["output_tokens"]];
    assert_eq!(tokens("galph"), [2500, 300], "1000 and then 1500 more");
    assert_eq!(tokens("ralph"), [900, 80]);
    assert_eq!(usage["galph"]["cost_usd"], Value::Null, "it reports none");
}

#[test]
fn after_a_failure_a_seat_begins_a_fresh_session() {
    let claude = Claude::configured("turn: { session: resume }\n");
    claude.script(1, "work; reports true 400 'Prompt is too long' 0");
    assert_eq!(claude.run("1").code, Some(5));
    assert_eq!(claude.run("1").code, Some(0));
    assert!(claude.starts()[1].contains(" --session-id "), "{:?}", claude.starts());
}

#[test]
fn a_usage_limit_holds_until_its_reset_and_the_turn_is_taken_anew() {
    let claude = Claude::configured("");
    claude.script(
        1,
        "until=$(($(date +%s) + 3600)); echo $until > \"$here/until\"\n\
         rejected_until $until; reports true 429 \"You have hit your limit\" 0.125",
    );
    let run = claude.run("1");
    let state = claude.state();
    let hold = &state["holds"][0];
    let id = hold["id"].as_str().unwrap();
    let message = format!(
        "error: held: You have hit your limit (limit)\n  help: `baton hold clear {id}` lets the turns go on"
    );
    assert_eq!((run.code, run.error()), (Some(4), message.as_str()));
    let until = std::fs::read_to_string(claude.folder().join("until")).unwrap();
    assert_eq!(time(&hold["until"]).as_second(), until.trim().parse::<i64>().unwrap());
    assert_eq!((&state["status"], &state["expected_actor"]), (&"idle".into(), &"galph".into()));
    let galph = &state["usage"]["galph"];
    assert_eq!((&galph["turns"], &galph["cost_usd"]), (&0.into(), &0.125.into()), "no turn, and paid for");
    assert_eq!(claude.run("1").code, Some(4), "it is held");
    assert_eq!(claude.starts().len(), 1);
    claude.clear_hold();
    assert_eq!(claude.run("1").code, Some(0));
    let state = claude.state();
    assert_eq!((&state["iteration"], &state["usage"]["galph"]["turns"]), (&2.into(), &1.into()));
    assert_eq!(claude.starts().len(), 3);
}

#[test]
fn an_overloaded_provider_is_left_alone_for_longer_each_time() {
    let claude = Claude::configured("");
    for (start, minutes) in [(1, 5), (2, 10), (3, 20)] {
        claude.script(start, "reports true 529 'API Error: Repeated 529 Overloaded errors' 0");
        let run = claude.run("1");
        assert_eq!(run.code, Some(4), "{run:?}");
        let hold = &claude.state()["holds"][0];
        assert_eq!(
            (&hold["kind"], &hold["reason"]),
            (&"limit".into(), &"API Error: Repeated 529 Overloaded errors".into())
        );
        let wait = time(&hold["until"]).duration_since(time(&hold["since"]));
        assert_eq!(wait, SignedDuration::from_mins(minutes));
        claude.clear_hold();
    }
    assert_eq!(claude.run("1").code, Some(0));
    assert_eq!(claude.state()["usage"]["galph"]["turns"], 1);
}

#[rstest]
#[case::credentials(
    "reports true 401 'Invalid API key · Fix external API key' 0",
    "error: the agent's turn ended `auth`: Invalid API key · Fix external API key\n  \
     help: the provider refuses the credentials: run `claude` and `/login`, or set `ANTHROPIC_API_KEY`\n  \
     help: the log and the summary lie under `logs`; `baton run` takes the turn again"
)]
#[case::permission(
    "says '{\"type\":\"result\",\"subtype\":\"success\",\"is_error\":false,\"result\":\"Done.\",\"permission_denials\":[{\"tool_name\":\"Write\"}]}'",
    "error: the agent's turn ended `denied`: it was refused the permission for: Write\n  \
     help: `agent.options.claude.permission: bypass` lets it work unattended; or allow in its own settings what it asks for\n  \
     help: the log and the summary lie under `logs`; `baton run` takes the turn again"
)]
fn what_a_person_must_put_right_stops_the_loop_with_the_remedy(#[case] script: &str, #[case] message: &str) {
    let claude = Claude::configured("");
    claude.script(1, script);
    let run = claude.run("1");
    assert_eq!((run.code, run.error()), (Some(5), message));
    assert_eq!((&claude.state()["status"], &claude.state()["holds"]), (&"failed".into(), &json!([])));
}

#[test]
fn an_agent_that_only_waits_for_its_provider_has_not_hung() {
    let claude = Claude::configured("turn: { idle_limit: 1s, grace_period: 300ms }\n");
    claude.script(1, "waits_for_provider 7200000; exec sleep 600");
    let run = claude.run("1");
    let state = claude.state();
    let reason = state["holds"][0]["reason"].as_str().unwrap();
    assert!(
        reason.starts_with(
            "the provider refused to serve for a limit, and the agent only waited; it was ended after "
        ),
        "{reason}"
    );
    assert_eq!((run.code, &state["holds"][0]["kind"]), (Some(4), &"limit".into()));
    let wait = time(&state["holds"][0]["until"]).duration_since(time(&state["holds"][0]["since"]));
    assert!(wait > SignedDuration::from_mins(119) && wait <= SignedDuration::from_hours(2), "{wait}");
    assert_eq!(state["usage"]["galph"]["turns"], 0);
}

#[test]
fn an_agent_that_is_silent_without_a_reason_has_hung() {
    let claude = Claude::configured("turn: { idle_limit: 1s, grace_period: 300ms }\n");
    claude.script(1, "speaks; exec sleep 600");
    let run = claude.run("1");
    assert_eq!(run.code, Some(5), "{run:?}");
    assert!(
        run.error().starts_with("error: the agent's turn ended `stalled`: no output and no processor time"),
        "{run:?}"
    );
    assert!(run.error().contains("\n  help: `turn.idle_limit` is 1s\n"), "{run:?}");
}
