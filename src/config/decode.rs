//! From the tree to types, by serde, with the path and the place of what does not fit.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    self, Deserialize, DeserializeSeed, Deserializer, EnumAccess, Expected, IntoDeserializer, MapAccess,
    SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::node::{Entry, Node, NodePath, Step, Value, shortened};
use super::origin::Origin;

/// Decodes a tree.
pub(super) fn decode<'de, T: Deserialize<'de>>(node: &'de Node) -> Result<T, DecodeError> {
    T::deserialize(node).map_err(|mut error| {
        error.reversed.reverse();
        error
    })
}

/// What does not fit, and where.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct DecodeError {
    pub(super) kind: Misfit,
    pub(super) origin: Option<Origin>,
    reversed: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Misfit {
    /// A key that nobody knows; the path ends in it.
    UnknownKey { key: String, known: &'static [&'static str] },
    /// A word that is none of the closed set.
    UnknownWord { word: String, known: &'static [&'static str] },
    /// The mapping at the path lacks a key.
    MissingKey(&'static str),
    /// A value of another type.
    WrongType { expected: String, found: String },
    /// What a type's own reading says.
    Refused(String),
}

impl DecodeError {
    /// Where the misfit is.
    pub(super) fn path(&self) -> NodePath {
        NodePath(self.reversed.clone())
    }

    fn of(kind: Misfit) -> Self {
        Self { kind, origin: None, reversed: Vec::new() }
    }

    fn within(mut self, step: Step) -> Self {
        self.reversed.push(step);
        self
    }

    fn at(mut self, node: &Node) -> Self {
        if self.origin.is_none() {
            self.origin = Some(node.origin.clone());
            if let Misfit::WrongType { found, .. } = &mut self.kind {
                *found = node.describe();
            }
        }
        self
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Misfit::UnknownKey { key, .. } => match self.path().0.split_last() {
                Some((_, around)) if !around.is_empty() => {
                    write!(f, "unknown key `{}` in `{}`", shortened(key), NodePath(around.to_vec()))
                }
                _ => write!(f, "unknown key `{}`", shortened(key)),
            },
            Misfit::UnknownWord { word, known } => {
                write!(f, "`{}` must be {}, not `{}`", self.path(), choice(known), shortened(word))
            }
            Misfit::MissingKey(key) => write!(f, "`{}` lacks the key `{key}`", self.path()),
            Misfit::WrongType { expected, found } => {
                write!(f, "`{}` must be {expected}, not {found}", self.path())
            }
            Misfit::Refused(message) => write!(f, "`{}`: {message}", self.path()),
        }
    }
}

impl std::error::Error for DecodeError {}

fn choice(known: &[&str]) -> String {
    match known {
        [] => "left out".to_owned(),
        [only] => format!("`{only}`"),
        [first @ .., last] => {
            let first: Vec<String> = first.iter().map(|word| format!("`{word}`")).collect();
            format!("{} or `{last}`", first.join(", "))
        }
    }
}

impl de::Error for DecodeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::of(Misfit::Refused(message.to_string()))
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let expected = match expected.to_string().as_str() {
            "a boolean" => "`true` or `false`".to_owned(),
            "u64" => "a whole number, 0 or more".to_owned(),
            "f64" => "a number".to_owned(),
            "a string" | "path string" => "text".to_owned(),
            "a sequence" => "a list".to_owned(),
            "a map" => "a mapping of keys to values".to_owned(),
            structure if structure.starts_with("struct ") => "a mapping of keys to values".to_owned(),
            enumeration if enumeration.starts_with("enum ") => "one word".to_owned(),
            other => other.to_owned(),
        };
        Self::of(Misfit::WrongType { expected, found: unexpected.to_string() })
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(unexpected, expected)
    }

    fn unknown_variant(word: &str, known: &'static [&'static str]) -> Self {
        Self::of(Misfit::UnknownWord { word: word.to_owned(), known })
    }

    fn unknown_field(key: &str, known: &'static [&'static str]) -> Self {
        Self::of(Misfit::UnknownKey { key: key.to_owned(), known })
    }

    fn missing_field(key: &'static str) -> Self {
        Self::of(Misfit::MissingKey(key))
    }
}

impl<'de> Deserializer<'de> for &'de Node {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let visited = match &self.value {
            Value::Null | Value::Refused => visitor.visit_unit(),
            Value::Switch(switch) => visitor.visit_bool(*switch),
            Value::Unsigned(number) => visitor.visit_u64(*number),
            Value::Negative(number) => visitor.visit_i64(*number),
            Value::Fraction(number) => visitor.visit_f64(*number),
            Value::Text(text) => visitor.visit_borrowed_str(text),
            Value::List(items) => visitor.visit_seq(Items { items, next: 0 }),
            Value::Map(entries) => visitor.visit_map(Entries { entries, next: 0 }),
        };
        visited.map_err(|error| error.at(self))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match &self.value {
            Value::Text(word) => visitor.visit_enum(Word(word)).map_err(|error| error.at(self)),
            _ => self.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq
        tuple tuple_struct map struct identifier ignored_any
    }
}

struct Items<'de> {
    items: &'de [Node],
    next: usize,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = DecodeError;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, DecodeError> {
        while self.items.get(self.next).is_some_and(|item| item.value == Value::Refused) {
            self.next += 1;
        }
        let index = self.next;
        let Some(item) = self.items.get(index) else { return Ok(None) };
        self.next += 1;
        seed.deserialize(item).map(Some).map_err(|error| error.at(item).within(Step::Index(index)))
    }
}

struct Entries<'de> {
    entries: &'de [Entry],
    next: usize,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = DecodeError;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, DecodeError> {
        let Some(entry) = self.entries.get(self.next) else { return Ok(None) };
        let key: StrDeserializer<'de, DecodeError> = entry.key.as_str().into_deserializer();
        seed.deserialize(key).map(Some).map_err(|mut error| {
            // A key that names a seat is a word of a closed set to serde, and a key to the person who wrote it.
            if let Misfit::UnknownWord { word, known } = error.kind {
                error.kind = Misfit::UnknownKey { key: word, known };
            }
            error.origin = Some(entry.key_origin.clone());
            error.within(Step::Key(entry.key.clone()))
        })
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, DecodeError> {
        let Some(entry) = self.entries.get(self.next) else {
            return Err(de::Error::custom("a value was asked for without its key"));
        };
        self.next += 1;
        seed.deserialize(&entry.node)
            .map_err(|error| error.at(&entry.node).within(Step::Key(entry.key.clone())))
    }
}

/// A word of a closed set.
struct Word<'de>(&'de str);

impl<'de> EnumAccess<'de> for Word<'de> {
    type Error = DecodeError;
    type Variant = NoContent;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, NoContent), DecodeError> {
        let word: StrDeserializer<'de, DecodeError> = self.0.into_deserializer();
        seed.deserialize(word).map(|variant| (variant, NoContent))
    }
}

struct NoContent;

impl NoContent {
    fn refuse<T>() -> Result<T, DecodeError> {
        Err(de::Error::custom("a word was expected, without content"))
    }
}

impl<'de> VariantAccess<'de> for NoContent {
    type Error = DecodeError;

    fn unit_variant(self) -> Result<(), DecodeError> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, _seed: S) -> Result<S::Value, DecodeError> {
        Self::refuse()
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, _visitor: V) -> Result<V::Value, DecodeError> {
        Self::refuse()
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, DecodeError> {
        Self::refuse()
    }
}
