//! Tool calls that the agent was refused, and whether it found another way.

use std::collections::BTreeMap;

use crate::model::OutcomeClass;

use super::super::reader::Failure;

/// More kinds of tools than this are not remembered.
const MAX_TOOLS: usize = 64;

/// What was refused and not made good since, by tool.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    open: BTreeMap<String, String>,
}

impl Refusals {
    /// A call of this tool was refused, with these words.
    pub(super) fn refused(&mut self, tool: &str, why: &str) {
        if self.open.len() < MAX_TOOLS || self.open.contains_key(tool) {
            self.open.insert(tool.to_owned(), why.trim().to_owned());
        }
    }

    /// A call of this tool has succeeded: what was refused before was not what the work depended on.
    pub(super) fn worked(&mut self, tool: &str) {
        self.open.remove(tool);
    }

    /// The verdict, if what the agent needed was refused to the end.
    pub(super) fn failure(&self) -> Option<Failure> {
        let (tool, why) = self.open.first_key_value()?;
        let detail = match why.lines().next() {
            Some(why) if !why.is_empty() => format!("it was refused the tool `{tool}`: {why}"),
            Some(_) | None => format!("it was refused the tool `{tool}`"),
        };
        Some(Failure { class: OutcomeClass::Denied, detail })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_stands_until_the_same_tool_succeeds() {
        let mut refusals = Refusals::default();
        assert_eq!(refusals.failure(), None);
        refusals.refused("write", "no\nreally not");
        refusals.worked("read");
        let failure = refusals.failure().unwrap();
        assert_eq!(failure.class, OutcomeClass::Denied);
        assert_eq!(failure.detail, "it was refused the tool `write`: no");
        refusals.worked("write");
        assert_eq!(refusals.failure(), None);
    }
}
