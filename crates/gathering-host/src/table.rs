//! One registry for everything that has a name: a persistent map with indexes, cheap to copy and to change.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use equivalent::Equivalent;
pub(crate) use gathering_core::edit_distance;
use gathering_core::{CompetencyDefinition, CompetencyId, FileHandlerDefinition, FileHandlerName, PluginId};
use imbl::shared_ptr::DefaultSharedPtr;

type Map<K, V> = imbl::GenericHashMap<K, V, ahash::RandomState, DefaultSharedPtr>;
type List<D> = Arc<[Arc<D>]>;

/// What a definition can be looked up by besides its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Index {
    /// The category of a tool or competency.
    Category,
    /// A competency that a tool requires, at whatever level.
    Competency,
    /// The plugin that brought it.
    Plugin,
    /// The level of a competency.
    Level,
    /// A competency that another one builds on directly.
    Prerequisite,
    /// An extension of a file handler, in lower case, without the dot.
    Extension,
    /// A media type of a file handler, in lower case.
    MediaType,
    /// A plugin that a plugin needs, in lower case.
    Dependency,
}

/// What a [`Table`] holds.
pub trait Definition: Send + Sync + 'static {
    /// The word for one of them in messages.
    const KIND: &'static str;

    /// Its name, unique in its table whatever the case.
    fn name(&self) -> &str;

    /// Calls `add` with each key it can be found by.
    fn index(&self, add: &mut dyn FnMut(Index, &str));
}

/// Definitions by name and by index, in the order of registration.
///
/// A copy shares everything with the original until one of them changes, so that a change costs what it weighs and a
/// reader of the old copy is not disturbed. The flat list that a reader asks for is built once, by the first who asks.
pub struct Table<D> {
    places: Map<ByName<D>, u64>,
    all: Bucket<D>,
    buckets: Map<BucketKey, Bucket<D>>,
    next: u64,
}

/// What differs between two tables.
pub(crate) enum Changed<'a, D> {
    Added(&'a Arc<D>),
    Removed(&'a Arc<D>),
}

/// A name that is taken already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken<D> {
    /// Who has it.
    pub holder: Arc<D>,
}

impl<D: Definition> Table<D> {
    /// The one of this exact name.
    pub fn get(&self, name: &str) -> Option<&Arc<D>> {
        self.get_ignoring_case(name).filter(|found| found.name() == name)
    }

    /// The one whose name differs from `name` at most in case.
    pub fn get_ignoring_case(&self, name: &str) -> Option<&Arc<D>> {
        self.places.get_key_value(&Folded(name)).map(|(held, _)| &held.0)
    }

    /// All of them.
    pub fn list(&self) -> List<D> {
        self.all.list()
    }

    /// Those that have `key` in `index`.
    pub fn list_by(&self, index: Index, key: &str) -> List<D> {
        self.bucket(index, key).map(Bucket::list).unwrap_or_default()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// How many have `key` in `index`.
    pub fn count_by(&self, index: Index, key: &str) -> usize {
        self.bucket(index, key).map_or(0, |bucket| bucket.items.len())
    }

    /// The keys of `index` that are in use, sorted, with how many have each.
    pub fn counts(&self, index: Index) -> Vec<(Arc<str>, usize)> {
        let mut counts: Vec<_> = self
            .buckets
            .iter()
            .filter(|(key, _)| key.0 == index)
            .map(|(key, bucket)| (Arc::from(key.1.as_ref()), bucket.items.len()))
            .collect();
        counts.sort();
        counts
    }

    /// What has been added and removed since `before`, which this one was once a copy of. Costs what changed, not what both
    /// hold.
    pub(crate) fn changes_since<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = Changed<'a, D>>
    where
        D: PartialEq,
    {
        use imbl::ordmap::DiffItem;
        before
            .all
            .items
            .diff(&self.all.items)
            .flat_map(|difference| match difference {
                DiffItem::Add(_, new) => [None, Some(Changed::Added(new))],
                DiffItem::Remove(_, old) => [Some(Changed::Removed(old)), None],
                DiffItem::Update { old, new } => [Some(Changed::Removed(old.1)), Some(Changed::Added(new.1))],
            })
            .flatten()
    }

    fn bucket(&self, index: Index, key: &str) -> Option<&Bucket<D>> {
        self.buckets.get(&Wanted(index, key))
    }

    /// Adds `item` as the last one, unless its name is taken.
    pub fn register(&mut self, item: Arc<D>) -> Result<(), Taken<D>> {
        let place = self.next;
        self.insert_at(place, item)?;
        self.next += 1;
        Ok(())
    }

    /// Adds `item` in a place from which one was removed.
    pub(crate) fn insert_at(&mut self, place: u64, item: Arc<D>) -> Result<(), Taken<D>> {
        if let Some(holder) = self.get_ignoring_case(item.name()) {
            return Err(Taken { holder: holder.clone() });
        }
        self.places.insert(ByName(item.clone()), place);
        item.index(&mut |index, key| match self.buckets.get_mut(&Wanted(index, key)) {
            Some(bucket) => bucket.insert(place, item.clone()),
            None => {
                let mut bucket = Bucket::default();
                bucket.insert(place, item.clone());
                self.buckets.insert(BucketKey(index, key.into()), bucket);
            }
        });
        self.all.insert(place, item);
        Ok(())
    }

    /// Puts `item` where the one of its name stands, or last if there is none.
    pub(crate) fn put(&mut self, item: Arc<D>) {
        let inserted = match self.take(item.name()) {
            Some((_, place)) => self.insert_at(place, item),
            None => self.register(item),
        };
        debug_assert!(inserted.is_ok(), "the name was just made free");
    }

    /// Removes the one whose name differs from `name` at most in case, and returns it.
    pub fn unregister(&mut self, name: &str) -> Option<Arc<D>> {
        self.take(name).map(|(item, _)| item)
    }

    /// Removes the one of this name and says where it stood.
    pub(crate) fn take(&mut self, name: &str) -> Option<(Arc<D>, u64)> {
        let (ByName(item), place) = self.places.remove_with_key(&Folded(name))?;
        self.all.remove(place);
        item.index(&mut |index, key| {
            let key = Wanted(index, key);
            let is_empty = self.buckets.get_mut(&key).is_some_and(|bucket| {
                bucket.remove(place);
                bucket.items.is_empty()
            });
            if is_empty {
                self.buckets.remove(&key);
            }
        });
        Some((item, place))
    }
}

impl<D> Clone for Table<D> {
    fn clone(&self) -> Self {
        Self {
            places: self.places.clone(),
            all: self.all.clone(),
            buckets: self.buckets.clone(),
            next: self.next,
        }
    }
}

impl<D> Default for Table<D> {
    fn default() -> Self {
        Self { places: Map::default(), all: Bucket::default(), buckets: Map::default(), next: 0 }
    }
}

/// A definition as the key of a map: its name without regard to case.
struct ByName<D>(Arc<D>);

impl<D> Clone for ByName<D> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}
impl<D: Definition> Hash for ByName<D> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Folded(self.0.name()).hash(state);
    }
}
impl<D: Definition> PartialEq for ByName<D> {
    fn eq(&self, other: &Self) -> bool {
        self.0.name().eq_ignore_ascii_case(other.0.name())
    }
}
impl<D: Definition> Eq for ByName<D> {}

/// A name to look for without regard to case.
struct Folded<'a>(&'a str);

impl Hash for Folded<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // In chunks, since a hasher is slow on single bytes. Names have at most 64.
        let mut chunk = [0; 64];
        for bytes in self.0.as_bytes().chunks(chunk.len()) {
            let folded = &mut chunk[..bytes.len()];
            folded.copy_from_slice(bytes);
            folded.make_ascii_lowercase();
            state.write(folded);
        }
    }
}
impl<D: Definition> Equivalent<ByName<D>> for Folded<'_> {
    fn equivalent(&self, held: &ByName<D>) -> bool {
        self.0.eq_ignore_ascii_case(held.0.name())
    }
}

/// The key of a bucket.
#[derive(Clone, PartialEq, Eq, Hash)]
struct BucketKey(Index, Box<str>);

/// The key of a bucket to look for.
#[derive(Hash)]
struct Wanted<'a>(Index, &'a str);

impl Equivalent<BucketKey> for Wanted<'_> {
    fn equivalent(&self, held: &BucketKey) -> bool {
        self.0 == held.0 && *self.1 == *held.1
    }
}

/// Some definitions by their place, and the list made of them when somebody wanted it.
struct Bucket<D> {
    items: imbl::OrdMap<u64, Arc<D>>,
    list: Arc<OnceLock<List<D>>>,
}

impl<D> Bucket<D> {
    fn list(&self) -> List<D> {
        self.list.get_or_init(|| self.items.values().cloned().collect()).clone()
    }

    fn insert(&mut self, place: u64, item: Arc<D>) {
        self.items.insert(place, item);
        self.forget_list();
    }

    fn remove(&mut self, place: u64) {
        self.items.remove(&place);
        self.forget_list();
    }

    fn forget_list(&mut self) {
        // A list that nobody asked for and no other copy can see is still good for the next one who asks.
        if self.list.get().is_some() || Arc::strong_count(&self.list) > 1 {
            self.list = Arc::default();
        }
    }
}

impl<D> Clone for Bucket<D> {
    fn clone(&self) -> Self {
        Self { items: self.items.clone(), list: self.list.clone() }
    }
}

impl<D> Default for Bucket<D> {
    fn default() -> Self {
        Self { items: imbl::OrdMap::new(), list: Arc::default() }
    }
}

fn fold(name: &str) -> Box<str> {
    name.to_ascii_lowercase().into()
}

impl Definition for CompetencyDefinition {
    const KIND: &'static str = "competency";

    fn name(&self) -> &str {
        self.id.as_str()
    }

    fn index(&self, add: &mut dyn FnMut(Index, &str)) {
        add(Index::Category, self.category.as_str());
        add(Index::Level, self.level.as_str());
        add_plugin(self.plugin_id.as_ref(), add);
        for prerequisite in unique(&self.prerequisites, CompetencyId::as_str) {
            add(Index::Prerequisite, prerequisite);
        }
    }
}

impl Definition for FileHandlerDefinition {
    const KIND: &'static str = "file handler";

    fn name(&self) -> &str {
        FileHandlerName::as_str(&self.name)
    }

    fn index(&self, add: &mut dyn FnMut(Index, &str)) {
        add_plugin(self.plugin_id.as_ref(), add);
        let extensions: Vec<String> =
            self.extensions.iter().map(|e| e.trim_start_matches('.').to_lowercase()).collect();
        for extension in unique(&extensions, String::as_str) {
            add(Index::Extension, extension);
        }
        let media_types: Vec<String> = self.media_types.iter().map(|m| m.to_lowercase()).collect();
        for media_type in unique(&media_types, String::as_str) {
            add(Index::MediaType, media_type);
        }
    }
}

pub(crate) fn add_plugin(plugin: Option<&PluginId>, add: &mut dyn FnMut(Index, &str)) {
    if let Some(plugin) = plugin {
        add(Index::Plugin, plugin.as_str());
    }
}

/// The texts of `items` without repetitions: a place enters each bucket once, so that it leaves it once.
pub(crate) fn unique<T>(items: &[T], text: impl Fn(&T) -> &str) -> Vec<&str> {
    let mut texts: Vec<&str> = Vec::with_capacity(items.len());
    for item in items {
        if !texts.contains(&text(item)) {
            texts.push(text(item));
        }
    }
    texts
}

/// Those of `names` that look like `wanted`, the most alike first; at most three.
pub fn nearest<'a, N>(names: impl Iterator<Item = &'a N>, wanted: &str) -> Vec<N>
where
    N: AsRef<str> + Ord + Clone + 'a,
{
    let mut scored: Vec<_> = names
        .filter_map(|name| {
            let distance = edit_distance(&fold(name.as_ref()), &fold(wanted), 3)?;
            Some((distance, name))
        })
        .collect();
    scored.sort();
    scored.into_iter().take(3).map(|(_, name)| name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, PartialEq)]
    struct Thing {
        name: String,
        group: &'static str,
    }

    impl Definition for Thing {
        const KIND: &'static str = "thing";
        fn name(&self) -> &str {
            &self.name
        }
        fn index(&self, add: &mut dyn FnMut(Index, &str)) {
            add(Index::Category, self.group);
        }
    }

    fn thing(name: &str, group: &'static str) -> Arc<Thing> {
        Arc::new(Thing { name: name.into(), group })
    }

    fn names(list: &[Arc<Thing>]) -> Vec<String> {
        list.iter().map(|thing| thing.name.clone()).collect()
    }

    #[test]
    fn a_name_is_found_by_its_exact_spelling_and_held_in_every_other() {
        let mut table = Table::default();
        table.register(thing("Read", "io")).expect("free");

        assert!(table.get("Read").is_some());
        assert!(table.get("read").is_none());
        assert_eq!(table.register(thing("rEAD", "io")).expect_err("taken").holder.name, "Read");
    }

    #[test]
    fn lists_keep_the_order_of_registration_and_a_copy_is_not_disturbed() {
        let mut table = Table::default();
        for name in ["c", "a", "b"] {
            table.register(thing(name, "x")).expect("free");
        }
        let before = table.clone();

        table.unregister("a");

        assert_eq!(names(&table.list()), ["c", "b"]);
        assert_eq!(names(&before.list()), ["c", "a", "b"]);
        assert_eq!(names(&before.list_by(Index::Category, "x")), ["c", "a", "b"]);
    }

    #[test]
    fn a_replaced_definition_keeps_its_place() {
        let mut table = Table::default();
        for name in ["a", "b", "c"] {
            table.register(thing(name, "x")).expect("free");
        }

        table.put(thing("b", "y"));

        assert_eq!(names(&table.list()), ["a", "b", "c"]);
        assert_eq!(names(&table.list_by(Index::Category, "y")), ["b"]);
    }

    #[test]
    fn a_list_is_built_once_for_all_readers() {
        let mut table = Table::default();
        table.register(thing("a", "x")).expect("free");

        assert!(Arc::ptr_eq(&table.list(), &table.clone().list()));
    }

    proptest! {
        #[test]
        fn a_table_behaves_like_an_ordered_map(steps in prop::collection::vec((0..12u8, 0..3u8, any::<bool>()), 0..80)) {
            let groups = ["red", "green", "blue"];
            let mut table = Table::default();
            let mut model: BTreeMap<usize, (String, &'static str)> = BTreeMap::new();
            for (at, (name, group, insert)) in steps.into_iter().enumerate() {
                let (name, group) = (format!("n{name}"), groups[usize::from(group)]);
                let held = model.iter().find(|(_, (n, _))| *n == name).map(|(k, _)| *k);
                if insert {
                    let registered = table.register(thing(&name, group)).is_ok();
                    prop_assert_eq!(registered, held.is_none());
                    if registered {
                        model.insert(at, (name, group));
                    }
                } else {
                    prop_assert_eq!(table.unregister(&name).is_some(), held.is_some());
                    held.map(|k| model.remove(&k));
                }
                prop_assert_eq!(names(&table.list()), model.values().map(|(n, _)| n.clone()).collect::<Vec<_>>());
                for group in groups {
                    let expected: Vec<_> = model.values().filter(|(_, g)| *g == group).map(|(n, _)| n.clone()).collect();
                    prop_assert_eq!(names(&table.list_by(Index::Category, group)), expected.clone());
                    prop_assert_eq!(table.count_by(Index::Category, group), expected.len());
                }
                prop_assert_eq!(table.counts(Index::Category).iter().map(|(_, n)| n).sum::<usize>(), model.len());
            }
        }
    }
}
