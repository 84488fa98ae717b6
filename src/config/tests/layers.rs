//! Which layer wins, and what the earlier names mean.

use std::os::unix::ffi::OsStringExt;

use rstest::rstest;

use super::super::RouterMode;
use super::Desk;
use crate::agent::decide_agent;
use crate::model::Actor;

#[test]
fn flags_win_over_environment_over_project_over_user_over_built_in() {
    let mut desk = Desk::with("sync: {loops: 3}\n").user("sync: {loops: 2, lease: 5m}\n");
    assert_eq!(desk.loaded().config.sync.loops, 3);
    assert_eq!(desk.origin_of("sync.loops"), "orchestration.yaml:1:15");
    assert_eq!(desk.origin_of("sync.lease"), "user.yaml:1:25");
    assert_eq!(desk.origin_of("sync.takeover"), "built-in");
    desk = desk.env("SYNC_LOOPS", "4");
    assert_eq!(desk.loaded().config.sync.loops, 4);
    assert_eq!(desk.origin_of("sync.loops"), "environment SYNC_LOOPS");
    desk.flags.set("sync.loops", 5, "--sync-loops");
    assert_eq!(desk.loaded().config.sync.loops, 5);
    assert_eq!(desk.origin_of("sync.loops"), "flag --sync-loops");
    assert_eq!(desk.loaded().files.len(), 2);
    assert!(desk.loaded().origins.is_given("sync.lease"));
    assert!(!desk.loaded().origins.is_given("sync.takeover"));
}

#[test]
fn mappings_are_merged_and_lists_replaced() {
    let desk = Desk::with("agent: {roles: {galph: claude}}\nredact: [B]\n")
        .user("agent: {roles: {supervisor: codex, ralph: gemini}}\nredact: [A]\n");
    let config = desk.loaded().config;
    assert_eq!(config.agent.roles[&Actor::Galph], "claude");
    assert_eq!(config.agent.roles[&Actor::Ralph], "gemini");
    assert_eq!(config.redact, ["B"]);
}

#[test]
fn null_takes_a_value_away() {
    let desk = Desk::with("router: {prompt: null}\n").user("router: {prompt: router.md}\n");
    assert_eq!(desk.loaded().config.router.prompt, None);
    assert_eq!(desk.origin_of("router.prompt"), "orchestration.yaml:1:18");
}

#[test]
fn flat_keys_mean_the_nested_ones() {
    let text = "doc_whitelist: [a.md]\ntracked_output_globs: ['b/*']\nreport_extensions: [.c]\n\
                tracked_output_extensions: [.d]\nrouter_enabled: true\nrouter_mode: router-first\n\
                router_prompt: r\nrouter_review_every_n: 7\nrouter_allowlist: [e]\n";
    let desk = Desk::with(text);
    let config = desk.loaded().config;
    assert_eq!(config.publish.docs.globs, ["a.md"]);
    assert_eq!(config.publish.tracked_outputs.globs, ["b/*"]);
    assert_eq!(config.publish.reports.extensions, [".c"]);
    assert_eq!(config.publish.tracked_outputs.extensions, [".d"]);
    assert!(config.router.enabled);
    assert_eq!(config.router.mode, RouterMode::RouterFirst);
    assert_eq!(config.router.prompt.as_deref(), Some("r.md"));
    assert_eq!(config.router.review_every_n, 7);
    assert_eq!(config.router.allowlist, ["e.md"]);
    assert_eq!(desk.origin_of("router.review_every_n"), "orchestration.yaml:8:24");
}

#[test]
fn a_flat_key_beside_the_nested_one_is_refused_with_both_places() {
    assert_eq!(
        Desk::with("router_mode: first\nrouter:\n  mode: only\n").refusal(),
        "orchestration.yaml:1:1: `router_mode` means `router.mode`, which is also given at orchestration.yaml:3:9
  1 | router_mode: first
    | ^
  help: keep `router.mode` and remove `router_mode`"
    );
}

#[test]
fn a_seat_given_by_both_its_names_is_refused_with_both_places() {
    assert_eq!(
        Desk::with("agent:\n  roles:\n    galph: claude\n    supervisor: codex\n").refusal(),
        "orchestration.yaml:4:5: `supervisor` in `agent.roles` means the same as `galph` at orchestration.yaml:3:5
  4 |     supervisor: codex
    |     ^
  help: keep one of the two"
    );
}

#[rstest]
#[case("default", RouterMode::RouterDefault)]
#[case("router-default", RouterMode::RouterDefault)]
#[case("first", RouterMode::RouterFirst)]
#[case("router_only", RouterMode::RouterOnly)]
#[case("only", RouterMode::RouterOnly)]
fn modes_have_their_short_names(#[case] word: &str, #[case] mode: RouterMode) {
    assert_eq!(Desk::with(&format!("router: {{mode: {word}}}\n")).loaded().config.router.mode, mode);
    assert_eq!(Desk::empty().env("ROUTER_MODE", word).loaded().config.router.mode, mode);
}

#[test]
fn the_earlier_environment_gives_values() {
    let desk = Desk::empty()
        .env("STATE_FILE", "other/state.json")
        .env("SUPERVISOR_PROMPT", "lead")
        .env("LOOP_PROMPT", "work.md")
        .env("POLL_INTERVAL", "7")
        .env("MAX_WAIT_SEC", "60")
        .env("ROUTER_ALLOWLIST", "lead, work,,reviewer.md")
        .env("ROUTER_PROMPT_REVIEWER", "judge")
        .env("CLAUDE_CMD", "/opt/claude")
        .env("MAX_AUTOCOMMIT_BYTES", "2048")
        .env("REVIEWER_PROMPT", "");
    let config = desk.loaded().config;
    assert_eq!(config.state_file.to_str(), Some("other/state.json"));
    assert_eq!((config.supervisor_prompt.as_str(), config.main_prompt.as_str()), ("lead.md", "work.md"));
    assert_eq!(config.reviewer_prompt, "reviewer.md");
    assert_eq!(config.router_prompts().reviewer, "judge.md");
    assert_eq!(config.sync.poll_interval.to_string(), "7s");
    assert_eq!(config.sync.max_wait.to_string(), "1m");
    assert_eq!(config.allowed_prompts(), ["lead.md", "work.md", "reviewer.md"]);
    assert_eq!(config.agent.options["claude"].binary.as_deref().unwrap().to_str(), Some("/opt/claude"));
    assert_eq!(config.publish.docs.max_file.to_string(), "2KiB");
}

#[rstest]
#[case(None, "claude", "codex")]
#[case(Some(Actor::Galph), "claude", "claude")]
#[case(Some(Actor::Ralph), "codex", "codex")]
fn a_seats_own_agent_variable_speaks_for_that_seat(
    #[case] seat: Option<Actor>,
    #[case] galph: &str,
    #[case] ralph: &str,
) {
    let mut desk = Desk::empty()
        .env("ORCHESTRATOR_AGENT", "gemini")
        .env("SUPERVISOR_AGENT", "claude")
        .env("LOOP_AGENT", "codex");
    desk.seat = seat;
    let agent = desk.loaded().config.agent;
    let chosen = |actor, prompt: &str| decide_agent(&agent.choice(), actor, &prompt.parse().unwrap()).name;
    assert_eq!(chosen(Actor::Galph, "supervisor.md"), galph);
    assert_eq!(chosen(Actor::Ralph, "main.md"), ralph);
}

#[test]
fn another_seats_report_variables_do_not_apply() {
    let desk = || Desk::empty().env("SUPERVISOR_REPORT_EXTENSIONS", ".a").env("REPORT_EXTENSIONS", ".b");
    assert_eq!(desk().seat(Actor::Galph).loaded().config.publish.reports.extensions, [".a"]);
    assert_eq!(desk().seat(Actor::Ralph).loaded().config.publish.reports.extensions, [".b"]);
    let both = desk().loaded();
    assert_eq!(both.config.publish.reports.extensions, [".b"]);
    let notices: Vec<String> = both.notices.iter().map(ToString::to_string).collect();
    assert_eq!(
        notices,
        ["environment SUPERVISOR_REPORT_EXTENSIONS: has no effect when one process plays both seats"]
    );
}

#[test]
fn agents_are_chosen_by_the_first_rule_that_matches() {
    let mut desk = Desk::with("agent: {default: aider, roles: {ralph: gemini}, prompts: {main: codex}}\n");
    let choice = |desk: &Desk, actor, prompt: &str| {
        let agent = desk.loaded().config.agent;
        let chosen = decide_agent(&agent.choice(), actor, &prompt.parse().unwrap());
        (chosen.name, chosen.because.to_string())
    };
    let because = |name: &str, because: &str| (name.to_owned(), because.to_owned());
    assert_eq!(choice(&desk, Actor::Galph, "supervisor.md"), because("aider", "--agent or agent.default"));
    assert_eq!(choice(&desk, Actor::Ralph, "other.md"), because("gemini", "agent.roles.ralph"));
    assert_eq!(choice(&desk, Actor::Ralph, "main.md"), because("codex", "agent.prompts.main.md"));
    desk.flags.set_agent_role("loop", "qwen", "--agent-role");
    assert_eq!(choice(&desk, Actor::Ralph, "main.md"), because("qwen", "--agent-role ralph"));
    desk = desk.env("ORCHESTRATOR_AGENT_PROMPT", "prompts/main.md=goose");
    assert_eq!(choice(&desk, Actor::Ralph, "main.md"), because("goose", "--agent-prompt main.md"));
    desk.flags.set_agent_prompt("main", "amp", "--agent-prompt");
    assert_eq!(choice(&desk, Actor::Ralph, "main.md"), because("amp", "--agent-prompt main.md"));
    assert_eq!(desk.origin_of("agent.overrides.prompts.main.md"), "flag --agent-prompt");
    assert_eq!(desk.origin_of("agent.overrides.roles.ralph"), "flag --agent-role");
}

#[test]
fn one_process_for_both_seats_hears_each_scripts_variable_for_its_seat_only() {
    let desk = Desk::empty()
        .env("SUPERVISOR_AGENT_ROLE", "supervisor=claude,loop=codex")
        .env("LOOP_AGENT_ROLE", "ralph=gemini");
    let overrides = desk.loaded().config.agent.overrides;
    assert_eq!(overrides.roles[&Actor::Galph], "claude");
    assert_eq!(overrides.roles[&Actor::Ralph], "gemini");
}

#[rstest]
#[case(
    "SYNC_LOOPS",
    "many",
    "environment SYNC_LOOPS: `sync.loops` must be a whole number, 0 or more, not `many`"
)]
#[case(
    "SYNC_LOOPS",
    "0",
    "environment SYNC_LOOPS: `sync.loops` must be more than 0\n  help: leave it out for 20"
)]
#[case(
    "POLL_INTERVAL",
    "-1",
    "environment POLL_INTERVAL: `sync.poll_interval`: `-1` is not a duration: write `90s`, `20m`, `2h`, `1d`, `250ms`, or plain seconds"
)]
#[case(
    "ORCHESTRATOR_AGENT",
    "cluade",
    "environment ORCHESTRATOR_AGENT: `agent.default` names no known agent: `cluade`\n  help: did you mean `claude`?"
)]
#[case(
    "ORCHESTRATOR_AGENT_ROLE",
    "claude",
    "environment ORCHESTRATOR_AGENT_ROLE: `claude` is not `role=agent`\n  help: write `role=agent`, with commas between several"
)]
#[case(
    "ORCHESTRATOR_AGENT_ROLE",
    "tester=claude",
    "environment ORCHESTRATOR_AGENT_ROLE: `tester` is no role\n  help: write `galph` or `ralph`"
)]
#[case(
    "ORCHESTRATOR_AGENT_PROMPT",
    "../x=claude",
    "environment ORCHESTRATOR_AGENT_PROMPT: `../x` is not a prompt name: it leaves the prompts folder"
)]
#[case(
    "ORCHESTRATOR_AGENT_PROMPT",
    "main=cluade",
    "environment ORCHESTRATOR_AGENT_PROMPT: names no known agent: `cluade`\n  help: did you mean `claude`?"
)]
fn a_variable_that_means_nothing_is_refused_by_name(
    #[case] name: &str,
    #[case] value: &str,
    #[case] refusal: &str,
) {
    assert_eq!(Desk::empty().env(name, value).refusal(), refusal);
}

#[test]
fn a_variable_that_is_not_utf_8_is_refused_by_name() {
    let mut desk = Desk::empty();
    desk.env.insert("STATE_FILE".into(), std::ffi::OsString::from_vec(vec![0xff]));
    assert_eq!(
        desk.refusal(),
        "environment STATE_FILE: is not UTF-8\n  help: unset it, or set it with `export STATE_FILE=...` in UTF-8"
    );
}

#[test]
fn a_flag_that_names_no_key_is_refused_by_its_name() {
    let mut desk = Desk::empty();
    desk.flags.set("sync.loop", 3, "--loops");
    assert_eq!(desk.refusal(), "flag --loops: unknown key `loop` in `sync`\n  help: did you mean `loops`?");
}
