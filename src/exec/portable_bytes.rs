//! Operating-system strings in JSON: text where it is UTF-8, a list of byte values where it is not.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An operating-system string that survives the round trip through JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PortableBytes(pub(super) OsString);

impl Serialize for PortableBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_os_str(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for PortableBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BytesVisitor).map(Self)
    }
}

fn serialize_os_str<S: Serializer>(text: &OsStr, serializer: S) -> Result<S::Ok, S::Error> {
    match text.to_str() {
        Some(utf8) => serializer.serialize_str(utf8),
        None => serializer.collect_seq(text.as_bytes()),
    }
}

struct BytesVisitor;

impl<'de> Visitor<'de> for BytesVisitor {
    type Value = OsString;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, or a list of byte values")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<OsString, E> {
        Ok(OsString::from(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<OsString, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = list.next_element::<u8>()? {
            bytes.push(byte);
        }
        Ok(OsString::from_vec(bytes))
    }
}

/// For `#[serde(with)]` on a path.
pub(super) mod path {
    use super::{Deserialize, Deserializer, PortableBytes, Serializer, serialize_os_str};
    use std::path::{Path, PathBuf};

    pub(in super::super) fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_os_str(path.as_os_str(), serializer)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<PathBuf, D::Error> {
        PortableBytes::deserialize(deserializer).map(|bytes| PathBuf::from(bytes.0))
    }
}

/// For `#[serde(with)]` on a list of arguments.
pub(super) mod list {
    use super::{Deserialize, Deserializer, OsString, PortableBytes, Serializer};

    pub(in super::super) fn serialize<S: Serializer>(
        list: &[OsString],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(list.iter().map(|item| PortableBytes(item.clone())))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<OsString>, D::Error> {
        Ok(Vec::<PortableBytes>::deserialize(deserializer)?.into_iter().map(|item| item.0).collect())
    }
}
