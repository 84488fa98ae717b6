use std::collections::BTreeMap;

use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::model::{Actor, Verdict};

fn name(text: &str) -> PromptName {
    text.parse().unwrap()
}

fn settings() -> Settings {
    Settings {
        enabled: true,
        mode: Mode::Default,
        review_every_n: 0,
        supervisor_prompt: name("supervisor"),
        main_prompt: name("main"),
        reviewer_prompt: name("reviewer"),
        allowlist: Vec::new(),
        router_prompt: None,
    }
}

fn asking(mode: Mode) -> Settings {
    Settings { mode, router_prompt: Some(name("router")), ..settings() }
}

fn at(actor: Actor, iteration: u64) -> Situation<'static> {
    Situation { actor, iteration, last_prompt: None, last_prompt_actor: None }
}

fn everything(_: &PromptName) -> bool {
    true
}

fn nothing(_: &PromptName) -> bool {
    false
}

fn answer(settings: &Settings, reply: &str) -> Result<Decision, RouteError> {
    let galph = at(Actor::Galph, 3);
    let plan = decide_plan(settings, &galph)?;
    decide_override(settings, &galph, &plan, reply, "prompts", everything)
}

fn refusal<T: std::fmt::Debug>(refused: Result<T, RouteError>) -> String {
    refused.unwrap_err().to_string()
}

#[rstest]
#[case(Actor::Galph, "supervisor.md", "the router is off, and this is galph's own prompt")]
#[case(Actor::Ralph, "main.md", "the router is off, and this is ralph's own prompt")]
fn with_the_router_off_each_seat_runs_its_own_prompt(
    #[case] actor: Actor,
    #[case] prompt: &str,
    #[case] reason: &str,
    #[values(Mode::Default, Mode::First, Mode::Only)] mode: Mode,
) {
    let off = Settings {
        enabled: false,
        review_every_n: 1,
        allowlist: vec![name("other")],
        router_prompt: None,
        ..asking(mode)
    };
    let decided = decide_plan(&off, &at(actor, 4)).unwrap();
    let expected = Decision { prompt: name(prompt), source: Source::RouterOff, reason: reason.to_owned() };
    assert_eq!(decided, RoutePlan::Decided(expected));
}

#[rstest]
#[case(0, 6, "supervisor.md", Source::Deterministic, "no review is due, and this is galph's own prompt")]
#[case(3, 5, "supervisor.md", Source::Deterministic, "no review is due, and this is galph's own prompt")]
#[case(3, 6, "reviewer.md", Source::Cadence, "a review is due every 3 iterations, and 6 is one")]
#[case(1, 1, "reviewer.md", Source::Cadence, "a review is due every 1 iterations, and 1 is one")]
fn a_review_is_due_every_n_iterations(
    #[case] every: u64,
    #[case] iteration: u64,
    #[case] prompt: &str,
    #[case] source: Source,
    #[case] reason: &str,
) {
    let settings = Settings { review_every_n: every, ..settings() };
    let decision = decide_deterministic(&settings, &at(Actor::Galph, iteration)).unwrap();
    assert_eq!(decision, Decision { prompt: name(prompt), source, reason: reason.to_owned() });
}

#[rstest]
#[case(Some("reviewer.md"), Some(Actor::Galph), "main.md")]
#[case(Some("prompts/reviewer"), Some(Actor::Galph), "main.md")]
#[case(Some("supervisor.md"), Some(Actor::Galph), "reviewer.md")]
#[case(Some("reviewer.md"), Some(Actor::Ralph), "reviewer.md")]
#[case(Some("../reviewer.md"), Some(Actor::Galph), "reviewer.md")]
#[case(None, None, "reviewer.md")]
fn ralph_leaves_out_the_review_that_galph_has_done(
    #[case] last_prompt: Option<&str>,
    #[case] last_prompt_actor: Option<Actor>,
    #[case] prompt: &str,
) {
    let settings = Settings { review_every_n: 2, ..settings() };
    let situation = Situation { last_prompt, last_prompt_actor, ..at(Actor::Ralph, 4) };
    assert_eq!(decide_deterministic(&settings, &situation).unwrap().prompt, name(prompt));
}

#[test]
fn what_the_deterministic_rule_selects_must_be_allowed_too() {
    let narrow = Settings { allowlist: vec![name("main"), name("reviewer")], ..settings() };
    assert_eq!(
        refusal(decide_deterministic(&narrow, &at(Actor::Galph, 1))),
        "the router may not select `supervisor.md` for galph (deterministic): allowed are `main.md`, `reviewer.md`; add it to \
         `router.allowlist`"
    );
    assert!(decide_deterministic(&narrow, &at(Actor::Ralph, 1)).is_ok());
}

#[rstest]
#[case(Mode::Default)]
#[case(Mode::First)]
#[case(Mode::Only)]
fn ralph_is_never_given_to_the_router_prompt(#[case] mode: Mode) {
    let plan = decide_plan(&asking(mode), &at(Actor::Ralph, 3)).unwrap();
    assert!(matches!(&plan, RoutePlan::Decided(decision) if decision.prompt == name("main")), "{plan:?}");
    assert_eq!(
        refusal(decide_override(
            &asking(mode),
            &at(Actor::Ralph, 3),
            &plan,
            "reviewer.md",
            "prompts",
            everything
        )),
        "ralph's turn is not decided by a router prompt, so a reply cannot change it"
    );
}

#[rstest]
#[case(Mode::Default, Some("supervisor.md"))]
#[case(Mode::First, None)]
#[case(Mode::Only, None)]
fn galph_is_given_to_the_router_prompt_where_there_is_one(
    #[case] mode: Mode,
    #[case] replaces: Option<&str>,
) {
    let RoutePlan::AskRouter { prompt, replaces: decision } =
        decide_plan(&asking(mode), &at(Actor::Galph, 3)).unwrap()
    else {
        panic!("the router prompt is to be run");
    };
    assert_eq!(prompt, name("router"));
    assert_eq!(decision.map(|decision| decision.prompt), replaces.map(name));
}

#[rstest]
#[case(Mode::Default)]
#[case(Mode::First)]
fn without_a_router_prompt_the_deterministic_rule_decides(#[case] mode: Mode) {
    let plan = decide_plan(&Settings { mode, ..settings() }, &at(Actor::Galph, 3)).unwrap();
    assert!(matches!(&plan, RoutePlan::Decided(decision) if decision.prompt == name("supervisor")));
}

#[test]
fn router_only_needs_a_router_prompt_for_galph_and_means_default_for_ralph() {
    let only = Settings { mode: Mode::Only, ..settings() };
    assert_eq!(
        refusal(decide_plan(&only, &at(Actor::Galph, 3))),
        "router mode `router_only` needs a router prompt for galph: set `router.prompt`, or choose `router_default`"
    );
    assert!(matches!(
        decide_plan(&only, &at(Actor::Ralph, 3)),
        Ok(RoutePlan::Decided(decision)) if decision.prompt == name("main")
    ));
}

#[test]
fn router_default_needs_an_allowed_deterministic_prompt_and_router_first_does_not() {
    let narrow = vec![name("reviewer")];
    let default = Settings { allowlist: narrow.clone(), ..asking(Mode::Default) };
    let first = Settings { allowlist: narrow, ..asking(Mode::First) };
    assert!(matches!(answer(&default, "reviewer.md"), Err(RouteError::NotAllowed { .. })));
    assert_eq!(answer(&first, "reviewer.md").unwrap().prompt, name("reviewer"));
}

#[rstest]
#[case("reviewer.md", "reviewer.md")]
#[case("\n\n  prompts/reviewer  \r\n\n", "reviewer.md")]
#[case("supervisor", "supervisor.md")]
fn a_reply_of_one_line_is_the_decision(#[case] reply: &str, #[case] prompt: &str) {
    let decision = answer(&asking(Mode::Default), reply).unwrap();
    let reason = format!("the router prompt `router.md` was answered with `{prompt}`");
    assert_eq!(decision, Decision { prompt: name(prompt), source: Source::Override, reason });
}

#[rstest]
#[case(
    "",
    "the router prompt `router.md` was answered with nothing: its reply for galph must be one line that names one of \
     `supervisor.md`, `reviewer.md`"
)]
#[case(
    " \n\t\n",
    "the router prompt `router.md` was answered with nothing: its reply for galph must be one line that names one of \
     `supervisor.md`, `reviewer.md`"
)]
#[case(
    "I choose\nreviewer.md\n",
    "the router prompt `router.md` was answered with 2 lines, first `I choose`: its reply for galph must be one line \
     that names one of `supervisor.md`, `reviewer.md`"
)]
#[case(
    "\u{1b}[31mred\nreviewer.md\n",
    "the router prompt `router.md` was answered with 2 lines, first `\\u{1b}[31mred`: its reply for galph must be one line \
     that names one of `supervisor.md`, `reviewer.md`"
)]
#[case(
    "../../etc/passwd",
    "the router prompt `router.md` was answered for galph with what cannot be used; it must name one of `supervisor.md`, \
     `reviewer.md`"
)]
#[case(
    "`reviewer.md`",
    "the router may not select ``reviewer.md`.md` for galph (override): allowed are `supervisor.md`, `main.md`, \
     `reviewer.md`; add it to `router.allowlist`"
)]
#[case(
    "main.md",
    "galph may not run `main.md` (override): a seat runs its own prompt or the reviewer's, here `supervisor.md`, `reviewer.md`"
)]
fn any_other_reply_fails_the_turn_with_the_reason(#[case] reply: &str, #[case] text: &str) {
    assert_eq!(refusal(answer(&asking(Mode::Default), reply)), text);
}

#[test]
fn the_gate_holds_even_for_what_the_allowlist_names() {
    let wide = Settings {
        allowlist: vec![name("supervisor"), name("main"), name("reviewer"), name("other")],
        ..asking(Mode::First)
    };
    for refused in ["main.md", "other.md"] {
        assert!(matches!(answer(&wide, refused), Err(RouteError::NotForActor { .. })), "{refused}");
    }
}

#[test]
fn a_prompt_that_does_not_exist_is_refused_wherever_it_is_named() {
    let galph = at(Actor::Galph, 3);
    let ask = asking(Mode::Default);
    let plan = decide_plan(&ask, &galph).unwrap();
    assert_eq!(
        refusal(check_plan(Actor::Galph, &plan, "prompts", nothing)),
        "the router prompt `router.md` does not exist in `prompts`: create `prompts/router.md`, or remove `router.prompt`"
    );
    assert_eq!(check_plan(Actor::Galph, &plan, "prompts", |prompt| *prompt == name("router")), Ok(()));
    assert_eq!(
        refusal(decide_override(&ask, &galph, &plan, "reviewer", "prompts", nothing)),
        "the prompt `reviewer.md` for galph (override) does not exist in `prompts`: create `prompts/reviewer.md`, or run \
         `baton init`"
    );
    let decided = decide_plan(&settings(), &galph).unwrap();
    assert_eq!(
        refusal(check_plan(Actor::Galph, &decided, "prompts", nothing)),
        "the prompt `supervisor.md` for galph (deterministic) does not exist in `prompts`: create `prompts/supervisor.md`, or \
         run `baton init`"
    );
}

#[rstest]
#[case(Source::Cadence, Verdict::Pass, true)]
#[case(Source::Override, Verdict::Pass, true)]
#[case(Source::RouterOff, Verdict::Pass, false)]
#[case(Source::Cadence, Verdict::Fail, false)]
#[case(Source::Cadence, Verdict::Release, false)]
fn only_a_routed_turn_that_passed_is_remembered(
    #[case] source: Source,
    #[case] verdict: Verdict,
    #[case] remembered: bool,
) {
    let decision = Decision { prompt: name("reviewer"), source, reason: String::new() };
    let expected = remembered.then(|| (name("reviewer"), Actor::Galph));
    assert_eq!(last_prompt_after(Actor::Galph, &decision, verdict), expected);
}

/// One try at a turn: what the router agent would say, how the try ends, and what a person has set before it.
#[derive(Debug, Clone)]
struct Try {
    reply: String,
    verdict: Verdict,
    enabled: bool,
    review_every_n: u64,
}

fn any_reply() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec!["supervisor.md", "reviewer.md", "main", "other.md", "../x", "", "a\nb"])
            .prop_map(str::to_owned),
        1 => "\\PC{0,30}",
    ]
}

fn any_try() -> impl Strategy<Value = Try> {
    let verdict = prop::sample::select(vec![Verdict::Pass, Verdict::Pass, Verdict::Fail, Verdict::Release]);
    (any_reply(), verdict, prop::bool::weighted(0.85), 0_u64..4)
        .prop_map(|(reply, verdict, enabled, review_every_n)| Try { reply, verdict, enabled, review_every_n })
}

fn any_settings() -> impl Strategy<Value = Settings> {
    let some_names = prop::sample::subsequence(vec!["supervisor", "main", "reviewer", "other"], 0..4);
    (prop::sample::select(Mode::ALL.to_vec()), some_names, any::<bool>()).prop_map(|(mode, names, asks)| {
        Settings {
            mode,
            allowlist: names.into_iter().map(name).collect(),
            router_prompt: asks.then(|| name("router")),
            ..settings()
        }
    })
}

/// Decides as the runner would: the plan, and the router's reply where it is asked for.
fn decide(settings: &Settings, situation: &Situation<'_>, reply: &str) -> Result<Decision, RouteError> {
    match decide_plan(settings, situation)? {
        RoutePlan::Decided(decision) => Ok(decision),
        plan @ RoutePlan::AskRouter { .. } => {
            assert_eq!(situation.actor, Actor::Galph, "only galph's turn is overridden");
            decide_override(settings, situation, &plan, reply, "prompts", everything)
        }
    }
}

proptest! {
    #[test]
    fn nothing_outside_the_allowlist_and_the_gate_is_ever_selected(
        settings in any_settings(),
        reply in any_reply(),
        iteration in 1_u64..20,
        review_every_n in 0_u64..4,
        galph in any::<bool>(),
        last in prop::option::of(any_reply()),
    ) {
        let settings = Settings { review_every_n, ..settings };
        let actor = if galph { Actor::Galph } else { Actor::Ralph };
        let situation =
            Situation { actor, iteration, last_prompt: last.as_deref(), last_prompt_actor: Some(actor.other()) };
        if let Ok(decision) = decide(&settings, &situation, &reply) {
            prop_assert!(settings.allowed().contains(&decision.prompt));
            prop_assert!(settings.gate(actor).contains(&decision.prompt));
            prop_assert!(actor == Actor::Galph || decision.source != Source::Override);
        }
    }

    #[test]
    fn an_iteration_is_reviewed_at_most_once_whatever_fails_and_restarts(
        settings in any_settings(),
        tries in prop::collection::vec(any_try(), 1..60),
        ralph_begins in any::<bool>(),
    ) {
        let (mut iteration, mut actor) = (1, if ralph_begins { Actor::Ralph } else { Actor::Galph });
        let mut last: Option<(PromptName, Actor)> = None;
        let mut reviews: BTreeMap<u64, Vec<Actor>> = BTreeMap::new();
        for one in tries {
            let settings = Settings {
                enabled: one.enabled,
                review_every_n: one.review_every_n,
                ..settings.clone()
            };
            let situation = Situation {
                actor,
                iteration,
                last_prompt: last.as_ref().map(|(prompt, _)| prompt.as_str()),
                last_prompt_actor: last.as_ref().map(|(_, actor)| *actor),
            };
            let Ok(decision) = decide(&settings, &situation, &one.reply) else { continue };
            let reviewed = reviews.entry(iteration).or_default();
            if decision.prompt == name("reviewer") {
                prop_assert!(reviewed.is_empty(), "{actor} begins another review of iteration {iteration}");
                if one.verdict == Verdict::Pass {
                    reviewed.push(actor);
                }
            }
            if let Some(remembered) = last_prompt_after(actor, &decision, one.verdict) {
                last = Some(remembered);
            }
            if one.verdict == Verdict::Pass {
                iteration += u64::from(actor == Actor::Ralph);
                actor = actor.other();
            }
        }
    }
}
