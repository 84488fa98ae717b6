//! sync/state.json.
