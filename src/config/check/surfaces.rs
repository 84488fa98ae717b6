//! Gates, governance, notifications.

use super::super::node::{NodePath, shortened};
use super::super::surfaces::{Gate, GateWhen, Governance, Notify, Rule, Webhook};
use super::Checker;

impl Checker<'_> {
    pub(super) fn gates(&mut self, gates: &[Gate]) {
        for (index, gate) in gates.iter().enumerate() {
            let at = NodePath::dotted("gates").index(index);
            let Gate { when, n, question } = gate;
            self.one_line(&at.key("question"), question);
            match (when, n) {
                (GateWhen::EveryNIterations, None) => self.refuse(
                    &at.key("when"),
                    format!("`{at}` closes every n iterations and does not say `n`"),
                    Some("add `n: 5`, say"),
                ),
                (GateWhen::EveryNIterations, Some(n)) => {
                    self.more_than_nothing(&at.key("n"), (*n).into(), "remove the gate to have none");
                }
                (GateWhen::BeforeFirstPublish | GateWhen::AfterFailure, Some(_)) => self.refuse(
                    &at.key("n"),
                    format!("`{}` has a meaning with `every_n_iterations` only", at.key("n")),
                    Some("remove it"),
                ),
                (GateWhen::BeforeFirstPublish | GateWhen::AfterFailure, None) => {}
            }
        }
    }

    pub(super) fn governance(&mut self, governance: &Governance) {
        let Governance { rules } = governance;
        for (index, rule) in rules.iter().enumerate() {
            let at = NodePath::dotted("governance.rules").index(index);
            let Rule { decision: _, action, actors: _, parameters } = rule;
            self.pattern(&at.key("action"), action);
            for (name, pattern) in parameters {
                self.pattern(&at.key("parameters").key(name), pattern);
            }
        }
    }

    pub(super) fn notify(&mut self, notify: &Notify) {
        let Notify { webhooks, command } = notify;
        let at = NodePath::dotted("notify");
        for (index, webhook) in webhooks.iter().enumerate() {
            self.webhook(&at.key("webhooks").index(index), webhook);
        }
        if let Some(command) = command {
            self.arguments(&at.key("command"), command);
        }
    }

    fn webhook(&mut self, at: &NodePath, webhook: &Webhook) {
        let Webhook { url, events, secret_env } = webhook;
        let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        let has_host = host.is_some_and(|host| !host.is_empty() && !host.starts_with('/'));
        if !has_host || url.contains(|c: char| c.is_whitespace() || c.is_control()) {
            let at = at.key("url");
            let message = format!("`{at}` is not an http or https address: `{}`", shortened(url));
            self.refuse(&at, message, Some("write it whole, such as `https://example.org/hook`"));
        }
        for (index, pattern) in events.iter().enumerate() {
            self.pattern(&at.key("events").index(index), pattern);
        }
        if let Some(name) = secret_env {
            self.environment_name(&at.key("secret_env"), name);
        }
    }
}
