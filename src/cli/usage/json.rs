//! `baton usage --json`: one document.

use serde_json::{Map, Value, json};

use super::account::{Account, Accounts};
use super::render::room_left;
use super::{By, Facts};

/// The document; with `by`, only that group.
pub(super) fn as_json(facts: &Facts, by: Option<By>) -> String {
    let accounts = &facts.accounts;
    let groups: Map<String, Value> = By::ALL
        .into_iter()
        .filter(|group| by.is_none_or(|by| by == *group))
        .map(|group| (group.word().to_owned(), Value::Array(members(accounts, group))))
        .collect();
    let total = facts.state.as_ref().map(crate::model::UsageByActor::total);
    json!({
        "workspace": facts.workspace,
        "since": facts.since.map(|since| since.to_string()),
        "first_turn_at": accounts.first,
        "open_turns": facts.open_turns,
        "total": accounts.total,
        "given_back": accounts.given_back,
        "by": groups,
        "state": facts.state.zip(total).map(|(state, total)| {
            json!({ "galph": state.galph, "ralph": state.ralph, "total": total, "more_than_ledger": facts.difference })
        }),
        "shared": facts.shared.as_ref().map(|shared| {
            json!({ "remote": shared.remote, "branch": shared.branch, "online": shared.online })
        }),
        "budget": {
            "run": facts.budgets.run,
            "total": facts.budgets.total,
            "total_left": room_left(&facts.budgets.total, &total.unwrap_or_default()),
        },
    })
    .to_string()
}

fn members(accounts: &Accounts, by: By) -> Vec<Value> {
    fn member(key: &str, name: Value, account: &Account) -> Value {
        let mut value = serde_json::to_value(account).unwrap_or_default();
        if let Some(fields) = value.as_object_mut() {
            fields.shift_insert(0, key.to_owned(), name);
        }
        value
    }
    let key = by.word();
    match by {
        By::Actor => accounts.by_actor.iter().map(|(n, a)| member(key, json!(n), a)).collect(),
        By::Agent => accounts.by_agent.iter().map(|(n, a)| member(key, json!(n), a)).collect(),
        By::Iteration => accounts.by_iteration.iter().map(|(n, a)| member(key, json!(n), a)).collect(),
        By::Day => accounts.by_day.iter().map(|(n, a)| member(key, json!(n.to_string()), a)).collect(),
    }
}
