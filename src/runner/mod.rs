//! run_turn and its journal.
