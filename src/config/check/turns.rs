//! Turns, verification, budgets, completion.

use std::collections::BTreeSet;

use super::super::agents::AgentConfig;
use super::super::node::{NodePath, shortened};
use super::super::turns::{Budget, Budgets, Completion, Environment, TestCount, TurnConfig, VerifyCommand};
use super::{Checker, has_no_cost};
use crate::model::Actor;

impl Checker<'_> {
    pub(super) fn turn(&mut self, turn: &TurnConfig) {
        let TurnConfig {
            wall_limit,
            idle_limit,
            grace_period: _,
            session: _,
            isolation: _,
            agent_push: _,
            max_output,
            environment,
            env_allow,
        } = turn;
        let at = NodePath::dotted("turn");
        if wall_limit.is_zero() && idle_limit.is_zero() {
            self.note(
                &at.key("wall_limit"),
                "`turn.wall_limit` and `turn.idle_limit` are both off: an agent that hangs keeps the baton for ever",
            );
        }
        let help = "leave it out for 1GiB";
        self.more_than_nothing(&at.key("max_output"), (*max_output).into(), help);
        for (index, pattern) in env_allow.iter().enumerate() {
            self.pattern(&at.key("env_allow").index(index), pattern);
        }
        if *environment == Environment::Inherit && !env_allow.is_empty() {
            self.note(
                &at.key("env_allow"),
                "`turn.env_allow` has no effect while `turn.environment` is `inherit`",
            );
        }
    }

    pub(super) fn verify(&mut self, commands: &[VerifyCommand]) {
        let mut names = BTreeSet::new();
        for (index, command) in commands.iter().enumerate() {
            let at = NodePath::dotted("verify").index(index);
            let VerifyCommand { name, run, timeout, tests } = command;
            self.one_line(&at.key("name"), name);
            if !names.insert(name.as_str()) {
                let at = at.key("name");
                let message = format!("`{at}` is the name of another command: `{}`", shortened(name));
                self.refuse(&at, message, Some("give each command a name of its own"));
            }
            if run.trim().is_empty() {
                let at = at.key("run");
                self.refuse(
                    &at,
                    format!("`{at}` is empty"),
                    Some("write a shell command line, such as `cargo test`"),
                );
            }
            self.more_than_nothing(&at.key("timeout"), (*timeout).into(), "leave it out for 30m");
            if let Some(tests) = tests {
                self.test_count(&at.key("tests"), tests);
            }
        }
    }

    fn test_count(&mut self, at: &NodePath, tests: &TestCount) {
        let TestCount { min, count_regex: _ } = tests;
        self.more_than_nothing(&at.key("min"), (*min).into(), "leave it out for 1");
        if let Err(error) = tests.counter() {
            let at = at.key("count_regex");
            self.refuse(
                &at,
                format!("`{at}` {error}"),
                Some("write one with a group around the number, such as `([0-9]+) passed`"),
            );
        }
    }

    pub(super) fn budgets(&mut self, budgets: &Budgets, agent: &AgentConfig) {
        let Budgets { run, total } = budgets;
        for (key, budget) in [("budget.run", run), ("budget.total", total)] {
            self.budget(&NodePath::dotted(key), budget, agent);
        }
    }

    fn budget(&mut self, at: &NodePath, budget: &Budget, agent: &AgentConfig) {
        let Budget { turns, wall, tokens, cost_usd } = budget;
        let amounts = [
            ("turns", turns.map(Into::into)),
            ("wall", wall.map(Into::into)),
            ("tokens", tokens.map(Into::into)),
        ];
        for (key, amount) in amounts {
            if let Some(amount) = amount {
                self.more_than_nothing(&at.key(key), amount, "leave it out for no cap");
            }
        }
        let Some(cost) = cost_usd else { return };
        let at = at.key("cost_usd");
        if !cost.is_finite() || *cost <= 0.0 {
            self.refuse(&at, format!("`{at}` must be more than 0"), Some("leave it out for no cap"));
        } else if let Some(name) = agents_in_use(agent).into_iter().find(|name| has_no_cost(agent, name)) {
            self.refuse(
                &at,
                format!("`{at}` cannot be kept: the agent `{name}` does not report what its runs cost"),
                Some("cap `turns`, `wall` or `tokens` instead, or choose an agent that reports costs"),
            );
        }
    }

    pub(super) fn completion(&mut self, completion: &mut Completion) {
        let Completion { promise, plan_file } = completion;
        let at = NodePath::dotted("completion");
        if promise.as_ref().is_some_and(|promise| promise.trim().is_empty()) {
            self.refuse(
                &at.key("promise"),
                "`completion.promise` is empty, and every reply holds it",
                Some("write a text that is not said by accident, such as `<promise>COMPLETE</promise>`"),
            );
        }
        if let Some(plan_file) = plan_file {
            self.workspace_path(&at.key("plan_file"), plan_file);
            if promise.is_none() {
                self.note(
                    &at.key("plan_file"),
                    "`completion.plan_file` has no effect without `completion.promise`",
                );
            }
        }
    }
}

/// The agents that some turn may run.
fn agents_in_use(agent: &AgentConfig) -> BTreeSet<&str> {
    let AgentConfig { default, roles, prompts, commands: _, options: _, overrides } = agent;
    let of_seat = |actor| overrides.roles.get(&actor).or_else(|| roles.get(&actor)).unwrap_or(default);
    let seats = Actor::ALL.into_iter().map(of_seat);
    prompts.values().chain(overrides.prompts.values()).chain(seats).map(String::as_str).collect()
}
