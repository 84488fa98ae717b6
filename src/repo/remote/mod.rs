//! One branch of one remote: looking at it, and pushing to it by compare-and-swap.
//!
//! The turn is passed through a branch that two machines share, so everything rests on two calls. [`Remote::look`] makes one
//! connection, asks for one reference, and keeps what it finds under `refs/baton/remote/`. [`Remote::push`] moves the
//! branch from the commit that was seen to one that stands on it, and says [`Pushed::Accepted`] only where the server said so
//! for that very reference; an error means that nobody knows, and that a look has to tell.
//!
//! Which git does it is decided once, from the address (`facts`): libgit2 looks at paths, `git://` and `http://`; the installed
//! git does all else. libgit2 never pushes to a path: its own transport overwrites the reference without comparing. Where a
//! directory on the same disk has neither hooks nor settings for pushes, the reference there is moved in place (`beside`). It never
//! asks a question, never waits longer than `git.timeout`, never forces a branch, and never shows a password. What is pushed, and
//! what an answer means for a turn, is the business of `turn` and `runner`.

mod address;
mod answer;
mod beside;
mod carry;
mod connect;
mod error;
mod facts;
mod found;
mod handle;
mod lease;
mod library;
mod limit;
mod link;
mod opened;
mod packs;
mod program;
mod swap;

#[cfg(test)]
mod tests;

pub use answer::{LeaseSeen, PushKind, Pushed, Refusal, RefusalKind, RemoteSeen};
pub use error::RemoteError;
pub use facts::{Because, Engine, RemoteFacts, Way};
pub use handle::Remote;
pub use lease::{LeaseMark, Renewed};

pub(super) use connect::Own;
