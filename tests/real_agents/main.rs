//! The real agent CLIs, driven by the real program against a model server on loopback.
//!
//! Opt-in: `cargo test --features real-agents --test real_agents`. The first run installs pinned versions of the eight
//! CLIs (about 2.6 GB) from the npm registry and from PyPI into `target/real-agents`, or into `BATON_AGENTS_CACHE`; it
//! needs `npm`, Node 20 or newer and Python 3 with `venv`. After that nothing leaves the machine.

mod bench;
mod clis;
mod install;
mod scenarios;
mod server;
