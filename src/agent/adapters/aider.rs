//! aider: started as below; its output is read as text.

use super::super::known::{KnownAgent, PLAIN};
use super::super::reader::Adapter;
use super::super::{OutputFormat, PromptDelivery};
use super::text::Text;

/// How it is started.
pub(super) const AGENT: KnownAgent = KnownAgent {
    name: "aider",
    head: &[
        "--no-stream",
        "--no-pretty",
        "--no-check-update",
        "--no-show-release-notes",
        "--no-show-model-warnings",
        "--no-gitignore",
        "--no-detect-urls",
        "--no-auto-commits",
    ],
    bypass: &["--yes-always"],
    tail: &["--message-file", "${prompt_file}"],
    env: &[("AIDER_ANALYTICS_DISABLE", "true"), ("LITELLM_LOCAL_MODEL_COST_MAP", "True")],
    // On standard input it would hold a conversation.
    delivery: PromptDelivery::File,
    failure_marks: &[
        "litellm.APIConnectionError",
        "litellm.APIError",
        "litellm.AuthenticationError",
        "litellm.BadRequestError",
        "litellm.ContextWindowExceededError",
        "litellm.InternalServerError",
        "litellm.NotFoundError",
        "litellm.RateLimitError",
        "litellm.ServiceUnavailableError",
        "litellm.Timeout",
    ],
    output: OutputFormat::Aider,
    verified: Some("0.86.2"),
    login: "set the provider's key, such as `OPENAI_API_KEY`",
    ..PLAIN
};

/// The reader of its output.
pub(super) fn reader() -> Box<dyn Adapter> {
    Box::new(Text::new(AGENT.failure_marks))
}
