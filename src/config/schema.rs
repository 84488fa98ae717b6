//! The JSON Schema of `orchestration.yaml`, for editors.

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::legacy::{FLAT_KEYS, UNUSED_KEYS};
use super::load::built_in_tree;
use super::node::{Node, Value as Given};
use super::resolve::RawConfig;

/// The schema: every key with its description and built-in value, none required, unknown ones refused.
pub fn schema() -> Value {
    let settings = SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<RawConfig>().to_value();
    let built_in = built_in_tree();
    add_defaults(&mut schema, &built_in);
    add_earlier_keys(&mut schema);
    schema
}

/// Keys that have a built-in value are not required, and say it.
fn add_defaults(schema: &mut Value, built_in: &Node) {
    let Some(object) = schema.as_object_mut() else { return };
    let mut given = Vec::new();
    for entry in built_in.entries() {
        let Some(property) =
            object.get_mut("properties").and_then(|properties| properties.get_mut(&entry.key))
        else {
            continue;
        };
        given.push(entry.key.as_str());
        if property.get("properties").is_some() {
            add_defaults(property, &entry.node);
        } else if let Some(property) = property.as_object_mut() {
            property.insert("default".to_owned(), as_json(&entry.node));
        }
    }
    let left = object.get_mut("required").and_then(Value::as_array_mut).map(|required| {
        required.retain(|key| key.as_str().is_none_or(|key| !given.contains(&key)));
        required.len()
    });
    if left == Some(0) {
        object.remove("required");
    }
}

fn as_json(node: &Node) -> Value {
    match &node.value {
        Given::Null | Given::Refused => Value::Null,
        Given::Switch(switch) => json!(switch),
        Given::Unsigned(number) => json!(number),
        Given::Negative(number) => json!(number),
        Given::Fraction(number) => json!(number),
        Given::Text(text) => json!(text),
        Given::List(items) => items.iter().map(as_json).collect(),
        Given::Map(entries) => entries
            .iter()
            .map(|entry| (entry.key.clone(), as_json(&entry.node)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    }
}

/// Keys of earlier files are accepted, and struck through in editors.
fn add_earlier_keys(schema: &mut Value) {
    for (flat, nested) in FLAT_KEYS {
        let pointer = format!("/properties/{}", nested.replace('.', "/properties/"));
        let Some(mut property) = schema.pointer(&pointer).cloned() else { continue };
        if let Some(property) = property.as_object_mut() {
            property.insert("deprecated".to_owned(), json!(true));
            property.insert("description".to_owned(), json!(format!("The earlier name of `{nested}`.")));
            property.remove("default");
        }
        insert_property(schema, flat, property);
    }
    for key in UNUSED_KEYS {
        let property =
            json!({ "deprecated": true, "description": "Accepted from earlier files; no effect." });
        insert_property(schema, key, property);
    }
}

fn insert_property(schema: &mut Value, key: &str, property: Value) {
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.insert(key.to_owned(), property);
    }
}
