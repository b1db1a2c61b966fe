//! One build, top to bottom: read, plan, solve, export.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::AtomicBool;

use dockerfile::{Dockerfile, IgnoreFile};
use oci::{Descriptor, ImageId, Platform, Reference};
use store::{Store, StoreError};

use crate::cache_folder::{self, CacheExport, CacheImport, Caches};
use crate::checks;
use crate::classic::{Classic, ClassicRequest};
use crate::context::ContextError;
use crate::context_files::{self, BuildContext};
use crate::credentials::SecretLookup;
use crate::epoch::{self, EpochError, TimeOptions};
use crate::export::{self, Made};
use crate::fetch::{Fetch, FetchError, ImageRequest};
use crate::ignore_file;
use crate::named::{self, NamedContext};
use crate::output::Output;
use crate::plan::{BaseImage, FindImage, ImageFailure, Plan, Planner, Problem};
use crate::probe;
use crate::report::Reporter;
use crate::solve::{Holding, Solver};
use crate::sources::Sources;
use crate::{InstructionEvent, RunNetwork, StepExecutor, StepOptions, StepOutcome};

/// What to build.
#[derive(Debug, Clone)]
pub struct BuildRequest {
    /// How the Dockerfile is called in messages.
    pub dockerfile_name: String,
    /// Its bytes.
    pub dockerfile: Vec<u8>,
    /// The context; `None` for a build without one.
    pub context: Option<BuildContext>,
    /// `--build-context`, in order.
    pub named_contexts: Vec<NamedContext>,
    /// `<Dockerfile>.dockerignore` where it is there; it counts instead of the context's own file (D162).
    pub ignore_file: Option<Document>,
    /// Names for the result.
    pub tags: Vec<Reference>,
    /// What becomes of it; an image of the store if this is empty.
    pub outputs: Vec<Output>,
    /// `--platform`: what to build for; this machine if this is empty.
    pub platforms: Vec<Platform>,
    /// `--target`.
    pub target: Option<String>,
    /// `--build-arg`, values resolved.
    pub build_args: Vec<(String, String)>,
    /// `--label`.
    pub labels: Vec<(String, String)>,
    /// `--no-cache`.
    pub no_cache: bool,
    /// Caches that are asked for what the store has no result of, in this order.
    pub cache_from: Vec<CacheImport>,
    /// Folders that the results of this build are written to.
    pub cache_to: Vec<CacheExport>,
    /// `--squash`: one layer in the place of all that the build makes.
    pub squash: bool,
    /// `--no-cache-filter`: names or numbers of stages whose steps are run again.
    pub no_cache_filter: Vec<String>,
    /// `--reproducible`, `rewrite-timestamp`.
    pub times: TimeOptions,
    /// `--network`.
    pub network: RunNetwork,
    /// One instruction after the other, an image for each, and told as the classic builder does.
    pub classic: Option<ClassicRequest>,
    /// Secrets, agents, hosts, limits and permissions of RUN.
    pub run: StepOptions,
    /// Say why each step that ran was not cached.
    pub explain: bool,
    /// `--pull`: registries are asked for newer images than those that are here.
    pub pull: bool,
}

impl BuildRequest {
    /// What to build for, in order.
    pub(crate) fn all_platforms(&self) -> Vec<Platform> {
        if self.platforms.is_empty() { vec![Platform::host()] } else { self.platforms.clone() }
    }

    /// What is asked of a Dockerfile is asked for this one.
    pub(crate) fn first_platform(&self) -> Platform {
        self.platforms.first().cloned().unwrap_or_else(Platform::host)
    }
}

/// A file with a text, and how it is called in messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// What a build stands on.
pub struct BuildTools<'a> {
    /// Images, layers and results.
    pub store: &'a Store,
    /// Runs RUN.
    pub executor: &'a dyn StepExecutor,
    /// Reaches servers.
    pub fetch: &'a dyn Fetch,
    /// Secrets of the build, for servers that want to know who asks.
    pub secrets: SecretLookup<'a>,
    /// Takes the events.
    pub progress: &'a Reporter<'a>,
    /// The time, for what is new.
    pub clock: &'a (dyn Fn() -> jiff::Timestamp + Sync),
    /// Set from outside to end the build; set by the build itself when a stage fails, to end the others.
    pub cancelled: &'a AtomicBool,
}

impl BuildTools<'_> {
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(std::sync::atomic::Ordering::Relaxed)
    }
}

impl std::fmt::Debug for BuildTools<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BuildTools").field("store", &self.store).finish_non_exhaustive()
    }
}

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The Dockerfile has mistakes; all of them are here.
    #[error("the Dockerfile has errors")]
    Dockerfile(Vec<Problem>),
    /// The Dockerfile wants that nothing is built while its checks find something (`# check=error=true`).
    #[error("lint violation found for rules: {}", rules.join(", "))]
    Checks {
        /// Names of the rules, each once.
        rules: Vec<&'static str>,
    },
    /// `BUILDKIT_DOCKERFILE_CHECK` holds something else than options of checks.
    #[error("invalid check option `{option}` in BUILDKIT_DOCKERFILE_CHECK")]
    CheckOption {
        /// The part that is none.
        option: String,
    },
    /// A step failed.
    #[error("{}", problem.message)]
    Step {
        /// Where, and what to do.
        problem: Problem,
        /// The chain of causes, outermost first.
        causes: Vec<String>,
        /// Exit code of a RUN's command.
        exit_code: Option<u8>,
        /// Name under which the store keeps it, for opening a shell in it.
        kept: Option<String>,
    },
    /// `SOURCE_DATE_EPOCH` was given and is no time.
    #[error(transparent)]
    Epoch(#[from] EpochError),
    /// `--target` names no stage.
    #[error(transparent)]
    Target(dockerfile::UnknownTarget),
    /// The ignore file has a pattern that is none.
    #[error("{file} has errors")]
    IgnoreFile {
        /// Its name.
        file: String,
        /// Its bytes, for showing the lines.
        text: Vec<u8>,
        /// All of them.
        problems: Vec<Problem>,
    },
    /// A context or Dockerfile that is no file of this machine could not be had.
    #[error("{message}")]
    Source {
        /// What failed.
        message: String,
        /// Why, outermost first.
        causes: Vec<String>,
        /// What to do; it works when typed.
        hint: Option<String>,
    },
    /// The context cannot be used.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A stored image cannot be used.
    #[error(transparent)]
    Image(#[from] image::ManifestError),
    /// An output cannot be written.
    #[error("{message}")]
    Output {
        /// What could not be written.
        message: String,
        /// Why, outermost first.
        causes: Vec<String>,
        /// What to do; it works when typed.
        hint: Option<String>,
    },
    /// Something failed that is not the Dockerfile's doing.
    #[error("cannot {doing}")]
    Failed {
        /// What was being done.
        doing: &'static str,
        /// Why not, outermost first.
        causes: Vec<String>,
    },
    /// Ended from outside.
    #[error("the build was cancelled")]
    Cancelled,
}

impl From<FetchError> for BuildError {
    fn from(error: FetchError) -> Self {
        let FetchError { message, causes, hint, is_cancelled } = error;
        if is_cancelled { Self::Cancelled } else { Self::Source { message, causes, hint } }
    }
}

impl BuildError {
    /// A layer that was there is gone.
    pub(crate) fn is_lost_layer(&self) -> bool {
        matches!(self, Self::Store(StoreError::LayerMissing(_)))
    }
}

/// A finished build.
#[derive(Debug, Clone, PartialEq)]
pub struct Built {
    /// The image: digest of its config.
    pub image: ImageId,
    /// Of the first archive that was written: its manifest, or its index of several platforms.
    pub descriptor: Option<Descriptor>,
    /// Whether the image is one of the store's.
    pub is_stored: bool,
}

/// Builds an image and names it.
///
/// # Errors
/// See [`BuildError`]. Results of finished steps are kept for the next build.
pub fn build(request: &BuildRequest, tools: &BuildTools<'_>) -> Result<Built, BuildError> {
    epoch::check(&request.build_args)?;
    let reporter = tools.progress;
    export::check(request, reporter)?;
    let dockerfile = read_dockerfile(request, reporter)?;
    let ignore = read_ignore_file(request, reporter)?;
    let target = dockerfile.target(request.target.as_deref()).map_err(BuildError::Target)?;
    let classic = begin_classic(request, tools, &dockerfile, &ignore.1, target)?;
    let plans = plans(request, tools, reporter, &dockerfile, target)?;
    checks::run(request, reporter, &dockerfile, &plans, &ignore.1)?;
    let caches = Caches::open(request, reporter)?;
    let sources = Sources::load(&plans, request, ignore, tools)?;
    let run = |holding| -> Result<Built, BuildError> {
        caches.used.forget();
        let mut made = Vec::new();
        for (number, plan) in plans.iter().enumerate() {
            let sources = sources.of_plan(number);
            let solver = Solver::new(request, tools, reporter, plan, sources, classic.as_ref(), &caches);
            let solved = solver.solve(holding)?;
            made.push(Made::of_stage(&solved, &plan.platform, request, plan.epoch, tools, &caches)?);
        }
        let exported = export::export(&made, request, tools, reporter)?;
        cache_folder::export(&caches, tools, reporter)?;
        let image = export::of_this_machine(&made).id;
        Ok(Built { image, descriptor: exported.descriptor, is_stored: exported.is_stored })
    };
    if caches.imports.have_keys_alone() && classic.is_none() {
        let is_found = |(number, plan)| probe::is_found(request, tools, plan, sources.of_plan(number), &caches);
        caches.imports.count_keys(true);
        let are_found = plans.iter().enumerate().all(is_found);
        caches.imports.count_keys(are_found);
    }
    let mut built = run(Holding::WhenNeeded);
    // Another process removed what was found here, and what is held from now on stays; or a cache had not what it said, and
    // is not asked for it again.
    let mut again = 0;
    while built.as_ref().is_err_and(BuildError::is_lost_layer) && again <= caches.imports.refusals() {
        again += 1;
        caches.imports.count_keys(false);
        built = run(Holding::FromTheStart);
    }
    // What was learnt of the context holds even if a step failed. That it cannot be kept only costs time.
    sources.remember(tools.store).ok();
    built
}

/// The build argument that counts instead of `# syntax=`.
const FRONT_END: &str = "BUILDKIT_SYNTAX";

/// Asks for a cache in the image itself.
const INLINE_CACHE: &str = "BUILDKIT_INLINE_CACHE";

fn read_dockerfile(request: &BuildRequest, reporter: &Reporter<'_>) -> Result<Dockerfile, BuildError> {
    let step = reporter.start(format!("[internal] load build definition from {}", request.dockerfile_name));
    step.status(format!("transferring dockerfile: {}", bytes(request.dockerfile.len() as u64)));
    let parsed = named::parse(request);
    step.finish(StepOutcome::Done);
    if parsed.has_errors() {
        return Err(BuildError::Dockerfile(parsed.diagnostics.into_iter().map(Problem::from).collect()));
    }
    let front_end = request.build_args.iter().rev().find(|(name, _)| name == FRONT_END).map(|(_, value)| value);
    if let Some(name) = front_end.filter(|name| !dockerfile::is_dockerfile_frontend(name)) {
        reporter.warning(format!("the front end `{name}` is not run; the file is read as a Dockerfile"), None);
    }
    let inline_cache = request.build_args.iter().rev().find(|(name, _)| name == INLINE_CACHE);
    if inline_cache.is_some_and(|(_, value)| !matches!(value.as_str(), "" | "0" | "false")) {
        reporter.warning(
            format!("{INLINE_CACHE} is ignored: images carry no cache; the store keeps the results of all steps"),
            None,
        );
    }
    for warning in parsed.diagnostics {
        let line = dockerfile::SourceMap::new(&request.dockerfile).line_column(warning.span.start).line;
        reporter.warning(warning.message, u32::try_from(line).ok());
    }
    Ok(parsed.dockerfile)
}

/// `<Dockerfile>.dockerignore` beside the Dockerfile if there is one, else the context's own file.
fn read_ignore_file(request: &BuildRequest, reporter: &Reporter<'_>) -> Result<(String, IgnoreFile), BuildError> {
    let step = reporter.start("[internal] load .dockerignore");
    let parsed = ignore_file::find(request).map_err(BuildError::from).and_then(|document| {
        step.status(format!("transferring context: {}", bytes(document.bytes.len() as u64)));
        Ok((document.name.clone(), ignore_file::parse(document)?))
    });
    step.finish(parsed.as_ref().map_or_else(|error| StepOutcome::Failed(error.to_string()), |_| StepOutcome::Done));
    parsed
}

/// Tells how large the context is, and gets ready to count instructions.
fn begin_classic<'a>(
    request: &BuildRequest,
    tools: &BuildTools<'a>,
    dockerfile: &Dockerfile,
    ignore: &IgnoreFile,
    target: usize,
) -> Result<Option<Classic<'a>>, BuildError> {
    let Some(classic) = &request.classic else { return Ok(None) };
    let size = context_files::tar_size(request, classic, tools.store, ignore)?;
    tools.progress.instruction(InstructionEvent::Context { size });
    Ok(Some(Classic::new(tools.progress, dockerfile, target, &request.labels)))
}

/// One plan for each platform.
fn plans(
    request: &BuildRequest,
    tools: &BuildTools<'_>,
    reporter: &Reporter<'_>,
    dockerfile: &Dockerfile,
    target: usize,
) -> Result<Vec<Plan>, BuildError> {
    let known = RefCell::new(HashMap::new());
    let find_image = |name: &str, platform: &Platform| {
        let found: &mut HashMap<(String, Platform), _> = &mut known.borrow_mut();
        let asked = (canonical(name), platform.clone());
        found.entry(asked).or_insert_with(|| find_image(tools, request, name, platform)).clone()
    };
    let find_image: FindImage<'_> = &find_image;
    let similar_image = |name: &str| similar_image(tools.store, name);
    let find_layout = |name: &_, folder: &_, image: &_| named::find_layout(tools.store, reporter, name, folder, image);
    let platforms = request.all_platforms();
    let planner = |platform| Planner {
        dockerfile,
        build_args: &request.build_args,
        labels: &request.labels,
        platform,
        shows_platform: platforms.len() > 1,
        network: request.network,
        times: request.times,
        no_cache_filter: &request.no_cache_filter,
        is_classic: request.classic.is_some(),
        run: Some(&request.run),
        find_image,
        named: &request.named_contexts,
        find_layout: &find_layout,
        similar_image: &similar_image,
    };
    let plans = platforms.iter().map(|platform| planner(platform).plan(target)).collect::<Result<Vec<_>, _>>();
    let plans = plans.map_err(BuildError::Dockerfile)?;
    // They are the same for all platforms, but for what variables choose.
    let Some(plan) = plans.first() else { return Ok(plans) };
    for name in plan.unknown_filters(dockerfile, &request.no_cache_filter) {
        reporter.warning(format!("`--no-cache-filter {name}` names no stage of this build"), None);
    }
    if request.explain {
        tell_not_needed(dockerfile, plan, reporter);
    }
    for name in &plan.unused_arguments {
        reporter.warning(format!("build argument `{name}` was given, but no ARG takes it"), None);
    }
    Ok(plans)
}

/// Stages that nobody needs (N002): they have no steps that could be called anything.
fn tell_not_needed(dockerfile: &Dockerfile, plan: &Plan, reporter: &Reporter<'_>) {
    for (index, stage) in dockerfile.stages.iter().enumerate() {
        if plan.stages.get(index).is_none_or(Option::is_none) {
            let name = stage.name.as_ref().map_or_else(|| format!("stage-{index}"), |name| name.text.clone());
            reporter.not_needed(name, stage.instructions.len() + 1);
        }
    }
}

/// Two ways to write the same name are looked up once.
pub(crate) fn canonical(name: &str) -> String {
    name.parse::<Reference>().map_or_else(|_| name.to_owned(), |name| name.with_default_tag().to_string())
}

/// An image of the store, by reference or ID, or else of its registry; with `--pull` that is asked in any case, and also
/// for the image of another platform in the place of one that came from there.
fn find_image(
    tools: &BuildTools<'_>,
    request: &BuildRequest,
    name: &str,
    platform: &Platform,
) -> Result<Option<BaseImage>, ImageFailure> {
    let shown = canonical(name);
    let prefix = if request.platforms.len() > 1 { format!("{platform} ") } else { String::new() };
    let step = tools.progress.start(format!("[{prefix}internal] load metadata for {shown}"));
    let found = stored_image(tools.store, name).and_then(|found| match found {
        Some(found) if !request.pull && serves(tools.store, name, &found, platform)? => Ok(Some(found)),
        found => match pull_image(tools, name, platform, &|text| step.status(text)) {
            Ok(true) => stored_image(tools.store, name),
            Ok(false) => Ok(found),
            Err(error) => Err(ImageFailure { message: error.message, help: error.hint }),
        },
    });
    let outcome = match &found {
        Ok(Some(_)) => StepOutcome::Done,
        Ok(None) => StepOutcome::Failed(format!("{shown}: not found")),
        Err(failure) => StepOutcome::Failed(failure.message.clone()),
    };
    step.finish(outcome);
    found
}

/// Whether an image of the store is what is wanted for a platform: what was made or loaded here always is.
fn serves(store: &Store, name: &str, found: &BaseImage, platform: &Platform) -> Result<bool, ImageFailure> {
    if found.config.platform().is_like(platform) {
        return Ok(true);
    }
    let Ok(reference) = name.parse::<Reference>() else { return Ok(true) };
    let came = image::repository_digest(store, &reference, found.id);
    came.map(|came| came.is_none()).map_err(|error| ImageFailure { message: error.to_string(), help: None })
}

/// Asks the registry of a name for an image; what is an ID has none.
fn pull_image(
    tools: &BuildTools<'_>,
    name: &str,
    platform: &Platform,
    status: &(dyn Fn(String) + Sync),
) -> Result<bool, FetchError> {
    let Ok(reference) = name.parse::<Reference>() else { return Ok(false) };
    let platform = Some(platform).filter(|platform| **platform != Platform::host());
    let cancelled = tools.cancelled;
    tools.fetch.image(&ImageRequest { reference: &reference.with_default_tag(), platform, status, cancelled })
}

/// An image of the store, without a step; with the digest that its repository knows it by, where there is one.
pub(crate) fn stored_image(store: &Store, name: &str) -> Result<Option<BaseImage>, ImageFailure> {
    let failed = |error: &dyn std::error::Error| ImageFailure { message: error.to_string(), help: None };
    let found = image::find(store, name).and_then(|id| match id {
        Some(id) => image::manifest(store, id).map(Some),
        None => Ok(None),
    });
    let Some(found) = found.map_err(|error| failed(&error))? else { return Ok(None) };
    let known = match name.parse::<Reference>() {
        Ok(reference) => image::repository_digest(store, &reference, found.id).map_err(|error| failed(&error))?,
        Err(_) => None,
    };
    Ok(Some(BaseImage { id: found.id, config: found.config, manifest: known.unwrap_or(found.digest) }))
}

/// The image of the store whose name is most like one that is not there: another tag of it, or a slip of the keys.
pub(crate) fn similar_image(store: &Store, name: &str) -> Option<String> {
    let wanted = name.parse::<Reference>().ok()?;
    let known: Vec<Reference> = store.references().ok()?.into_iter().map(|(name, _)| name).collect();
    let is_same =
        |other: &&Reference| other.registry() == wanted.registry() && other.repository() == wanted.repository();
    let same: Vec<&Reference> = known.iter().filter(is_same).collect();
    let nearest = dockerfile::nearest(wanted.tag_or_latest(), same.iter().map(|other| other.tag_or_latest()));
    let of_tag = nearest.and_then(|tag| same.iter().find(|other| other.tag_or_latest() == tag));
    if let Some(other) = of_tag.or(same.first()) {
        return Some(other.familiar());
    }
    let names: Vec<String> = known.iter().map(Reference::familiar_name).collect();
    let nearest = dockerfile::nearest(&wanted.familiar_name(), names.iter().map(String::as_str))?;
    let place = names.iter().position(|name| name == nearest)?;
    Some(known[place].familiar())
}

/// Sizes as BuildKit prints them: base 1000, up to four digits (`884B`, `1.41kB`).
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    #[expect(clippy::cast_precision_loss, reason = "shown with a few digits")]
    let mut number = count as f64;
    let mut unit = 0;
    while number >= 1000.0 && unit + 1 < UNITS.len() {
        number /= 1000.0;
        unit += 1;
    }
    let text = format!("{number:.2}");
    let text = if unit == 0 { format!("{count}") } else { text };
    format!("{text}{}", UNITS[unit])
}
