//! References and what they name; copies that only references of our own name.

use std::collections::BTreeMap;

use super::super::backend::{Copy, Found};
use super::super::error::RepoError;
use super::super::surroundings::StashEntry;
use super::look::object_id;
use super::open::{Installed, unexpected, without_last_break};
use crate::publish::ObjectId;

impl Installed {
    pub(super) fn find_objects(&self, names: &[String]) -> Result<Vec<Option<Found>>, RepoError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let failed = self.program.failed("read an object");
        let input = names.iter().fold(String::new(), |text, name| text + &name.replace('\n', " ") + "\n");
        let call = self.program.look(&["cat-file", "--batch-check=%(objectname) %(objectsize)"]);
        let answers = call.input(input.as_bytes()).run().map_err(&failed)?;
        let answers = String::from_utf8_lossy(&answers).into_owned();
        let found = |answer: &str| {
            let (id, size) = answer.split_once(' ')?;
            Some(Found { id: id.parse().ok()?, size: size.parse().ok()? })
        };
        let found: Vec<Option<Found>> = answers.lines().map(found).collect();
        if found.len() == names.len() { Ok(found) } else { Err(failed(unexpected())) }
    }

    pub(super) fn list_references(&self) -> Result<BTreeMap<String, ObjectId>, RepoError> {
        let call = self.program.look(&["for-each-ref", "--format=%(objectname) %(symref) %(refname)"]);
        let listed = call.run().map_err(self.program.failed("list the branches and tags"))?;
        let named = |line: &[u8]| {
            let mut fields = line.splitn(3, |byte| *byte == b' ');
            let (id, symbolic, name) = (fields.next()?, fields.next()?, fields.next()?);
            let name = String::from_utf8_lossy(name).into_owned();
            symbolic.is_empty().then_some((name, object_id(id)?))
        };
        Ok(listed.split(|byte| *byte == b'\n').filter_map(named).collect())
    }

    pub(super) fn read_stash_log(&self) -> Result<Vec<StashEntry>, RepoError> {
        let listed = self
            .program
            .look(&["log", "-g", "-z", "--format=%H %gs", "--no-show-signature", "--no-color"])
            .arguments(["refs/stash", "--"])
            .run()
            .map_err(self.program.failed("read the stash"))?;
        let entry = |entry: &[u8]| {
            let (id, message) = entry.split_at_checked(entry.iter().position(|byte| *byte == b' ')?)?;
            let message = String::from_utf8_lossy(message.get(1..)?).into_owned();
            Some(StashEntry { id: object_id(id)?, message })
        };
        Ok(listed.split(|byte| *byte == 0).filter_map(entry).collect())
    }

    pub(super) fn read_remotes(&self) -> Vec<(String, String)> {
        let call = self.program.look(&["config", "-z", "--get-regexp", r"^remote\..*\.(url|pushurl)$"]);
        // Without any, git fails.
        let listed = call.run().unwrap_or_default();
        let listed = String::from_utf8_lossy(&listed).into_owned();
        let setting =
            |entry: &str| entry.split_once('\n').map(|(key, value)| (key.to_owned(), value.to_owned()));
        listed.split('\0').filter_map(setting).collect()
    }

    /// Through the text of the commit: no argument limits the number of its parents.
    pub(super) fn write_copy(&self, copy: &Copy<'_>) -> Result<ObjectId, RepoError> {
        let failed = self.program.failed("store copies of uncommitted changes");
        let mut objects = Vec::new();
        let tree = match copy.base {
            Some(base) => {
                let (_, index) = self.scratch_index(base)?;
                self.change_index(&index, copy.changes)?;
                let tree = self.write_tree(self.in_index(&index.path(), &["write-tree"]))?;
                objects.extend(self.brought(base.as_str(), &tree)?.objects);
                tree
            }
            None => self.write_tree(self.program.write(&["mktree"]))?,
        };
        let mut lines = vec![format!("tree {tree}")];
        lines.extend(copy.parents.iter().map(|parent| format!("parent {parent}")));
        lines.extend(["author", "committer"].map(|role| format!("{role} baton <baton@localhost> 0 +0000")));
        let text = format!("{}\n\n{}", lines.join("\n"), copy.message);
        let call = self.program.write(&["hash-object", "-t", "commit", "-w", "--stdin"]);
        let answer = call.input(text.as_bytes()).run().map_err(&failed)?;
        let id = object_id(without_last_break(&answer)).ok_or_else(|| failed(unexpected()))?;
        objects.extend([tree, id.clone()]);
        self.sync(&objects)?;
        Ok(id)
    }

    pub(super) fn write_references(&self, names: &BTreeMap<String, ObjectId>) -> Result<(), RepoError> {
        let orders = names.iter().map(|(name, id)| format!("update {name}\0{id}\0\0"));
        self.update_references(orders, "name the copies of uncommitted changes")
    }

    pub(super) fn delete_references(&self, names: &[String]) -> Result<(), RepoError> {
        let orders = names.iter().map(|name| format!("delete {name}\0\0"));
        self.update_references(orders, "forget the copies of uncommitted changes")
    }

    fn update_references(
        &self,
        orders: impl Iterator<Item = String>,
        doing: &'static str,
    ) -> Result<(), RepoError> {
        let orders: String = orders.collect();
        if orders.is_empty() {
            return Ok(());
        }
        let call = self.program.write(&["update-ref", "-m", "baton: before a turn", "--stdin", "-z"]);
        call.input(orders.as_bytes()).run().map(|_| ()).map_err(self.program.failed(doing))
    }
}
