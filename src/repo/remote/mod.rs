//! stub
#![allow(missing_docs, dead_code, unused, clippy::all)]
mod address;
mod answer;
mod error;
mod facts;
mod lease;
use crate::publish::ObjectId;
pub use answer::{LeaseSeen, PushKind, Pushed, Refusal, RefusalKind, RemoteSeen};
pub use error::RemoteError;
pub use facts::{Because, Engine, RemoteFacts, Way};
pub use lease::{LeaseMark, Renewed};
#[derive(Debug)]
pub struct Remote;
impl Remote {
    pub fn look(&self) -> Result<Option<ObjectId>, RemoteError> {
        unimplemented!()
    }
    pub fn look_with_lease(&self) -> Result<RemoteSeen, RemoteError> {
        unimplemented!()
    }
    pub fn push(
        &self,
        commit: &ObjectId,
        expected: Option<&ObjectId>,
        what: PushKind,
    ) -> Result<Pushed, RemoteError> {
        unimplemented!()
    }
    pub fn renew_lease(&self, mark: &LeaseMark) -> Result<Renewed, RemoteError> {
        unimplemented!()
    }
    pub fn facts(&self) -> &RemoteFacts {
        unimplemented!()
    }
}
impl super::Repo {
    pub fn remote(&self, name: &str, branch: &str) -> Result<Remote, super::RepoError> {
        unimplemented!()
    }
}
