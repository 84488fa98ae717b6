//! The configuration as a tree in which every value knows where it was given.

use super::origin::Origin;

/// A value with its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Switch(bool),
    Unsigned(u64),
    Negative(i64),
    Fraction(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// An item of a list that did not fit: skipped, so that the places of the others stay.
    Refused,
}

/// One key of a mapping; keys are unique.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_origin: Origin,
    pub(super) node: Node,
}

/// One step from a node to a node inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

/// Where a node is in its tree, from the root.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct NodePath(pub(super) Vec<Step>);

impl NodePath {
    /// The path that a dotted key names; the names in it have no dots.
    pub(super) fn dotted(key: &str) -> Self {
        Self(key.split('.').map(|part| Step::Key(part.to_owned())).collect())
    }

    /// The path of a key inside.
    pub(super) fn key(&self, key: &str) -> Self {
        self.with(Step::Key(key.to_owned()))
    }

    /// The path of a list's item, from 0.
    pub(super) fn index(&self, index: usize) -> Self {
        self.with(Step::Index(index))
    }

    fn with(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }
}

impl std::fmt::Display for NodePath {
    /// As people write it: `verify[0].run`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if position == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

impl Node {
    pub(super) fn new(value: Value, origin: Origin) -> Self {
        Self { value, origin }
    }

    /// A mapping without keys.
    pub(super) fn empty_map(origin: Origin) -> Self {
        Self::new(Value::Map(Vec::new()), origin)
    }

    pub(super) fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    fn step(&self, step: &Step) -> Option<&Self> {
        match (step, &self.value) {
            (Step::Key(key), Value::Map(_)) => self.get(key).map(|entry| &entry.node),
            (Step::Index(index), Value::List(items)) => items.get(*index),
            _ => None,
        }
    }

    fn step_mut(&mut self, step: &Step) -> Option<&mut Self> {
        match (step, &mut self.value) {
            (Step::Key(key), Value::Map(entries)) => {
                entries.iter_mut().find(|entry| entry.key == *key).map(|entry| &mut entry.node)
            }
            (Step::Index(index), Value::List(items)) => items.get_mut(*index),
            _ => None,
        }
    }

    /// The node at this path.
    pub(super) fn at(&self, path: &NodePath) -> Option<&Self> {
        path.0.iter().try_fold(self, Self::step)
    }

    /// The node at this path, to be changed.
    pub(super) fn at_mut(&mut self, path: &NodePath) -> Option<&mut Self> {
        path.0.iter().try_fold(self, Self::step_mut)
    }

    /// The place of the node at this path, or of the nearest one around it.
    pub(super) fn nearest_origin(&self, path: &NodePath) -> &Origin {
        let mut node = self;
        for step in &path.0 {
            match node.step(step) {
                Some(inner) => node = inner,
                None => break,
            }
        }
        &node.origin
    }

    /// Takes the key out of a mapping.
    pub(super) fn remove(&mut self, key: &str) -> Option<Entry> {
        let Value::Map(entries) = &mut self.value else { return None };
        let position = entries.iter().position(|entry| entry.key == key)?;
        Some(entries.remove(position))
    }

    /// Takes the key that this path ends in out of the mapping around it; whether it was there.
    pub(super) fn remove_at(&mut self, path: &NodePath) -> bool {
        let Some((Step::Key(key), around)) = path.0.split_last() else { return false };
        let parent = around.iter().try_fold(self, Self::step_mut);
        parent.is_some_and(|parent| parent.remove(key).is_some())
    }

    /// Marks the outermost list item on this path as refused; whether there was one that was not.
    pub(super) fn refuse_item(&mut self, path: &NodePath) -> bool {
        let Some(position) = path.0.iter().position(|step| matches!(step, Step::Index(_))) else {
            return false;
        };
        match path.0[..=position].iter().try_fold(self, Self::step_mut) {
            Some(item) if item.value != Value::Refused => {
                item.value = Value::Refused;
                true
            }
            _ => false,
        }
    }

    /// Empties the lists that have refused items: what is left in them cannot be told by its position.
    pub(super) fn empty_refused_lists(&mut self) {
        match &mut self.value {
            Value::List(items) if items.iter().any(|item| item.value == Value::Refused) => items.clear(),
            Value::List(items) => items.iter_mut().for_each(Self::empty_refused_lists),
            Value::Map(entries) => entries.iter_mut().for_each(|entry| entry.node.empty_refused_lists()),
            _ => {}
        }
    }

    /// Puts a node under a dotted key, with mappings made on the way; whether nothing else was in the way.
    pub(super) fn put(&mut self, dotted: &str, key_origin: &Origin, node: Self) -> bool {
        if self.value == Value::Null {
            self.value = Value::Map(Vec::new());
        }
        let Value::Map(entries) = &mut self.value else { return false };
        let (first, rest) = match dotted.split_once('.') {
            Some((first, rest)) => (first, Some(rest)),
            None => (dotted, None),
        };
        let index = entries.iter().position(|entry| entry.key == first).unwrap_or_else(|| {
            let around = Self::empty_map(key_origin.clone());
            entries.push(Entry { key: first.to_owned(), key_origin: key_origin.clone(), node: around });
            entries.len() - 1
        });
        if let Some(rest) = rest {
            return entries[index].node.put(rest, key_origin, node);
        }
        entries[index].node = node;
        true
    }

    /// Gives the node and all in it the built-in origin.
    pub(super) fn call_built_in(&mut self) {
        self.origin = Origin::BuiltIn;
        match &mut self.value {
            Value::List(items) => items.iter_mut().for_each(Self::call_built_in),
            Value::Map(entries) => {
                for entry in entries {
                    entry.key_origin = Origin::BuiltIn;
                    entry.node.call_built_in();
                }
            }
            Value::Null
            | Value::Switch(_)
            | Value::Unsigned(_)
            | Value::Negative(_)
            | Value::Fraction(_)
            | Value::Text(_)
            | Value::Refused => {}
        }
    }

    /// What a person wrote, for messages.
    pub(super) fn describe(&self) -> String {
        match &self.value {
            Value::Null => "nothing".to_owned(),
            Value::Switch(switch) => format!("`{switch}`"),
            Value::Unsigned(number) => format!("`{number}`"),
            Value::Negative(number) => format!("`{number}`"),
            Value::Fraction(number) => format!("`{number}`"),
            Value::Text(text) => format!("`{}`", shortened(text)),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a mapping".to_owned(),
            Value::Refused => "what was refused".to_owned(),
        }
    }
}

/// A text that fits into a message, on one line.
pub(super) fn shortened(text: &str) -> String {
    const LONGEST: usize = 60;
    let visible = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    let escaped: String = text.chars().map(visible).take(LONGEST + 1).collect();
    if escaped.chars().count() > LONGEST {
        escaped.chars().take(LONGEST).chain(['…']).collect()
    } else {
        escaped
    }
}
