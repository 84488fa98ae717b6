//! SQLite record.
