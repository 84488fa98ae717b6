//! Laying one tree over another.

use super::node::{Node, Value};
use super::origin::{Origin, Origins};

/// Lays a layer over what is below: mappings key by key, all else as a whole.
///
/// A section or a list without content (`router:` and nothing after it) gives nothing.
pub(super) fn lay_over(below: &mut Node, layer: Node) {
    match (&mut below.value, layer.value) {
        (Value::Map(_) | Value::List(_), Value::Null) => {}
        (Value::Map(entries), Value::Map(over)) => {
            for entry in over {
                match entries.iter_mut().find(|known| known.key == entry.key) {
                    Some(known) => {
                        known.key_origin = entry.key_origin;
                        lay_over(&mut known.node, entry.node);
                    }
                    None => entries.push(entry),
                }
            }
        }
        (_, value) => *below = Node::new(value, layer.origin),
    }
}

/// The place of every value, by dotted key.
pub(super) fn list_origins(tree: &Node) -> Vec<(String, Origin)> {
    let mut found = Vec::new();
    collect(tree, "", &mut found);
    found
}

fn collect(node: &Node, prefix: &str, found: &mut Vec<(String, Origin)>) {
    match &node.value {
        Value::Map(entries) if !entries.is_empty() => {
            for entry in entries {
                let key =
                    if prefix.is_empty() { entry.key.clone() } else { format!("{prefix}.{}", entry.key) };
                collect(&entry.node, &key, found);
            }
        }
        _ => found.push((prefix.to_owned(), node.origin.clone())),
    }
}

/// Origins of a tree, with those of values that are no part of it.
pub(super) fn origins_of(tree: &Node, beside: Vec<(String, Origin)>) -> Origins {
    let mut entries = list_origins(tree);
    entries.extend(beside);
    Origins::new(entries)
}
