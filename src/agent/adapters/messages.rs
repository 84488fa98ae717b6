//! The stream of messages that Claude Code writes, and others after its example.
