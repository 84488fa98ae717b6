//! Pure domain types. No I/O, no clock, no randomness; every other module speaks in these words.

mod actor;
mod duration;
mod id;
mod outcome;
mod prompt;
mod size;
mod state;
mod status;
mod stream;
mod usage;

pub use actor::{Actor, ParseActorError};
pub use duration::{ParseSpanError, Span};
pub use id::{AttemptId, HoldId, ParseIdError, Token, TurnId};
pub use outcome::{OutcomeClass, Verdict};
pub use prompt::{MAX_PROMPT_NAME_BYTES, ParsePromptNameError, PromptName, PromptNameProblem};
pub use size::{ByteSize, ParseByteSizeError};
pub use state::{Hold, HoldKind, Holder, SCHEMA_VERSION, State, TurnFailure, UsageByActor};
pub use status::Status;
pub use stream::Stream;
pub use usage::Usage;
