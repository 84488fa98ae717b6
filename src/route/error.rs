//! Why no prompt was selected. Every variant ends the turn before its agent starts, with exit code 2.

use crate::model::{Actor, ParsePromptNameError, PromptName};

use super::Source;

/// Why no prompt was selected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// The selected prompt is not in the allowlist.
    #[error(
        "the router may not select `{prompt}` for {actor} ({source_kind}): allowed are {}; add it to `router.allowlist`",
        quoted(.allowed)
    )]
    NotAllowed {
        /// Whose turn.
        actor: Actor,
        /// What was selected.
        prompt: PromptName,
        /// By which rule.
        source_kind: Source,
        /// The allowlist in force.
        allowed: Vec<PromptName>,
    },
    /// The selected prompt belongs to the other seat, or to none.
    #[error("{actor} may not run `{prompt}` ({source_kind}): a seat runs its own prompt or the reviewer's, here {}", quoted(.may_run))]
    NotForActor {
        /// Whose turn.
        actor: Actor,
        /// What was selected.
        prompt: PromptName,
        /// By which rule.
        source_kind: Source,
        /// What the seat may run.
        may_run: Vec<PromptName>,
    },
    /// The selected prompt is not a file.
    #[error(
        "the prompt `{prompt}` for {actor} ({source_kind}) does not exist in `{prompts_dir}`: create `{prompts_dir}/{prompt}`, or run `baton init`"
    )]
    Missing {
        /// Whose turn.
        actor: Actor,
        /// What was selected.
        prompt: PromptName,
        /// By which rule.
        source_kind: Source,
        /// Where it was sought.
        prompts_dir: String,
    },
    /// The router prompt is not a file.
    #[error(
        "the router prompt `{prompt}` does not exist in `{prompts_dir}`: create `{prompts_dir}/{prompt}`, or remove `router.prompt`"
    )]
    RouterPromptMissing {
        /// The router prompt.
        prompt: PromptName,
        /// Where it was sought.
        prompts_dir: String,
    },
    /// `router_only` without a router prompt.
    #[error(
        "router mode `router_only` needs a router prompt for {actor}: set `router.prompt`, or choose `router_default`"
    )]
    NoRouterPrompt {
        /// Whose turn.
        actor: Actor,
    },
    /// The router agent replied nothing.
    #[error("the router prompt `{router}` was answered with nothing: its reply for {actor} must be one line that names one of {}", quoted(.may_run))]
    ReplyEmpty {
        /// Whose turn.
        actor: Actor,
        /// The router prompt.
        router: PromptName,
        /// What the reply could have named.
        may_run: Vec<PromptName>,
    },
    /// The router agent replied more than one line.
    #[error(
        "the router prompt `{router}` was answered with {lines} lines, first `{first}`: its reply for {actor} must be one line that \
         names one of {}", quoted(.may_run)
    )]
    ReplySeveralLines {
        /// Whose turn.
        actor: Actor,
        /// The router prompt.
        router: PromptName,
        /// How many lines were not empty.
        lines: usize,
        /// The first of them, cut and escaped.
        first: String,
        /// What the reply could have named.
        may_run: Vec<PromptName>,
    },
    /// The router agent's one line is not a prompt name.
    #[error("the router prompt `{router}` was answered for {actor} with what cannot be used; it must name one of {}", quoted(.may_run))]
    ReplyName {
        /// Whose turn.
        actor: Actor,
        /// The router prompt.
        router: PromptName,
        /// What the reply could have named.
        may_run: Vec<PromptName>,
        /// What is wrong with the name.
        #[source]
        source: ParsePromptNameError,
    },
    /// A reply where no router prompt was to be run: a defect of the caller, refused all the same.
    #[error("{actor}'s turn is not decided by a router prompt, so a reply cannot change it")]
    NotAsked {
        /// Whose turn.
        actor: Actor,
    },
}

fn quoted(names: &[PromptName]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}
