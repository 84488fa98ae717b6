//! The one way to YAML: strict booleans, small budgets, a place for every value.
//!
//! Anchors and merge keys work within the budgets; a document that multiplies itself, nests without end or holds
//! a second document is refused before it costs anything.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::budget::BudgetBreach;
use serde_yaml::options::{DuplicateKeyPolicy, MergeKeyPolicy, NonFiniteFloatPolicy};
use serde_yaml::{Error, Location, Options, Spanned};

use super::node::{Entry, Node, Value};
use super::origin::Origin;

/// The deepest nesting; the deepest key that we know is at 6.
const DEEPEST: usize = 24;
/// The most nodes, aliases replayed.
const MOST_NODES: usize = 50_000;
const MOST_ALIASES: usize = 500;

/// The text is not the YAML that we read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SyntaxError {
    /// From 1; 0 where the place is not known.
    pub(super) line: u64,
    /// From 1, in characters.
    pub(super) column: u64,
    /// What is wrong.
    pub(super) message: String,
    /// What to do.
    pub(super) help: Option<String>,
}

/// Reads one document; an empty one is an empty mapping.
pub(super) fn read_tree(text: &str, file: &Arc<str>) -> Result<Node, SyntaxError> {
    let parsed: Spanned<Parsed> =
        serde_yaml::from_str_with_options(text, options()).map_err(|error| explain(&error))?;
    let node = place(parsed, file);
    match node.value {
        Value::Null => Ok(Node::empty_map(node.origin)),
        Value::Map(_) => Ok(node),
        _ => Err(SyntaxError {
            line: 1,
            column: 1,
            message: format!("expected keys with values, found {}", node.describe()),
            help: Some("write `key: value` lines".to_owned()),
        }),
    }
}

/// Writes a value as a YAML document.
pub fn to_yaml(value: &impl Serialize) -> Result<String, serde_yaml::SerializeError> {
    serde_yaml::to_string(value)
}

fn options() -> Options {
    serde_yaml::options! {
        budget: serde_yaml::budget! {
            max_depth: DEEPEST,
            flow_nesting_limit: DEEPEST,
            max_nodes: MOST_NODES,
            max_events: 4 * MOST_NODES,
            max_aliases: MOST_ALIASES,
            max_anchors: MOST_ALIASES,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Merge,
        alias_limits: serde_yaml::alias_limits! {
            max_total_replayed_events: MOST_NODES,
            max_replay_stack_depth: DEEPEST,
        },
        strict_booleans: true,
        reject_unsupported_tags: true,
        non_finite_float_policy: NonFiniteFloatPolicy::Reject,
        with_snippet: false,
    }
}

fn explain(error: &Error) -> SyntaxError {
    let error = error.without_snippet();
    let location = error.location().unwrap_or(Location::UNKNOWN);
    let innermost = match error {
        Error::AliasError { error, .. } => error.without_snippet(),
        plain => plain,
    };
    let (message, help) = match innermost {
        Error::MultipleDocuments { .. } => (
            "a second document begins here".to_owned(),
            Some("keep one document; remove the `---` between them"),
        ),
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            (format!("the key `{key}` is given twice"), Some("keep one of the two"))
        }
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => too_deep(),
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. } => (
            "the document grows beyond all measure when its aliases are replaced".to_owned(),
            Some("write the values out in place of aliases"),
        ),
        Error::UnsupportedTag { tag, .. } => {
            (format!("the tag `{tag}` has no meaning here"), Some("remove the tag"))
        }
        Error::RecursiveReferencesRequireWeakTypes { .. } => {
            ("an anchor contains itself".to_owned(), Some("write the values out in place of the alias"))
        }
        Error::NonFiniteFloat { value, .. } => (format!("`{value}` is not a finite number"), None),
        other => explain_scanner(&other.to_string()),
    };
    SyntaxError { line: location.line(), column: location.column(), message, help: help.map(str::to_owned) }
}

fn too_deep() -> (String, Option<&'static str>) {
    (
        format!("nested deeper than {DEEPEST} levels"),
        Some("no key is that deep; look for an unclosed bracket"),
    )
}

/// The parser's own words, without the place that they end in.
fn explain_scanner(text: &str) -> (String, Option<&'static str>) {
    let words = text.split(" at line ").next().unwrap_or(text);
    if words.contains("recursion limit exceeded") {
        return too_deep();
    }
    let help = if words.contains("tabs disallowed") {
        Some("indent with spaces: YAML does not allow tabs there")
    } else if words.contains("mapping values are not allowed") {
        Some("quote a value that holds `: `")
    } else {
        None
    };
    (format!("not valid YAML: {words}"), help)
}

fn place(parsed: Spanned<Parsed>, file: &Arc<str>) -> Node {
    let origin = origin_of(parsed.defined, file);
    let value = match parsed.value {
        Parsed::Scalar(value) => value,
        Parsed::List(items) => Value::List(items.into_iter().map(|item| place(item, file)).collect()),
        Parsed::Map(entries) => Value::Map(
            entries
                .into_iter()
                .map(|(key, value)| Entry {
                    key_origin: origin_of(key.defined, file),
                    key: key.value,
                    node: place(value, file),
                })
                .collect(),
        ),
    };
    Node::new(value, origin)
}

fn origin_of(location: Location, file: &Arc<str>) -> Origin {
    Origin::File { file: Arc::clone(file), line: location.line(), column: location.column() }
}

enum Parsed {
    Scalar(Value),
    List(Vec<Spanned<Parsed>>),
    Map(Vec<(Spanned<String>, Spanned<Parsed>)>),
}

impl<'de> Deserialize<'de> for Parsed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ParsedVisitor)
    }
}

struct ParsedVisitor;

impl<'de> Visitor<'de> for ParsedVisitor {
    type Value = Parsed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Parsed, E> {
        Ok(Parsed::Scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Parsed, E> {
        Ok(Parsed::Scalar(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Parsed, D::Error> {
        Parsed::deserialize(deserializer)
    }

    fn visit_bool<E>(self, switch: bool) -> Result<Parsed, E> {
        Ok(Parsed::Scalar(Value::Switch(switch)))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Parsed, E> {
        Ok(Parsed::Scalar(Value::Unsigned(number)))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Parsed, E> {
        let value = u64::try_from(number).map_or(Value::Negative(number), Value::Unsigned);
        Ok(Parsed::Scalar(value))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Parsed, E> {
        Ok(Parsed::Scalar(Value::Fraction(number)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Parsed, E> {
        Ok(Parsed::Scalar(Value::Text(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Parsed, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Parsed::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Parsed, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Parsed::Map(entries))
    }
}
