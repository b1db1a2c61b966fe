//! `system check`: every file of the store against what its name says, and with `--repair` what is not so removed or made
//! again.
//!
//! What has a digest is hashed, on all processors. What is found wrong is told with what it breaks. A repair removes only
//! what is broken and what cannot be without it, makes wrong indexes again from their tars, and says which commands bring
//! back what is lost. What containers and volumes hold is nobody's to judge.

mod content;
mod objects;
mod repair;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};

use oci::{DiffId, ImageConfig, ImageId, Reference};
use store::Store;

use crate::{Engine, Error};

/// What `system check` was asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct CheckOptions {
    /// Mend what is broken.
    pub repair: bool,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreCheck {
    /// Files that were looked at.
    pub files: u64,
    /// Bytes that were hashed.
    pub bytes: u64,
    /// What is wrong, by path.
    pub problems: Vec<StoreProblem>,
    /// Commands that bring back what is lost.
    pub commands: Vec<String>,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreProblem {
    /// The file or folder, from the store's folder.
    pub path: String,
    /// What is wrong with it.
    pub what: String,
    /// What cannot be used because of it.
    pub breaks: Vec<String>,
    /// What was done about it; `None` when it is as it was.
    pub repaired: Option<String>,
    remedy: Remedy,
}

/// What would mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Remedy {
    /// It goes.
    Remove,
    /// A layer goes, with all that cannot be without it.
    RemoveLayer(DiffId),
    /// An image goes, with its names.
    RemoveImage(ImageId),
    /// An index is made again.
    Index(DiffId, Option<oci::ChainId>, Vec<u8>),
    /// Only its owner can tell.
    Nothing,
}

impl StoreCheck {
    /// Whether something is still wrong.
    pub fn is_whole(&self) -> bool {
        self.problems.iter().all(|problem| problem.repaired.is_some())
    }
}

/// Looks at every file of the store. `progress` is told how many bytes of how many are hashed, from several threads.
///
/// # Errors
/// When the store cannot be read at all, or a repair cannot be made.
pub fn check_store(
    engine: &Engine,
    options: CheckOptions,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<StoreCheck, Error> {
    let checker = Checker::new(engine)?;
    let mut check = StoreCheck::default();
    checker.content(&mut check, progress)?;
    checker.objects(&mut check)?;
    check.problems.sort_by(|one, other| one.path.cmp(&other.path));
    check.files = checker.files.load(Ordering::Relaxed);
    check.bytes = checker.bytes.load(Ordering::Relaxed);
    check.commands = checker.commands(&check.problems)?;
    if options.repair {
        checker.repair(&mut check)?;
    }
    Ok(check)
}

/// What is known before anything is judged.
struct Checker<'a> {
    store: &'a Store,
    /// Images whose config is right.
    images: BTreeMap<ImageId, ImageConfig>,
    names: HashMap<ImageId, Vec<Reference>>,
    /// Names of tars in `layers/`.
    tars: BTreeSet<DiffId>,
    files: AtomicU64,
    bytes: AtomicU64,
}

impl<'a> Checker<'a> {
    fn new(engine: &'a Engine) -> Result<Self, Error> {
        let store = engine.store();
        let mut images = BTreeMap::new();
        for id in store.image_ids()? {
            // A wrong one is told later.
            if let Ok(config) = store.image(id) {
                images.insert(id, config);
            }
        }
        let mut names: HashMap<ImageId, Vec<Reference>> = HashMap::new();
        for file in store.raw_names("references")? {
            let Ok(reference) = file.replace('+', "/").parse::<Reference>() else { continue };
            if let Ok(Some(id)) = store.reference(&reference) {
                names.entry(id).or_default().push(reference);
            }
        }
        let digits = |name: &String| oci::Digest::from_hex(name.strip_suffix(".tar")?).ok().map(DiffId);
        let tars = store.raw_names("layers")?.iter().filter_map(digits).collect();
        Ok(Self { store, images, names, tars, files: AtomicU64::new(0), bytes: AtomicU64::new(0) })
    }

    /// How people call an image.
    fn shown(&self, id: ImageId) -> String {
        let name = self.names.get(&id).and_then(|names| names.first());
        format!("image {}", name.map_or_else(|| id.0.short(), Reference::familiar))
    }

    /// What needs a layer.
    fn users_of(&self, layer: DiffId) -> Vec<String> {
        let has = |config: &ImageConfig| config.rootfs.diff_ids.contains(&layer);
        let mut users: Vec<String> =
            self.images.iter().filter(|(_, config)| has(config)).map(|(id, _)| self.shown(*id)).collect();
        users.sort();
        users
    }

    fn saw(&self, bytes: u64) {
        self.files.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Commands that bring back the images that go: those that a registry knows are pulled, others
    /// are built again, or loaded from where somebody has saved them.
    fn commands(&self, problems: &[StoreProblem]) -> Result<Vec<String>, Error> {
        let mut lost: BTreeSet<ImageId> = BTreeSet::new();
        for problem in problems {
            match &problem.remedy {
                Remedy::RemoveLayer(layer) => {
                    let has = |config: &ImageConfig| config.rootfs.diff_ids.contains(layer);
                    lost.extend(self.images.iter().filter(|(_, config)| has(config)).map(|(id, _)| *id));
                }
                Remedy::RemoveImage(id) => drop(lost.insert(*id)),
                _ => {}
            }
        }
        let mut commands = Vec::new();
        for (id, names) in lost.iter().filter_map(|id| Some((id, self.names.get(id)?))) {
            let is_known = names.iter().any(|name| name.digest().is_some());
            let is_made_by_hand = self.is_made_by_hand(*id)?;
            for name in names.iter().filter(|name| name.tag().is_some()) {
                let name = name.familiar();
                commands.push(match (is_known, is_made_by_hand) {
                    (true, _) => format!("onggi pull {name}"),
                    (false, false) => format!("onggi build -t {name} ."),
                    (false, true) => {
                        format!("onggi load -i ARCHIVE   # {name} can be had only from where it was saved")
                    }
                });
            }
        }
        commands.sort();
        commands.dedup();
        Ok(commands)
    }

    /// Whether an image is of `commit` or `import`: no Dockerfile makes it again. Images of builds may have parents too.
    fn is_made_by_hand(&self, id: ImageId) -> Result<bool, Error> {
        let last = self.images.get(&id).and_then(|config| config.history.last());
        let comment = last.and_then(|step| step.comment.as_deref()).unwrap_or_default();
        let is_built = comment.starts_with("buildkit.dockerfile");
        Ok(comment.starts_with("Imported from") || !is_built && self.store.parent(id)?.is_some())
    }
}

fn problem(path: impl Into<String>, what: impl Into<String>, remedy: Remedy) -> StoreProblem {
    StoreProblem { path: path.into(), what: what.into(), breaks: Vec::new(), repaired: None, remedy }
}
