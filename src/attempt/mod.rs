//! One prompt, one agent, one outcome.
