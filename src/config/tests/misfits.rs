//! Keys that nobody knows, and values of another type.

use rstest::rstest;

use super::Desk;

#[rstest]
#[case(
    "revewer_prompt: a\n",
    "orchestration.yaml:1:1: unknown key `revewer_prompt`\n  1 | revewer_prompt: a\n    | ^\n  help: did you mean `reviewer_prompt`?"
)]
#[case(
    "review_every: 3\n",
    "orchestration.yaml:1:1: unknown key `review_every`\n  1 | review_every: 3\n    | ^\n  help: did you mean `router.review_every_n`?"
)]
#[case(
    "router:\n  review_evry_n: 3\n",
    "orchestration.yaml:2:3: unknown key `review_evry_n` in `router`\n  2 |   review_evry_n: 3\n    |   ^\n  help: did you mean `review_every_n`?"
)]
#[case(
    "limits: {zzz: 3}\n",
    "orchestration.yaml:1:10: unknown key `zzz` in `limits`\n  1 | limits: {zzz: 3}\n    |          ^\n  help: known here: `on_limit`, `max_wait`"
)]
#[case("1: x\n", "orchestration.yaml:1:1: unknown key `1`\n  1 | 1: x\n    | ^")]
#[case(
    "agent: {overrides: {roles: {galph: claude}}}\n",
    "orchestration.yaml:1:9: unknown key `overrides` in `agent`\n  1 | agent: {overrides: {roles: {galph: claude}}}\n    |         ^\n  help: known here: `default`, `roles`, `prompts`, `commands`, `options`"
)]
#[case(
    "agent: {roles: {gaplh: claude}}\n",
    "orchestration.yaml:1:17: unknown key `gaplh` in `agent.roles`\n  1 | agent: {roles: {gaplh: claude}}\n    |                 ^\n  help: did you mean `galph`?"
)]
#[case(
    "verify: [{name: a, run: b, runn: c}]\n",
    "orchestration.yaml:1:28: unknown key `runn` in `verify[0]`\n  1 | verify: [{name: a, run: b, runn: c}]\n    |                            ^\n  help: did you mean `run`?"
)]
fn an_unknown_key_is_refused_with_what_was_meant(#[case] text: &str, #[case] refusal: &str) {
    assert_eq!(Desk::with(text).refusal(), refusal);
}

#[rstest]
#[case("prompts_dir: [a]\n", "orchestration.yaml:1:14: `prompts_dir` must be text, not a list")]
#[case("prompts_dir:\n", "orchestration.yaml:1:12: `prompts_dir` must be text, not nothing")]
#[case("prompts_dir: 5\n", "orchestration.yaml:1:14: `prompts_dir` must be text, not `5`")]
#[case("router: 5\n", "orchestration.yaml:1:9: `router` must be a mapping of keys to values, not `5`")]
#[case(
    "router: {enabled: yes}\n",
    "orchestration.yaml:1:19: `router.enabled` must be `true` or `false`, not `yes`"
)]
#[case(
    "router: {enabled: 1}\n",
    "orchestration.yaml:1:19: `router.enabled` must be `true` or `false`, not `1`"
)]
#[case(
    "router: {review_every_n: -3}\n",
    "orchestration.yaml:1:26: `router.review_every_n` must be a whole number, 0 or more, not `-3`"
)]
#[case(
    "router: {review_every_n: 1.5}\n",
    "orchestration.yaml:1:26: `router.review_every_n` must be a whole number, 0 or more, not `1.5`"
)]
#[case(
    "router: {allowlist: main.md}\n",
    "orchestration.yaml:1:21: `router.allowlist` must be a list, not `main.md`"
)]
#[case(
    "router: {allowlist: [a, {b: c}]}\n",
    "orchestration.yaml:1:25: `router.allowlist[1]` must be text, not a mapping"
)]
#[case(
    "router: {mode: router_frist}\n",
    "orchestration.yaml:1:16: `router.mode` must be `router_default`, `router_first` or `router_only`, not `router_frist`"
)]
#[case(
    "verify_policy: explode\n",
    "orchestration.yaml:1:16: `verify_policy` must be `note` or `fail`, not `explode`"
)]
#[case("verify_policy: [note]\n", "orchestration.yaml:1:16: `verify_policy` must be one word, not a list")]
#[case(
    "publish: {secrets: {allow: [{fingerprint: '0a1b2c3d4e5f6071'}]}}\n",
    "orchestration.yaml:1:29: `publish.secrets.allow[0]` lacks the key `reason`"
)]
#[case("verify: [{run: x}]\n", "orchestration.yaml:1:10: `verify[0]` lacks the key `name`")]
#[case(
    "turn: {wall_limit: soon}\n",
    "orchestration.yaml:1:20: `turn.wall_limit`: `soon` is not a duration: write `90s`, `20m`, `2h`, `1d`, `250ms`, or plain seconds"
)]
#[case(
    "turn: {wall_limit: -5}\n",
    "orchestration.yaml:1:20: `turn.wall_limit`: `-5` is not a duration: write `90s`, `20m`, `2h`, `1d`, `250ms`, or plain seconds"
)]
#[case(
    "turn: {wall_limit: [1]}\n",
    "orchestration.yaml:1:20: `turn.wall_limit` must be a duration such as `90s`, `20m`, `2h`, or plain seconds, not a list"
)]
#[case(
    "turn: {max_output: 5MB}\n",
    "orchestration.yaml:1:20: `turn.max_output`: `5MB` is not a size: write `500KiB`, `5MiB`, `1GiB`, or plain bytes"
)]
#[case(
    "publish: {work: {actors: [loop]}}\n",
    "orchestration.yaml:1:27: `publish.work.actors[0]` must be `galph` or `ralph`, not `loop`"
)]
#[case("serve: {address: here}\n", "orchestration.yaml:1:18: `serve.address`: invalid socket address syntax")]
#[case(
    "budget: {run: {cost_usd: much}}\n",
    "orchestration.yaml:1:26: `budget.run.cost_usd` must be a number, not `much`"
)]
fn a_value_of_another_type_is_refused_at_its_place(#[case] text: &str, #[case] first_line: &str) {
    assert_eq!(Desk::with(text).refusal().lines().next().unwrap(), first_line);
}

#[rstest]
#[case("router: {enabled: on}\n", "  help: write `true`")]
#[case("router: {enabled: No}\n", "  help: write `false`")]
#[case("prompts_dir: 5\n", "  help: quote it: \"5\"")]
#[case("router: {allowlist: main.md}\n", "  help: write [main.md]")]
#[case("verify_policy: notes\n", "  help: did you mean `note`?")]
#[case("serve: {address: here}\n", "  help: write an address and a port, such as `127.0.0.1:7878`")]
fn a_misfit_says_what_to_write(#[case] text: &str, #[case] help: &str) {
    assert_eq!(Desk::with(text).refusal().lines().last().unwrap(), help);
}

#[test]
fn all_problems_are_reported_at_once_from_top_to_bottom() {
    let text = "logs_dir: ../x\nrouter:\n  enabled: yes\n  review_evry_n: 3\nverify:\n  - {run: a}\n  - {name: b, run: c, timeout: soon}\nlogs: x\n";
    assert_eq!(
        Desk::with(text).refusal(),
        "the configuration has 6 problems

orchestration.yaml:1:11: `logs_dir` leaves the workspace by `..`: `../x`
  1 | logs_dir: ../x
    |           ^
  help: write a path relative to the workspace

orchestration.yaml:3:12: `router.enabled` must be `true` or `false`, not `yes`
  3 |   enabled: yes
    |            ^
  help: write `true`

orchestration.yaml:4:3: unknown key `review_evry_n` in `router`
  4 |   review_evry_n: 3
    |   ^
  help: did you mean `review_every_n`?

orchestration.yaml:6:5: `verify[0]` lacks the key `name`
  6 |   - {run: a}
    |     ^

orchestration.yaml:7:32: `verify[1].timeout`: `soon` is not a duration: write `90s`, `20m`, `2h`, `1d`, `250ms`, or plain seconds
  7 |   - {name: b, run: c, timeout: soon}
    |                                ^

orchestration.yaml:8:1: unknown key `logs`
  8 | logs: x
    | ^
  help: did you mean `logs_dir`?"
    );
}

#[test]
fn a_section_or_a_list_without_content_gives_nothing() {
    let built_in = Desk::empty().loaded().config;
    assert_eq!(Desk::with("router:\nverify:\nbudget:\n  run:\n").loaded().config, built_in);
}

#[test]
fn an_endless_line_is_cut_in_the_message() {
    let refusal = Desk::with(&format!("redact: [{}]\nlogs_dir: [a]\n", "[a], ".repeat(1000))).refusal();
    assert!(refusal.lines().all(|line| line.chars().count() < 160), "{refusal}");
}

#[test]
fn problems_beyond_counting_end_somewhere() {
    let lines: Vec<String> = (0..2000).map(|number| format!("k{number}: 1")).collect();
    assert!(Desk::with(&lines.join("\n")).refusal().starts_with("the configuration has 50 problems\n"));
}
