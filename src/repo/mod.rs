//! git: open, guard the branch, record what is dirty, commit by category.
//!
//! One [`Repo`] is opened for the life of the process. [`Repo::preflight`] says whether a turn may start,
//! [`Repo::dirty`] and [`Repo::dirty_since`] record the work tree, `publish` decides, [`Repo::commit`] carries
//! the decision out: trees from HEAD's tree plus the chosen paths, one commit a category, the branch moved by
//! compare-and-swap, everything fsynced, then just those paths refreshed in the index.
//!
//! [`Repo::remote`] is one branch of one remote: looks and pushes by compare-and-swap, and nothing else goes over a network.
//! `integrate` replays commits in memory and brings branch, index and files to another commit; nothing else writes the work
//! tree, and it does only where nothing of a person's is in the way.
//!
//! It never stashes, resets, forces a branch, or commits what is staged; it never deletes a lock of git, and its scan
//! never writes the user's index. What a turn means, and when to commit, is the
//! `runner`'s business; what to commit is `publish`'s.

mod backend;
mod choice;
mod commit;
mod create;
mod durable;
mod empty_packs;
mod error;
mod exclude;
mod head;
mod history;
mod hook;
mod ignored;
mod index;
mod index_lock;
mod integrate;
mod introduced;
mod left_behind;
mod library;
mod open;
mod place;
mod preflight;
mod program;
mod reference_lock;
mod remote;
mod rescue;
mod scan;
mod stop;
mod surroundings;
mod work_file;
mod worktree;

#[cfg(test)]
mod selection_tests;
#[cfg(test)]
mod testing;

pub use choice::{Choice, Need, has_git};
pub use commit::{Commit, CommitOrder, CommitPlan, Committed};
pub use create::{Beginning, clone_of, create, create_bare, create_empty_directory};
pub use error::{GitLock, RepoError, Unsupported};
pub use head::{Fingerprint, Head, Movement};
pub use history::PastVersion;
pub use hook::Hook;
pub use index::{IndexRefresh, SupersededEntry};
pub use integrate::{Brought, FileCommit, Replayed};
pub use introduced::{Introduced, IntroducedFile};
pub use open::Repo;
pub use preflight::{Identity, Operation, Person, Ready};
pub use remote::{
    Because, Engine, LeaseMark, LeaseSeen, PushKind, Pushed, Refusal, RefusalKind, Remote, RemoteError,
    RemoteFacts, RemoteSeen, Renewed, Way,
};
pub use rescue::Rescue;
pub use stop::StopSign;
pub use surroundings::{RemoteUrls, StashEntry, Surroundings};
pub use worktree::{Contents, Directory, EntrySeen, Link, LinkedTree, TreeSeen, WorkTrees};
