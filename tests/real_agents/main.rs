//! The real agent CLIs, driven by the real program against a model server on loopback.
//!
//! Opt-in: `cargo test --features real-agents --test real_agents`. The first run installs pinned versions of the eight
//! CLIs (about 2.6 GB) from the npm registry and from PyPI into `target/real-agents`, or into `BATON_AGENTS_CACHE`; it
//! needs `npm`, Node 20 or newer and Python 3 with `venv`. After that nothing leaves the machine.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "a test stops at the first surprise, starts the processes and reads the clock that it checks against, and says what it saw"
)]

mod bench;
mod clis;
mod install;
mod night;
mod scenarios;
mod server;
mod table;

/// One module a CLI, one test a scenario; what a CLI cannot do is left out by name.
macro_rules! drive {
    ($name:ident, $cli:ident: $($scenario:ident)*) => {
        mod $name {
            $(
                #[test]
                fn $scenario() {
                    crate::scenarios::$scenario(crate::clis::$cli);
                }
            )*
        }
    };
}

drive!(claude, CLAUDE: good usage unauthorized quota plan_limit overloaded server_error context cut hang denied sigterm sigint adopted resumed);
drive!(codex, CODEX: good usage unauthorized quota overloaded server_error context cut hang denied sigterm sigint adopted resumed);
drive!(opencode, OPENCODE: good usage unauthorized quota overloaded server_error context cut hang denied sigterm sigint adopted resumed);
drive!(gemini, GEMINI: good usage unauthorized quota overloaded server_error context cut hang denied sigterm sigint adopted resumed);
drive!(copilot, COPILOT: good usage unauthorized quota overloaded server_error context cut hang denied sigterm sigint adopted resumed);
drive!(qwen, QWEN: good usage unauthorized quota overloaded server_error context cut hang denied sigterm sigint adopted resumed);
drive!(goose, GOOSE: good usage unauthorized quota overloaded server_error context cut hang denied sigterm sigint adopted resumed);
drive!(aider, AIDER: good usage unauthorized quota overloaded server_error context cut hang);
