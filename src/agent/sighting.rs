//! What is seen of an agent while it runs: the words of the live view, the same for every CLI.

use jiff::Timestamp;

use crate::model::Usage;

/// One thing that an agent's output tells. Texts are the agent's own, of any length up to a line's and of any characters:
/// whoever shows them escapes and cuts them.
#[derive(Debug, Clone, PartialEq)]
pub enum Sighting {
    /// It said something.
    Said(String),
    /// It called a tool.
    ToolStarted {
        /// Pairs with the end, where the CLI tells.
        id: Option<String>,
        /// The tool, as the CLI names it.
        name: String,
        /// What the call is about: a command, a path, a pattern; one line, may be empty.
        summary: String,
    },
    /// A tool has ended.
    ToolEnded {
        /// Pairs with the start, where the CLI tells.
        id: Option<String>,
        /// Whether the tool failed or was refused.
        failed: bool,
        /// What the tool said; one line, may be empty.
        summary: String,
    },
    /// What this turn has used so far. Later sightings replace earlier ones.
    Used(Usage),
    /// It does not work but waits for the provider.
    Waiting(Waiting),
    /// The session that it runs in.
    Session(String),
    /// An event without meaning for people, by the CLI's name for it.
    Other(String),
}

/// Why an agent waits, and how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// What the provider answered.
    pub reason: WaitReason,
    /// Which try this was.
    pub attempt: Option<u64>,
    /// After how many it gives up.
    pub of: Option<u64>,
    /// Until when it waits.
    pub until: Option<Timestamp>,
}

/// What made an agent wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitReason {
    /// A limit of requests, of tokens or of use.
    RateLimit,
    /// The provider has no room.
    Overloaded,
    /// Anything else that is tried again: errors of the server, the network, the credentials.
    Retry,
}
