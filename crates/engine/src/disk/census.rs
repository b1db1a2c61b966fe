//! One pass over the store: what is there, how much each takes, and who needs which layer.

use std::collections::{BTreeMap, HashMap, HashSet};

use builder::StepSummary;
use jiff::Timestamp;
use oci::{DiffId, Digest, ImageId};
use store::{BlobOwners, Inventory, ProcessIdentity, RecordKind, Store, Use, layer_of_record};

use crate::build_log::{BuildResult, build_logs_of};
use crate::images::{self, Listed};
use crate::{Engine, Error};

/// What a part of the build cache is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CacheKind {
    /// The result of a step.
    Step,
    /// What a server gave.
    Remote,
    /// The stat index of a context.
    Context,
    /// What a build leaves for explaining the next one.
    Keys,
    /// A cache of `RUN --mount=type=cache`.
    Mount,
    /// A step that failed, kept for `build debug`.
    Failure,
    /// The log of a build.
    Log,
    /// A layer that nothing refers to: a process that made it was killed, or makes an image of it now.
    Layer,
    /// What processes are writing, or were when they were killed.
    Unfinished,
}

impl CacheKind {
    /// As BuildKit calls what it has of the same kind, or `internal`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Step => "regular",
            Self::Remote => "source.remote",
            Self::Context => "source.local",
            Self::Mount => "exec.cachemount",
            Self::Keys | Self::Failure | Self::Log | Self::Layer | Self::Unfinished => "internal",
        }
    }
}

/// Whether a part of the build cache can go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheState {
    /// It can.
    Free,
    /// A process that runs uses it.
    InUse,
}

/// A part of the build cache.
#[derive(Debug, Clone)]
pub(crate) struct CacheEntry {
    pub(crate) kind: CacheKind,
    /// The name of its file or folder.
    pub(crate) id: String,
    /// Its file or folder alone.
    pub(crate) own: Use,
    /// The layers that it keeps.
    pub(crate) layers: Vec<DiffId>,
    pub(crate) created: Option<Timestamp>,
    /// How long it took to make, in milliseconds.
    pub(crate) took_ms: Option<u64>,
    pub(crate) description: String,
    pub(crate) state: CacheState,
}

/// All that a decision about the disk needs to know.
#[derive(Debug)]
pub(crate) struct Census {
    pub(crate) inventory: Inventory,
    /// In no order.
    pub(crate) images: Vec<Listed>,
    /// Containers of each image.
    pub(crate) users: HashMap<ImageId, Vec<String>>,
    pub(crate) pins: HashSet<ImageId>,
    pub(crate) cache: Vec<CacheEntry>,
    /// Layers that live processes have said they use.
    pub(crate) leased: HashSet<DiffId>,
    /// When the oldest process began that may be about to refer to what it has written.
    pub(crate) busy_since: Option<i64>,
    blobs: BlobOwners,
    layers: HashMap<DiffId, u64>,
}

/// Folders whose entries are images, or belong to one.
const OF_IMAGES: [&str; 6] = ["images", "parents", "pins", "references", "blobs", "transports"];

impl Census {
    pub(crate) fn take(engine: &Engine) -> Result<Self, Error> {
        Self::of(engine.store())
    }

    pub(crate) fn of(store: &Store) -> Result<Self, Error> {
        // Who is alive comes first: what ends meanwhile is only taken for alive.
        let leased = store.leased_layers()?;
        let busy_since = store.busy_since()?;
        let inventory = store.inventory()?;
        let images = images::all_of(store)?;
        let mut users: HashMap<ImageId, Vec<String>> = HashMap::new();
        for (container, image) in store.images_of_containers()? {
            users.entry(image).or_default().push(container);
        }
        let pins = store.pins()?.into_iter().collect();
        // Where there are none, nobody owns any.
        let blobs = match inventory.is_empty("blobs") && inventory.is_empty("transports") {
            true => BlobOwners::default(),
            false => store.blob_owners()?,
        };
        let layers = layer_sizes(&inventory);
        let mut census = Self { inventory, images, users, pins, cache: Vec::new(), leased, busy_since, blobs, layers };
        census.add_records(store)?;
        census.add_folders(store)?;
        census.add_unfinished();
        census.add_lost_layers();
        Ok(census)
    }

    /// Blobs of layers that are here, which can be fetched again, with what each gives; the largest first.
    pub(crate) fn fetchable_blobs(&self) -> Vec<(Digest, u64)> {
        let mut blobs: BTreeMap<Digest, u64> = BTreeMap::new();
        for blob in self.blobs.of_layers.values().flatten() {
            if let Some(found) = self.inventory.entry("blobs", &blob.hex()) {
                blobs.insert(*blob, found.bytes);
            }
        }
        let mut blobs: Vec<(Digest, u64)> = blobs.into_iter().collect();
        blobs.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
        blobs
    }

    /// Blobs that belong to nothing, and lists of blobs of layers that are not here, which any removal takes along: folder,
    /// name and bytes of each.
    pub(crate) fn lost_blobs(&self) -> Vec<(&'static str, Digest, u64)> {
        let is_old = |found: &Use| self.busy_since.is_none_or(|since| found.written < since);
        let here = self.blobs.of_layers.iter().filter(|(layer, _)| self.layers.contains_key(layer));
        let owned: HashSet<Digest> =
            here.map(|(_, blobs)| blobs).chain(self.blobs.of_images.values()).flatten().copied().collect();
        let mut lost = Vec::new();
        for (folder, is_lost) in [
            (
                "blobs",
                &(|blob| !owned.contains(&blob) && !self.leased.contains(&DiffId(blob))) as &dyn Fn(Digest) -> bool,
            ),
            ("transports", &|layer| !self.layers.contains_key(&DiffId(layer))),
        ] {
            let old = self.inventory.folder(folder).filter(|(_, found)| is_old(found));
            let named = old.filter_map(|(name, found)| Some((Digest::from_hex(name).ok()?, found.bytes)));
            lost.extend(named.filter(|(name, _)| is_lost(*name)).map(|(name, bytes)| (folder, name, bytes)));
        }
        lost
    }

    /// Whether there is something that no image or part of the cache has to be removed for.
    pub(crate) fn has_lost(&self) -> bool {
        let images: HashSet<String> = self.images.iter().map(|image| image.id.0.hex()).collect();
        let is_lost_note = |folder: &str| self.inventory.folder(folder).any(|(name, _)| !images.contains(name));
        self.cache.iter().any(|entry| entry.kind == CacheKind::Layer && entry.state == CacheState::Free)
            || !self.lost_blobs().is_empty()
            || is_lost_note("parents")
            || is_lost_note("pins")
    }

    /// As if these containers were gone.
    pub(crate) fn forget_containers<'a>(&mut self, ids: impl Iterator<Item = &'a str>) {
        let gone: HashSet<&str> = ids.collect();
        for users in self.users.values_mut() {
            users.retain(|id| !gone.contains(id.as_str()));
        }
    }

    /// What the files of a layer take.
    pub(crate) fn layer_bytes(&self, layer: DiffId) -> u64 {
        self.layers.get(&layer).copied().unwrap_or(0)
    }

    /// Blobs that are kept for these layers and images.
    pub(crate) fn blobs_of(&self, layers: &HashSet<DiffId>, images: &HashSet<ImageId>) -> HashSet<Digest> {
        let of_layers = layers.iter().filter_map(|layer| self.blobs.of_layers.get(layer));
        let of_images = images.iter().filter_map(|image| self.blobs.of_images.get(image));
        of_layers.chain(of_images).flatten().copied().collect()
    }

    /// What the blobs take that are kept for these layers and images, each counted once, and the lists of them.
    pub(crate) fn blob_bytes(&self, layers: &HashSet<DiffId>, images: &HashSet<ImageId>) -> u64 {
        let blobs = self.blobs_of(layers, images);
        let blobs = blobs.iter().filter_map(|blob| self.inventory.entry("blobs", &blob.hex()));
        let lists = layers.iter().filter_map(|layer| self.inventory.entry("transports", &layer.0.hex()));
        blobs.chain(lists).map(|found| found.bytes).sum()
    }

    /// What layers take together, each counted once.
    pub(crate) fn bytes_of(&self, layers: &HashSet<DiffId>) -> u64 {
        layers.iter().map(|layer| self.layer_bytes(*layer)).sum()
    }

    /// What the files of an image take that are not layers.
    pub(crate) fn image_bytes(&self, image: &Listed) -> u64 {
        let hex = image.id.0.hex();
        let own = ["images", "parents", "pins"].iter().filter_map(|folder| self.inventory.entry(folder, &hex));
        let names = image
            .names
            .iter()
            .filter_map(|name| self.inventory.entry("references", &name.to_string().replace('/', "+")));
        own.chain(names).map(|found| found.bytes).sum()
    }

    /// All that belongs to images but is no layer.
    pub(crate) fn images_overhead(&self) -> u64 {
        OF_IMAGES.iter().map(|folder| self.inventory.sum(folder)).sum()
    }

    /// Layers of all images.
    pub(crate) fn layers_of_images(&self) -> HashSet<DiffId> {
        self.images.iter().flat_map(|image| image.config.rootfs.diff_ids.iter().copied()).collect()
    }

    /// Layers that are still needed when these images and parts of the cache are gone.
    pub(crate) fn needed(&self, images: &HashSet<ImageId>, cache: &HashSet<usize>) -> HashSet<DiffId> {
        let of_images = self.images.iter().filter(|image| !images.contains(&image.id));
        let of_cache = self.cache.iter().enumerate().filter(|(index, entry)| {
            // What nothing refers to is needed by nobody, unless its process lives.
            !cache.contains(index) && (entry.kind != CacheKind::Layer || entry.state == CacheState::InUse)
        });
        let of_images = of_images.flat_map(|image| image.config.rootfs.diff_ids.iter());
        of_images.chain(of_cache.flat_map(|(_, entry)| entry.layers.iter())).chain(&self.leased).copied().collect()
    }

    fn add_records(&mut self, store: &Store) -> Result<(), Error> {
        let folders = [RecordKind::Step, RecordKind::Remote];
        for kind in folders.into_iter().filter(|kind| !self.inventory.is_empty(kind.folder())) {
            for (key, bytes) in store.records(kind)? {
                let Some(own) = self.inventory.entry(kind.folder(), &key.hex()) else { continue };
                let layers: Vec<DiffId> = layer_of_record(&bytes).into_iter().collect();
                let step = StepSummary::parse(&bytes);
                let written = Timestamp::from_second(own.written).ok();
                let state = state(layers.iter().any(|layer| self.leased.contains(layer)));
                self.cache.push(CacheEntry {
                    kind: if kind == RecordKind::Step { CacheKind::Step } else { CacheKind::Remote },
                    id: key.hex(),
                    own,
                    layers,
                    created: step.as_ref().and_then(|step| step.created.parse().ok()).or(written),
                    took_ms: step.as_ref().and_then(|step| step.took_ms),
                    description: match (step, kind) {
                        (Some(step), _) => step.description,
                        (None, RecordKind::Step) => "when an image was first made".to_owned(),
                        (None, _) => "what a server gave".to_owned(),
                    },
                    state,
                });
            }
        }
        for (kind, what, text) in [
            (RecordKind::Context, CacheKind::Context, "digests of a build context"),
            (RecordKind::Build, CacheKind::Keys, "keys of a context's last build"),
        ] {
            let found: Vec<_> =
                self.inventory.folder(kind.folder()).map(|(id, own)| plain(what, id, own, text)).collect();
            self.cache.extend(found);
        }
        Ok(())
    }

    fn add_folders(&mut self, store: &Store) -> Result<(), Error> {
        let mut failures = match self.inventory.is_empty("failures") {
            true => BTreeMap::new(),
            false => store.layers_of_failures()?,
        };
        let entries: Vec<(String, Use)> = named(&self.inventory, "failures");
        for (id, own) in entries {
            let layers = failures.remove(&id).unwrap_or_default();
            let state = state(store.is_failure_in_use(&id)?);
            self.cache.push(CacheEntry { layers, state, ..plain(CacheKind::Failure, &id, own, "a step that failed") });
        }
        let logs = if self.inventory.is_empty("logs") { Vec::new() } else { build_logs_of(store)? };
        let running: HashSet<String> =
            logs.into_iter().filter(|build| build.result == BuildResult::Running).map(|build| build.id).collect();
        for (id, own) in named(&self.inventory, "logs") {
            let state = state(running.contains(&id));
            self.cache.push(CacheEntry { state, ..plain(CacheKind::Log, &id, own, "log of a build") });
        }
        for (id, own) in named(&self.inventory, "caches") {
            let key = Digest::from_hex(&id).ok();
            let (description, is_used) = match key {
                Some(key) => (store.cache_description(key)?.unwrap_or_default(), store.is_cache_in_use(key)?),
                None => (String::new(), false),
            };
            self.cache.push(CacheEntry { state: state(is_used), ..plain(CacheKind::Mount, &id, own, &description) });
        }
        Ok(())
    }

    fn add_unfinished(&mut self) {
        let since = self.busy_since;
        let is_young = |own: Use| since.is_some_and(|since| own.written >= since);
        for folder in ["ingest", "partial"] {
            for (id, own) in named(&self.inventory, folder) {
                let owner = ProcessIdentity::of_file(&id);
                let is_alive = owner.is_some_and(ProcessIdentity::is_alive) || folder == "partial" && is_young(own);
                let text = if folder == "partial" { "part of a blob" } else { "being written" };
                self.cache.push(CacheEntry { state: state(is_alive), ..plain(CacheKind::Unfinished, &id, own, text) });
            }
        }
    }

    fn add_lost_layers(&mut self) {
        let known: HashSet<DiffId> = self
            .layers_of_images()
            .into_iter()
            .chain(self.cache.iter().flat_map(|entry| entry.layers.clone()))
            .collect();
        let lost: BTreeMap<DiffId, u64> = self
            .layers
            .iter()
            .filter(|(layer, _)| !known.contains(layer))
            .map(|(layer, bytes)| (*layer, *bytes))
            .collect();
        for layer in lost.into_keys() {
            let id = layer.0.hex();
            let files = self.inventory.folder("layers").filter(|(name, _)| name.starts_with(&id));
            let own = files.fold(Use::default(), |own, (_, file)| Use {
                bytes: 0,
                written: own.written.max(file.written),
                used: own.used.max(file.used),
            });
            let is_young = self.busy_since.is_some_and(|since| own.written >= since);
            let state = state(is_young || self.leased.contains(&layer));
            let entry = plain(CacheKind::Layer, &id, own, "a layer that nothing refers to");
            self.cache.push(CacheEntry { layers: vec![layer], state, ..entry });
        }
    }
}

fn named(inventory: &Inventory, folder: &str) -> Vec<(String, Use)> {
    inventory.folder(folder).map(|(name, own)| (name.to_owned(), own)).collect()
}

fn state(is_used: bool) -> CacheState {
    if is_used { CacheState::InUse } else { CacheState::Free }
}

fn plain(kind: CacheKind, id: &str, own: Use, description: &str) -> CacheEntry {
    CacheEntry {
        kind,
        id: id.to_owned(),
        own,
        layers: Vec::new(),
        created: Timestamp::from_second(own.written).ok(),
        took_ms: None,
        description: description.to_owned(),
        state: CacheState::Free,
    }
}

/// Tar, indexes and extracted folders of each layer.
fn layer_sizes(inventory: &Inventory) -> HashMap<DiffId, u64> {
    let mut sizes = HashMap::new();
    for (name, found) in inventory.folder("layers").chain(inventory.folder("extracted")) {
        if let Some(layer) = name.get(..64).and_then(|digits| Digest::from_hex(digits).ok()) {
            *sizes.entry(DiffId(layer)).or_insert(0) += found.bytes;
        }
    }
    sizes
}
