//! A map in one sorted vector. States are decoded and encoded at every write and hold many small maps: a vector is one
//! allocation of the right size where a B-tree is one of eleven places.

use std::cmp::Ordering;

/// Keys ascend strictly.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Sorted<K, V>(Vec<(K, V)>);

impl<K, V> Default for Sorted<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Ord, V> Sorted<K, V> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0.iter().map(|(k, v)| (k, v))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.0.iter_mut().map(|(k, v)| (&*k, v))
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &K> {
        self.0.iter().map(|(k, _)| k)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.0.iter().map(|(_, v)| v)
    }

    fn position(&self, key: &K) -> Result<usize, usize> {
        // What is decoded, joined or written in key order comes at the end.
        match self.0.last() {
            Some((last, _)) if last < key => Err(self.0.len()),
            _ => self.0.binary_search_by(|(k, _)| k.cmp(key)),
        }
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        let at = self.position(key).ok()?;
        self.0.get(at).map(|(_, v)| v)
    }

    pub(super) fn contains_key(&self, key: &K) -> bool {
        self.position(key).is_ok()
    }

    /// Adds or replaces.
    pub(super) fn insert(&mut self, key: K, value: V) {
        match self.position(&key) {
            Ok(at) => {
                if let Some(slot) = self.0.get_mut(at) {
                    slot.1 = value;
                }
            }
            Err(at) => self.0.insert(at, (key, value)),
        }
    }

    /// Adds at the end; false, and nothing happens, if the key does not exceed all others.
    #[must_use]
    pub(super) fn push(&mut self, key: K, value: V) -> bool {
        let ascends = self.0.last().is_none_or(|(last, _)| *last < key);
        if ascends {
            self.0.push((key, value));
        }
        ascends
    }

    /// The value of `key`, made if it is missing.
    pub(super) fn entry(&mut self, key: &K) -> &mut V
    where
        K: Clone,
        V: Default,
    {
        let at = match self.position(key) {
            Ok(at) => at,
            Err(at) => {
                self.0.insert(at, (key.clone(), V::default()));
                at
            }
        };
        self.0.get_mut(at).map(|(_, v)| v).expect("invariant: the place was found or made")
    }

    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let at = self.position(key).ok()?;
        self.0.get_mut(at).map(|(_, v)| v)
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        let at = self.position(key).ok()?;
        Some(self.0.remove(at).1)
    }

    /// One pass over the keys of both, in order; keeps what `pick` gives.
    pub(super) fn merge(&self, other: &Self, mut pick: impl FnMut(&K, Option<&V>, Option<&V>) -> Option<V>) -> Self
    where
        K: Clone,
    {
        let mut out = Vec::with_capacity(self.len().max(other.len()));
        let (mut left, mut right) = (self.0.iter().peekable(), other.0.iter().peekable());
        loop {
            let order = match (left.peek(), right.peek()) {
                (Some((a, _)), Some((b, _))) => a.cmp(b),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => return Self(out),
            };
            let a = if order.is_le() { left.next() } else { None };
            let b = if order.is_ge() { right.next() } else { None };
            if let Some((key, _)) = a.or(b)
                && let Some(value) = pick(key, a.map(|(_, v)| v), b.map(|(_, v)| v))
            {
                out.push((key.clone(), value));
            }
        }
    }

    pub(super) fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        self.0.retain_mut(|(k, v)| keep(k, v));
    }
}
