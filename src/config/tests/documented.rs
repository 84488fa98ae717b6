//! The built-in values, the schema and the page about them agree.

use rstest::rstest;

use super::super::environment::EnvironmentName;
use super::super::layers::list_origins;
use super::super::legacy::{FLAT_KEYS, UNUSED_KEYS};
use super::super::load::built_in_tree;
use super::super::{Origin, schema, to_yaml};
use super::Desk;

const PAGE: &str = include_str!("../../../docs/configuration.md");

fn built_in_keys() -> Vec<String> {
    list_origins(&built_in_tree()).into_iter().map(|(key, _)| key).collect()
}

#[test]
fn without_any_file_everything_is_built_in() {
    let loaded = Desk::empty().loaded();
    assert!(loaded.origins.iter().all(|(_, origin)| *origin == Origin::BuiltIn));
    assert_eq!(loaded.origins.iter().map(|(key, _)| key.to_owned()).collect::<Vec<_>>(), built_in_keys());
    assert_eq!(loaded.notices, []);
    assert_eq!(loaded.files, Vec::<String>::new());
}

#[test]
fn the_built_in_values_are_those_of_an_empty_file_and_of_themselves() {
    let built_in = Desk::empty().loaded().config;
    assert_eq!(Desk::with("").loaded().config, built_in);
    assert_eq!(Desk::with(super::super::load::BUILT_IN).loaded().config, built_in);
}

#[test]
fn every_built_in_value_is_where_its_key_says() {
    let config = serde_json::to_value(Desk::empty().loaded().config).unwrap();
    for key in built_in_keys() {
        let pointer = format!("/{}", key.replace('.', "/"));
        assert!(config.pointer(&pointer).is_some(), "{key}");
    }
}

#[test]
fn every_key_is_in_the_page() {
    let missing: Vec<String> =
        built_in_keys().into_iter().filter(|key| !PAGE.contains(&format!("`{key}`"))).collect();
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn every_earlier_name_is_in_the_page() {
    let flat = FLAT_KEYS.iter().map(|(flat, _)| *flat);
    let names = flat.chain(UNUSED_KEYS).chain(EnvironmentName::ALL.iter().map(|row| row.name));
    let missing: Vec<&str> = names.filter(|name| !PAGE.contains(&format!("`{name}`"))).collect();
    assert_eq!(missing, Vec::<&str>::new());
}

#[test]
fn every_key_is_in_the_schema_with_its_built_in_value_and_a_description() {
    let schema = schema();
    for key in built_in_keys() {
        let pointer = format!("/properties/{}", key.replace('.', "/properties/"));
        let property = schema.pointer(&pointer).unwrap_or_else(|| panic!("{key}"));
        assert!(property.get("default").is_some(), "{key} has no default");
        assert!(property.get("description").is_some_and(|text| !text.as_str().unwrap().is_empty()), "{key}");
    }
}

#[rstest]
#[case("")]
#[case("/properties/router")]
#[case("/properties/agent")]
#[case("/properties/agent/properties/commands/additionalProperties")]
#[case("/properties/verify/items")]
#[case("/properties/publish/properties/docs")]
#[case("/properties/budget/properties/run")]
fn the_schema_refuses_unknown_keys(#[case] pointer: &str) {
    assert_eq!(schema().pointer(&format!("{pointer}/additionalProperties")).unwrap(), false);
}

#[test]
fn the_schema_requires_only_what_has_no_built_in_value() {
    let schema = schema();
    assert_eq!(schema.get("required"), None);
    assert_eq!(
        schema.pointer("/properties/verify/items/required").unwrap(),
        &serde_json::json!(["name", "run"])
    );
    let command = "/properties/agent/properties/commands/additionalProperties/required";
    assert_eq!(schema.pointer(command).unwrap(), &serde_json::json!(["command"]));
}

#[test]
fn what_is_shown_can_be_used_as_a_file() {
    let text = "router: {enabled: true, mode: first, allowlist: [prompts/main]}\n\
                agent: {roles: {loop: mine}, commands: {mine: {command: [a, '${prompt_file}'], prompt: file}}}\n\
                verify: [{name: '1', run: 'a: b # c'}]\nbudget: {run: {cost_usd: 2.5, wall: 90}}\n";
    let text = text.replace("cost_usd: 2.5, ", "");
    let config = Desk::with(&text).loaded().config;
    assert_eq!(Desk::with(&to_yaml(&config).unwrap()).loaded().config, config);
}

#[test]
fn the_workspace_of_this_repository_is_valid() {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let loaded =
        super::load(here, None, &std::collections::BTreeMap::new(), &super::Overrides::default(), None)
            .unwrap();
    assert_eq!(loaded.notices, []);
    assert!(!loaded.config.verify.is_empty());
}
