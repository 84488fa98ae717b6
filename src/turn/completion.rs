//! "Done" needs evidence: a promise alone ends nothing.

use std::fmt;

/// What stands beside galph's promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// How many `verify` commands there are.
    pub verify_commands: usize,
    /// The names of those that did not pass on the tree as it is.
    pub failing: Vec<String>,
    /// The plan file and how many of its boxes are not ticked, where one is configured; `None` boxes: it cannot be
    /// read or has no boxes at all.
    pub plan: Option<(String, Option<usize>)>,
    /// Paths that were in the tree that was verified and are not in the tree that is published.
    pub unpublished: Vec<String>,
}

/// Why a promise was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefusedPromise {
    /// Neither `verify` commands nor a plan file are configured.
    NothingToCheck,
    /// Commands fail.
    Failing(Vec<String>),
    /// Boxes are open.
    Unticked {
        /// The plan file.
        plan: String,
        /// How many.
        open: usize,
    },
    /// The plan file has no boxes or cannot be read.
    NoPlan(String),
    /// What was verified is not what is published.
    OtherTree(Vec<String>),
}

impl fmt::Display for RefusedPromise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingToCheck => f.write_str(
                "there is nothing to check it against: configure `verify` commands or `completion.plan_file`",
            ),
            Self::Failing(names) => write!(f, "these `verify` commands fail: {}", names.join(", ")),
            Self::Unticked { plan, open } => write!(f, "{plan} has {open} open item(s)"),
            Self::NoPlan(plan) => write!(f, "{plan} cannot be read or has no `- [ ]` items"),
            Self::OtherTree(paths) => write!(
                f,
                "the tree that was verified is not the tree that is committed; uncommitted: {}",
                paths.join(", ")
            ),
        }
    }
}

/// Whether a promise of completion stands.
pub fn decide_completion(evidence: &Evidence) -> Result<(), RefusedPromise> {
    if evidence.verify_commands == 0 && evidence.plan.is_none() {
        return Err(RefusedPromise::NothingToCheck);
    }
    if !evidence.failing.is_empty() {
        return Err(RefusedPromise::Failing(evidence.failing.clone()));
    }
    match &evidence.plan {
        Some((plan, None)) => return Err(RefusedPromise::NoPlan(plan.clone())),
        Some((plan, Some(open))) if *open > 0 => {
            return Err(RefusedPromise::Unticked { plan: plan.clone(), open: *open });
        }
        Some(_) | None => {}
    }
    if !evidence.unpublished.is_empty() {
        return Err(RefusedPromise::OtherTree(evidence.unpublished.clone()));
    }
    Ok(())
}

/// Open boxes of a Markdown plan, or `None` when it has no boxes at all. Fenced code does not count.
pub fn count_unticked(markdown: &str) -> Option<usize> {
    let (mut boxes, mut open, mut fenced) = (0_usize, 0_usize, false);
    for line in markdown.lines() {
        let line = line.trim_start();
        if line.starts_with("```") || line.starts_with("~~~") {
            fenced = !fenced;
            continue;
        }
        let Some(item) = line.strip_prefix(['-', '*', '+']).map(str::trim_start).filter(|_| !fenced) else {
            continue;
        };
        if item.starts_with("[ ]") {
            boxes += 1;
            open += 1;
        } else if item.starts_with("[x]") || item.starts_with("[X]") {
            boxes += 1;
        }
    }
    (boxes > 0).then_some(open)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn evidence() -> Evidence {
        Evidence {
            verify_commands: 1,
            failing: vec![],
            plan: Some(("docs/fix_plan.md".into(), Some(0))),
            unpublished: vec![],
        }
    }

    #[test]
    fn a_promise_with_all_its_evidence_stands() {
        assert_eq!(decide_completion(&evidence()), Ok(()));
    }

    #[rstest]
    #[case(Evidence { verify_commands: 0, plan: None, ..evidence() },
        "there is nothing to check it against: configure `verify` commands or `completion.plan_file`")]
    #[case(Evidence { failing: vec!["tests".into(), "lint".into()], ..evidence() },
        "these `verify` commands fail: tests, lint")]
    #[case(Evidence { plan: Some(("docs/fix_plan.md".into(), Some(2))), ..evidence() },
        "docs/fix_plan.md has 2 open item(s)")]
    #[case(Evidence { plan: Some(("docs/fix_plan.md".into(), None)), ..evidence() },
        "docs/fix_plan.md cannot be read or has no `- [ ]` items")]
    #[case(Evidence { unpublished: vec!["src/a.rs".into()], ..evidence() },
        "the tree that was verified is not the tree that is committed; uncommitted: src/a.rs")]
    fn a_promise_without_evidence_is_refused_with_the_reason(#[case] evidence: Evidence, #[case] text: &str) {
        assert_eq!(decide_completion(&evidence).unwrap_err().to_string(), text);
    }

    #[rstest]
    #[case("no boxes\n- plain item\n", None)]
    #[case("- [x] a\n* [X] b\n", Some(0))]
    #[case("- [x] a\n  - [ ] b\n+ [ ] c\n", Some(2))]
    #[case("- [x] a\n```\n- [ ] sample\n```\n", Some(0))]
    fn open_boxes_are_counted(#[case] markdown: &str, #[case] open: Option<usize>) {
        assert_eq!(count_unticked(markdown), open);
    }
}
