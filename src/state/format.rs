//! The file's format: two-space indented JSON with a final newline; unknown fields survive a round trip.

use std::fmt;

use jiff::Timestamp;
use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::model::{Actor, Hold, Holder, SCHEMA_VERSION, State, Status, Token, TurnFailure, UsageByActor};

/// The text is not a state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found}")]
pub struct FormatError {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// What was found there.
    pub found: String,
}

impl FormatError {
    fn at(line: usize, column: usize, found: impl Into<String>) -> Self {
        Self { line, column, found: found.into() }
    }
}

/// Reads a state strictly.
pub fn parse(bytes: &[u8]) -> Result<State, FormatError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let (line, column) = position(&bytes[..error.valid_up_to()]);
        FormatError::at(line, column, "a byte that is not UTF-8")
    })?;
    if text.trim().is_empty() {
        return Err(FormatError::at(1, 1, "an empty file"));
    }
    if let Some(line) = conflict_marker(text) {
        return Err(FormatError::at(line, 1, "a merge conflict marker"));
    }
    let document: Document = serde_json::from_str(text).map_err(|error| {
        let (line, column) = (error.line().max(1), error.column().max(1));
        let shown = error.to_string();
        let found = shown.rsplit_once(" at line ").map_or(shown.as_str(), |(found, _)| found);
        FormatError::at(line, column, found)
    })?;
    Ok(document.0)
}

/// The bytes of a state file.
pub fn render(state: &State) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(&Fields(state)).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// A state inside another JSON document, in the file's own format: for `#[serde(with = "state::wire")]`.
pub mod wire {
    use super::{Deserialize, Deserializer, Document, Fields, Serialize, Serializer, State};

    /// Writes a state as the file has it.
    pub fn serialize<S: Serializer>(state: &State, serializer: S) -> Result<S::Ok, S::Error> {
        Fields(state).serialize(serializer)
    }

    /// Reads a state as strictly as the file is read.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<State, D::Error> {
        Document::deserialize(deserializer).map(|document| document.0)
    }
}

fn position(before: &[u8]) -> (usize, usize) {
    let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let line = before.split(|byte| *byte == b'\n').count();
    (line, before.len() - line_start + 1)
}

fn conflict_marker(text: &str) -> Option<usize> {
    let markers = ["<<<<<<< ", "=======", ">>>>>>> "];
    text.lines().position(|line| markers.iter().any(|marker| line.starts_with(marker))).map(|index| index + 1)
}

/// A state with the strictness of the wire format.
struct Document(State);

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(StateVisitor)
    }
}

struct StateVisitor;

/// Takes a field's value, refusing a field that is given twice.
fn field<'de, A: MapAccess<'de>, T: Deserialize<'de>>(
    map: &mut A,
    slot: &mut Option<T>,
    name: &'static str,
) -> Result<(), A::Error> {
    if slot.is_some() {
        return Err(de::Error::duplicate_field(name));
    }
    *slot = Some(map.next_value()?);
    Ok(())
}

impl<'de> Visitor<'de> for StateVisitor {
    type Value = Document;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the fields of the turn state")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Document, A::Error> {
        let mut iteration: Option<Iteration> = None;
        let mut expected_actor: Option<Actor> = None;
        let mut status: Option<Status> = None;
        let mut last_update: Option<Option<Timestamp>> = None;
        let mut lease_expires_at: Option<Option<Timestamp>> = None;
        let mut galph_commit: Option<Option<String>> = None;
        let mut ralph_commit: Option<Option<String>> = None;
        let mut last_prompt: Option<Option<String>> = None;
        let mut last_prompt_actor: Option<Option<Actor>> = None;
        let mut exit: Option<bool> = None;
        let mut exit_reason: Option<Option<String>> = None;
        let mut schema_version: Option<Schema> = None;
        let mut epoch: Option<u64> = None;
        let mut token: Option<Option<Token>> = None;
        let mut holder: Option<Option<Holder>> = None;
        let mut holds: Option<Vec<Hold>> = None;
        let mut interruptions: Option<u32> = None;
        let mut usage: Option<UsageByActor> = None;
        let mut notes: Option<Vec<String>> = None;
        let mut failure: Option<Option<TurnFailure>> = None;
        let mut unknown = serde_json::Map::new();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "iteration" => field(&mut map, &mut iteration, "iteration")?,
                "expected_actor" => field(&mut map, &mut expected_actor, "expected_actor")?,
                "status" => field(&mut map, &mut status, "status")?,
                "last_update" => field(&mut map, &mut last_update, "last_update")?,
                "lease_expires_at" => field(&mut map, &mut lease_expires_at, "lease_expires_at")?,
                "galph_commit" => field(&mut map, &mut galph_commit, "galph_commit")?,
                "ralph_commit" => field(&mut map, &mut ralph_commit, "ralph_commit")?,
                "last_prompt" => field(&mut map, &mut last_prompt, "last_prompt")?,
                "last_prompt_actor" => field(&mut map, &mut last_prompt_actor, "last_prompt_actor")?,
                "exit" => field(&mut map, &mut exit, "exit")?,
                "exit_reason" => field(&mut map, &mut exit_reason, "exit_reason")?,
                "schema_version" => field(&mut map, &mut schema_version, "schema_version")?,
                "epoch" => field(&mut map, &mut epoch, "epoch")?,
                "token" => field(&mut map, &mut token, "token")?,
                "holder" => field(&mut map, &mut holder, "holder")?,
                "holds" => field(&mut map, &mut holds, "holds")?,
                "interruptions" => field(&mut map, &mut interruptions, "interruptions")?,
                "usage" => field(&mut map, &mut usage, "usage")?,
                "notes" => field(&mut map, &mut notes, "notes")?,
                "failure" => field(&mut map, &mut failure, "failure")?,
                _ => {
                    if unknown.contains_key(&key) {
                        return Err(de::Error::custom(format!("duplicate field `{key}`")));
                    }
                    let value: Value = map.next_value()?;
                    unknown.insert(key, value);
                }
            }
        }
        Ok(Document(State {
            iteration: iteration.ok_or_else(|| de::Error::missing_field("iteration"))?.0,
            expected_actor: expected_actor.ok_or_else(|| de::Error::missing_field("expected_actor"))?,
            status: status.ok_or_else(|| de::Error::missing_field("status"))?,
            last_update: last_update.flatten(),
            lease_expires_at: lease_expires_at.flatten(),
            galph_commit: galph_commit.flatten(),
            ralph_commit: ralph_commit.flatten(),
            last_prompt: last_prompt.flatten(),
            last_prompt_actor: last_prompt_actor.flatten(),
            exit: exit.unwrap_or(false),
            exit_reason: exit_reason.flatten().unwrap_or_default(),
            schema_version: schema_version.map_or(0, |schema| schema.0),
            epoch: epoch.unwrap_or(0),
            token: token.flatten(),
            holder: holder.flatten(),
            holds: holds.unwrap_or_default(),
            interruptions: interruptions.unwrap_or(0),
            usage: usage.unwrap_or_default(),
            notes: notes.unwrap_or_default(),
            failure: failure.flatten(),
            unknown,
        }))
    }
}

/// An iteration number: at least 1.
struct Iteration(u64);

impl<'de> Deserialize<'de> for Iteration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u64::deserialize(deserializer)? {
            0 => Err(de::Error::custom("iteration 0: iterations count from 1")),
            iteration => Ok(Self(iteration)),
        }
    }
}

/// A schema that this version knows.
struct Schema(u32);

impl<'de> Deserialize<'de> for Schema {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let version = u32::deserialize(deserializer)?;
        if version > SCHEMA_VERSION {
            return Err(de::Error::custom(format!(
                "schema_version {version}, written by a newer baton; this one knows up to {SCHEMA_VERSION}"
            )));
        }
        Ok(Self(version))
    }
}

struct Fields<'a>(&'a State);

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Exhaustive, so that a new field cannot be forgotten here.
        let State {
            iteration,
            expected_actor,
            status,
            last_update,
            lease_expires_at,
            galph_commit,
            ralph_commit,
            last_prompt,
            last_prompt_actor,
            exit,
            exit_reason,
            schema_version,
            epoch,
            token,
            holder,
            holds,
            interruptions,
            usage,
            notes,
            failure,
            unknown,
        } = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("iteration", iteration)?;
        map.serialize_entry("expected_actor", expected_actor)?;
        map.serialize_entry("status", status)?;
        map.serialize_entry("last_update", &last_update.map(whole_seconds))?;
        map.serialize_entry("lease_expires_at", &lease_expires_at.map(whole_seconds))?;
        map.serialize_entry("galph_commit", galph_commit)?;
        map.serialize_entry("ralph_commit", ralph_commit)?;
        map.serialize_entry("last_prompt", last_prompt)?;
        map.serialize_entry("last_prompt_actor", last_prompt_actor)?;
        map.serialize_entry("exit", exit)?;
        map.serialize_entry("exit_reason", exit_reason)?;
        map.serialize_entry("schema_version", schema_version)?;
        map.serialize_entry("epoch", epoch)?;
        map.serialize_entry("token", token)?;
        map.serialize_entry("holder", holder)?;
        map.serialize_entry("holds", holds)?;
        map.serialize_entry("interruptions", interruptions)?;
        map.serialize_entry("usage", usage)?;
        if !notes.is_empty() {
            map.serialize_entry("notes", notes)?;
        }
        if let Some(failure) = failure {
            map.serialize_entry("failure", failure)?;
        }
        for (key, value) in unknown {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// The wire format has whole seconds: `YYYY-MM-DDTHH:MM:SSZ`.
fn whole_seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const NINE_FIELDS: &str = r#"{
  "iteration": 3,
  "expected_actor": "ralph",
  "status": "waiting-ralph",
  "last_update": "2026-11-21T06:00:00Z",
  "lease_expires_at": "2026-11-21T06:10:00Z",
  "galph_commit": "abc1234",
  "ralph_commit": null,
  "last_prompt": null,
  "last_prompt_actor": null
}
"#;

    #[test]
    fn a_file_of_the_earlier_implementation_reads_as_schema_zero() {
        let state = parse(NINE_FIELDS.as_bytes()).unwrap();
        assert_eq!(
            (state.iteration, state.expected_actor, state.status),
            (3, Actor::Ralph, Status::WaitingRalph)
        );
        assert_eq!((state.schema_version, state.epoch, state.token), (0, 0, None));
    }

    #[test]
    fn three_fields_written_by_hand_are_enough() {
        let state = parse(br#"{"iteration": 1, "expected_actor": "ralph", "status": "idle"}"#).unwrap();
        assert_eq!(state.expected_actor, Actor::Ralph);
    }

    #[test]
    fn unknown_fields_survive_a_round_trip_in_their_order() {
        let text = r#"{"zeta": {"b": [1, 2.5, null]}, "iteration": 1, "expected_actor": "galph", "status": "idle", "alpha": "x"}"#;
        let state = parse(text.as_bytes()).unwrap();
        let again = parse(&render(&state)).unwrap();
        assert_eq!(again, state);
        assert_eq!(again.unknown.keys().collect::<Vec<_>>(), ["zeta", "alpha"]);
    }

    #[test]
    fn what_is_written_is_indented_by_two_and_ends_with_a_newline() {
        let state = parse(NINE_FIELDS.as_bytes()).unwrap();
        insta::assert_snapshot!(String::from_utf8(render(&state)).unwrap());
    }

    #[rstest]
    #[case("", 1, 1, "an empty file")]
    #[case(" \n\n", 1, 1, "an empty file")]
    #[case("[]", 1, 1, "invalid type: sequence, expected an object with the fields of the turn state")]
    #[case("{\"iteration\": 1,", 1, 16, "EOF while parsing a value")]
    #[case("{\n<<<<<<< HEAD\n", 2, 1, "a merge conflict marker")]
    #[case("{\"iteration\": 1}\n=======\n", 2, 1, "a merge conflict marker")]
    #[case("{\n  \"iteration\": \"one\"\n}", 2, 20, "invalid type: string \"one\", expected u64")]
    #[case("{\n  \"iteration\": -1\n}", 2, 17, "invalid value: integer `-1`, expected u64")]
    #[case("{\n  \"iteration\": 0,\n}", 2, 16, "iteration 0: iterations count from 1")]
    #[case("{\n  \"iteration\": 1.5,\n}", 2, 18, "invalid type: floating point `1.5`, expected u64")]
    #[case(
        "{\n  \"expected_actor\": \"bob\"\n}",
        2,
        25,
        "unknown variant `bob`, expected `galph` or `ralph`"
    )]
    #[case(
        "{\n  \"status\": \"busy\"\n}",
        2,
        18,
        "unknown variant `busy`, expected one of `idle`, `running-galph`, `waiting-ralph`, `running-ralph`, `complete`, `failed`"
    )]
    #[case("{\n  \"status\": null\n}", 2, 13, "expected value")]
    #[case("{\"iteration\": 1, \"iteration\": 2}", 1, 28, "duplicate field `iteration`")]
    #[case("{\"x\": 1, \"x\": 2}", 1, 12, "duplicate field `x`")]
    #[case("{\"iteration\": 1, \"status\": \"idle\"}", 1, 34, "missing field `expected_actor`")]
    #[case(
        "{\"schema_version\": 7}",
        1,
        21,
        "schema_version 7, written by a newer baton; this one knows up to 1"
    )]
    #[case("{\"exit\": \"yes\"}", 1, 14, "invalid type: string \"yes\", expected a boolean")]
    #[case("{\"iteration\": 1} trailing", 1, 16, "missing field `expected_actor`")]
    fn what_is_not_a_state_is_refused_with_its_place(
        #[case] text: &str,
        #[case] line: usize,
        #[case] column: usize,
        #[case] found: &str,
    ) {
        let error = parse(text.as_bytes()).unwrap_err();
        assert_eq!((error.line, error.column, error.found.as_str()), (line, column, found));
    }

    #[test]
    fn bytes_that_are_not_text_are_refused_with_their_place() {
        let error = parse(b"{\n \"status\": \"\xff\"}").unwrap_err();
        assert_eq!((error.line, error.column, error.found.as_str()), (2, 13, "a byte that is not UTF-8"));
    }

    #[test]
    fn deep_nesting_is_refused_and_does_not_overflow_the_stack() {
        let text = format!("{{\"x\": {}", "[".repeat(1_000_000));
        assert_eq!(parse(text.as_bytes()).unwrap_err().found, "recursion limit exceeded");
    }
}
