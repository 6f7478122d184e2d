//! Interned names.

use std::hash::Hasher as _;
use std::sync::LazyLock;

use dashmap::DashMap;
use rustc_hash::FxBuildHasher;

static NAMES: LazyLock<Names> = LazyLock::new(|| {
    let names = Names {
        texts: boxcar::Vec::new(),
        // The names of the standard library's table alone are more than this.
        ids: DashMap::with_capacity_and_hasher(1 << 14, FxBuildHasher),
    };
    names.intern("_");
    names
});

/// All names. Texts are found by number without a lock: names are compared with texts all the time.
struct Names {
    texts: boxcar::Vec<&'static str>,
    ids: DashMap<&'static str, Name, FxBuildHasher>,
}

impl Names {
    fn intern(&self, text: &str) -> Name {
        if let Some(name) = self.ids.get(text) {
            return *name;
        }
        let text: &'static str = Box::leak(Box::from(text));
        *self.ids.entry(text).or_insert_with(|| {
            let number = self.texts.push(text);
            Name(u32::try_from(number).expect("fewer than 2^32 names"))
        })
    }
}

/// An interned identifier or import path: cheap to copy, compare and hash.
///
/// Interned text is never freed. Only identifiers, import paths and table entries are interned, never literals or comments.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Name(u32);

impl Name {
    /// Interns `text`.
    pub fn new(text: &str) -> Self {
        NAMES.intern(text)
    }

    /// The text.
    pub fn as_str(self) -> &'static str {
        NAMES.texts[self.0 as usize]
    }

    /// Whether it is the blank identifier.
    pub fn is_blank(self) -> bool {
        // The first name of all.
        self.0 == 0
    }

    /// Whether it begins with an upper-case letter, which is what exports it from its package.
    pub fn is_exported(self) -> bool {
        self.as_str().chars().next().is_some_and(char::is_uppercase)
    }
}

/// By text, so that orders do not depend on what was interned first.
impl Ord for Name {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl std::fmt::Debug for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(self.as_str(), f)
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl serde::Serialize for Name {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> serde::Deserialize<'de> for Name {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl serde::de::Visitor<'_> for Text {
            type Value = Name;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a name")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Name, E> {
                Ok(Name::new(text))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

/// Remembers names that one thread met lately, so that most look-ups take no lock. Texts lie in the slots themselves: those of names
/// are all over the memory.
#[derive(Debug)]
pub(crate) struct NameCache {
    slots: Box<[Slot]>,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    name: Option<Name>,
    len: u8,
    text: [u8; Slot::LONGEST],
}

impl Slot {
    /// Longer names are rare and not remembered.
    const LONGEST: usize = 23;
}

impl NameCache {
    const BITS: u32 = 13;

    pub(crate) fn new() -> Self {
        let empty = Slot {
            name: None,
            len: 0,
            text: [0; Slot::LONGEST],
        };
        Self {
            slots: vec![empty; 1 << Self::BITS].into(),
        }
    }

    /// Interns `text`.
    pub(crate) fn get(&mut self, text: &str) -> Name {
        let bytes = text.as_bytes();
        if bytes.len() > Slot::LONGEST {
            return Name::new(text);
        }
        let mut hasher = rustc_hash::FxHasher::default();
        hasher.write(bytes);
        let slot = &mut self.slots[(hasher.finish() >> (u64::BITS - Self::BITS)) as usize];
        match slot.name {
            Some(name) if &slot.text[..usize::from(slot.len)] == bytes => name,
            _ => {
                let name = Name::new(text);
                slot.name = Some(name);
                slot.len = bytes.len() as u8;
                slot.text[..bytes.len()].copy_from_slice(bytes);
                name
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_equal_if_their_texts_are() {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                std::thread::spawn(|| {
                    (0..1000)
                        .map(|i| Name::new(&format!("n{i}")))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        let lists: Vec<_> = threads
            .into_iter()
            .map(|t| t.join().expect("no panic"))
            .collect();
        assert!(lists.iter().all(|l| *l == lists[0]));
        assert_eq!(lists[0][999].as_str(), "n999");
        let mut cache = NameCache::new();
        for _ in 0..2 {
            for len in 0..100 {
                let text = "n".repeat(len);
                assert_eq!(cache.get(&text), Name::new(&text));
            }
        }
        assert!(Name::new("_").is_blank() && !Name::new("x").is_blank());
        assert_eq!(Name::new("").as_str(), "");
    }
}
