//! The files that the plan takes from the context, found and hashed before anything runs.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use dockerfile::IgnoreFile;
use oci::Digest;
use store::Store;

use crate::StepOutcome;
use crate::build::{BuildError, BuildRequest, BuildTools, bytes};
use crate::context::ContextError;
use crate::context_files::{BuildContext, ContextFiles};
use crate::copy::{self, CopyError};
use crate::filter::Filter;
use crate::named::{NamedContext, NamedSource};
use crate::path::inside;
use crate::pattern::Name;
use crate::plan::{CopyFrom, CopyOp, CopySource, MountTree, Op, Plan, PlannedStep, Problem};
use crate::remote::Remote;
use crate::report::Step;
use crate::source::Selection;
use crate::tree_context::ContextTree;
use crate::wanted::{self, Origin};
use crate::{ignore_file, open};

/// What one COPY or ADD takes.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) selections: Vec<Arc<Selection>>,
    /// Of all of these that reaches the image.
    pub(crate) digest: Digest,
    /// Sources that servers have: their numbers, and how many selections stand before each.
    pub(crate) remote: Vec<(usize, usize)>,
}

/// The contexts, and what each step takes of them.
#[derive(Debug)]
pub(crate) struct Sources {
    context: Option<ContextFiles>,
    /// Those with names that are folders.
    named: Vec<ContextFiles>,
    /// By plan, stage and step.
    prepared: HashMap<Place, Prepared>,
    /// What mounts show, by step and number of the mount.
    mounted: HashMap<(Place, usize), Prepared>,
}

/// What a plan takes of one context.
#[derive(Default)]
struct Need<'p> {
    copies: Vec<(Place, &'p CopyOp)>,
    mounts: Vec<Mounted<'p>>,
}

impl Sources {
    /// Finds and hashes everything; all mistakes in one go. Contexts of servers are got meanwhile, side by side.
    pub(crate) fn load(
        plans: &[Plan],
        request: &BuildRequest,
        (ignore_name, ignore): (String, IgnoreFile),
        tools: &BuildTools<'_>,
    ) -> Result<Self, BuildError> {
        let mut sources = Self { context: None, named: Vec::new(), prepared: HashMap::new(), mounted: HashMap::new() };
        let mut needs = sources.needs(plans);
        let main = needs.remove(&None);
        let mut problems = Vec::new();
        std::thread::scope(|scope| {
            let named = needs.into_iter().filter_map(|(number, need)| {
                let context = &request.named_contexts[number?];
                let remote = match &context.source {
                    NamedSource::Remote(remote) => Some(scope.spawn(move || open_remote(&context.name, remote, tools))),
                    _ => None,
                };
                Some((context, need, remote))
            });
            let named: Vec<_> = named.collect();
            if let Some(need) = main {
                sources.main(request, need, (ignore_name, ignore), tools, &mut problems)?;
            }
            for (context, need, remote) in named {
                let remote =
                    remote.map(|opened| opened.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
                sources.named(context, need, remote, tools, &mut problems)?;
            }
            Ok::<(), BuildError>(())
        })?;
        if problems.is_empty() {
            return Ok(sources);
        }
        sources.remember(tools.store).ok();
        Err(BuildError::Dockerfile(problems))
    }

    /// What is taken, by context; what needs none is prepared at once.
    fn needs<'p>(&mut self, plans: &'p [Plan]) -> BTreeMap<Option<usize>, Need<'p>> {
        let mut needs: BTreeMap<Option<usize>, Need<'p>> = BTreeMap::new();
        for (place, op, context) in copies(plans) {
            // Here-documents are in the Dockerfile, and other sources elsewhere.
            if op.sources.iter().any(|source| source.remote.is_none()) {
                needs.entry(context).or_default().copies.push((place, op));
            } else {
                let remote = (0..op.sources.len()).map(|number| (number, 0)).collect();
                self.prepared.insert(place, prepared(op, Vec::new(), remote));
            }
        }
        for (mount, context) in mounts(plans) {
            needs.entry(context).or_default().mounts.push(mount);
        }
        needs
    }

    /// The context of the build.
    fn main(
        &mut self,
        request: &BuildRequest,
        need: Need<'_>,
        (ignore_name, ignore): (String, IgnoreFile),
        tools: &BuildTools<'_>,
        problems: &mut Vec<Problem>,
    ) -> Result<(), BuildError> {
        let Some(context) = &request.context else {
            return Err(BuildError::Dockerfile(without_context(&need.copies, &need.mounts)));
        };
        let step = tools.progress.start("[internal] load build context");
        let context = opened(ContextFiles::open(tools.store, context, ignore), step)?;
        self.take(&context, &ignore_name, need, step, problems);
        self.context = Some(context);
        Ok(())
    }

    /// A context with a name; of those only folders have ignore files (D164).
    fn named(
        &mut self,
        context: &NamedContext,
        need: Need<'_>,
        remote: Option<Result<ContextTree, BuildError>>,
        tools: &BuildTools<'_>,
        problems: &mut Vec<Problem>,
    ) -> Result<(), BuildError> {
        let (files, ignore) = match (&context.source, remote) {
            (_, Some(remote)) => (BuildContext::Tree(remote?), IgnoreFile::default()),
            (NamedSource::Folder(path), None) => {
                let files = BuildContext::Folder(path.clone());
                let step = tools.progress.start(format!("[context {}] load .dockerignore", context.name));
                check_folder(&context.name, path).inspect_err(|error| {
                    step.finish(StepOutcome::Failed(error.to_string()));
                })?;
                let document = ignore_file::read(&files).map_err(BuildError::from);
                let ignore = opened(document.and_then(ignore_file::parse), step)?;
                step.finish(StepOutcome::Done);
                (files, ignore)
            }
            // Stages and images have no files of their own.
            _ => return Ok(()),
        };
        let step = tools.progress.start(format!("[context {}] load from client", context.name));
        let files = opened(ContextFiles::open(tools.store, &files, ignore), step)?;
        let name = format!("the .dockerignore of context `{}`", context.name);
        self.take(&files, &name, need, step, problems);
        self.named.push(files);
        Ok(())
    }

    /// Prepares all that is taken of one context.
    fn take(
        &mut self,
        context: &ContextFiles,
        ignore_name: &str,
        need: Need<'_>,
        step: Step<'_, '_>,
        problems: &mut Vec<Problem>,
    ) {
        let own = problems.len();
        let mut found = Found { context, ignore_name, by_path: HashMap::new() };
        for (place, op) in need.copies {
            match found.prepare(op) {
                Ok(prepared) => {
                    self.prepared.insert(place, prepared);
                }
                Err(found) => problems.extend(found),
            }
        }
        for Mounted { place, tree, span } in need.mounts {
            match found.prepare_mount(tree) {
                Ok(prepared) => {
                    self.mounted.insert(place, prepared);
                }
                Err(error) => {
                    let word = crate::path::lossy(&tree.source);
                    problems.push(found.problem(&CopySource { word, span, remote: None }, &error));
                }
            }
        }
        step.status(format!("transferring context: {}", bytes(context.bytes_read())));
        step.finish(match problems.get(own) {
            None => StepOutcome::Done,
            Some(problem) => StepOutcome::Failed(problem.message.clone()),
        });
    }

    /// What one of the plans takes.
    pub(crate) fn of_plan(&self, number: usize) -> PlanSources<'_> {
        PlanSources { all: self, number }
    }

    /// Keeps what was hashed for the next build.
    pub(crate) fn remember(&self, store: &Store) -> Result<(), store::StoreError> {
        self.context.iter().chain(&self.named).try_for_each(|context| context.remember(store))
    }
}

/// Fails the step with what failed.
fn opened<T, E: Into<BuildError>>(result: Result<T, E>, step: Step<'_, '_>) -> Result<T, BuildError> {
    result.map_err(|error| {
        let error = error.into();
        step.finish(StepOutcome::Failed(error.to_string()));
        error
    })
}

/// A context with a name is a folder that is there.
fn check_folder(name: &str, path: &Path) -> Result<(), BuildError> {
    let cause = match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => return Ok(()),
        Ok(_) => "it is not a folder".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(BuildError::Source {
        message: format!("cannot open the context `{name}`, {}", path.display()),
        causes: vec![cause],
        hint: Some(format!("give a folder, as in `--build-context {name}=./{name}`")),
    })
}

fn open_remote(name: &str, remote: &Remote, tools: &BuildTools<'_>) -> Result<ContextTree, BuildError> {
    let step = tools.progress.start(format!("[context {name}] {}", remote.shown()));
    let files = opened(open::named_remote(remote, tools, step), step)?;
    step.finish(StepOutcome::Done);
    Ok(files)
}

/// Which context it is that files are taken from, if it is one: `None` within for the build's own.
fn context_of(from: &CopyFrom) -> Option<Option<usize>> {
    match from {
        CopyFrom::Context => Some(None),
        CopyFrom::Named(number) => Some(Some(*number)),
        CopyFrom::Stage(_) | CopyFrom::Image { .. } => None,
    }
}

/// What a plan takes of the context.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlanSources<'s> {
    all: &'s Sources,
    number: usize,
}

impl<'s> PlanSources<'s> {
    pub(crate) fn context(self) -> Option<&'s ContextFiles> {
        self.all.context.as_ref()
    }

    /// What a step takes of the context.
    pub(crate) fn of(self, stage: usize, step: usize) -> Option<&'s Prepared> {
        self.all.prepared.get(&(self.number, stage, step))
    }

    /// What a mount shows of the context.
    pub(crate) fn of_mount(self, stage: usize, step: usize, mount: usize) -> Option<&'s Prepared> {
        self.all.mounted.get(&((self.number, stage, step), mount))
    }
}

/// Files of the context, and the here-documents behind them.
fn prepared(op: &CopyOp, mut selections: Vec<Arc<Selection>>, remote: Vec<(usize, usize)>) -> Prepared {
    selections.extend(op.documents.iter().map(|document| Arc::new(Selection::of_document(document))));
    let digest = copy::files_digest(&selections, Some(op));
    Prepared { selections, digest, remote }
}

/// Plan, stage and step.
type Place = (usize, usize, usize);

/// All steps of all plans.
fn steps(plans: &[Plan]) -> impl Iterator<Item = (Place, &PlannedStep)> {
    let stages = plans.iter().enumerate().flat_map(|(plan, planned)| {
        planned.stages.iter().enumerate().filter_map(move |(index, stage)| Some((plan, index, stage.as_ref()?)))
    });
    stages.flat_map(|(plan, index, stage)| {
        stage.steps.iter().enumerate().map(move |(step, planned)| ((plan, index, step), planned))
    })
}

fn copies(plans: &[Plan]) -> impl Iterator<Item = (Place, &CopyOp, Option<usize>)> {
    steps(plans).filter_map(|(place, planned)| match &planned.op {
        Op::Copy(op) => Some((place, op, context_of(&op.from)?)),
        _ => None,
    })
}

/// A mount that shows files of the context.
struct Mounted<'p> {
    place: (Place, usize),
    tree: &'p MountTree,
    span: dockerfile::Span,
}

fn mounts(plans: &[Plan]) -> impl Iterator<Item = (Mounted<'_>, Option<usize>)> {
    let steps = steps(plans).filter_map(|(place, planned)| match &planned.op {
        Op::Run(op) => Some((place, op)),
        _ => None,
    });
    steps.flat_map(|(place, op)| {
        op.mounts.iter().enumerate().filter_map(move |(number, mount)| {
            let tree = mount.tree()?;
            let context = context_of(&tree.from)?;
            Some((Mounted { place: (place, number), tree, span: mount.span }, context))
        })
    })
}

fn without_context(wanted: &[(Place, &CopyOp)], mounts: &[Mounted<'_>]) -> Vec<Problem> {
    const HELP: &str = "give a folder as the build context, as in `onggi build .`";
    let problem = |source: &CopySource| {
        Problem::error(source.span, format!("`{}` cannot be copied: this build has no context", source.word))
            .with_help(HELP)
    };
    let mount = |mount: &Mounted<'_>| {
        Problem::error(mount.span, "nothing can be mounted from the context: this build has none").with_help(HELP)
    };
    let first = |op: &&CopyOp| op.sources.iter().find(|source| source.remote.is_none()).map(problem);
    let copies = wanted.iter().filter_map(|(_, op)| first(op));
    copies.chain(mounts.iter().map(mount)).collect()
}

/// What was found so far: several steps may copy the same folder, which is looked at once.
struct Found<'c> {
    context: &'c ContextFiles,
    ignore_name: &'c str,
    by_path: HashMap<Vec<u8>, Arc<Selection>>,
}

impl Origin for Found<'_> {
    fn names_in(&self, folder: &[u8]) -> Result<Vec<Name>, CopyError> {
        self.context.names_in(folder)
    }

    fn select(&mut self, path: Vec<u8>, filter: &Filter) -> Result<Arc<Selection>, CopyError> {
        if !filter.takes_all() {
            return Ok(Arc::new(self.context.select(&path, filter)?));
        }
        if let Some(selection) = self.by_path.get(&path) {
            return Ok(Arc::clone(selection));
        }
        let selection = Arc::new(self.context.select(&path, filter)?);
        self.by_path.insert(path, Arc::clone(&selection));
        Ok(selection)
    }

    fn leads_to(&self, path: &[u8]) -> Result<Vec<u8>, CopyError> {
        self.context.leads_to(path)
    }
}

impl Found<'_> {
    fn prepare(&mut self, op: &CopyOp) -> Result<Prepared, Vec<Problem>> {
        let mut selections = Vec::new();
        let mut problems = Vec::new();
        let mut is_nothing = op.documents.is_empty();
        let mut remote = Vec::new();
        for (number, source) in op.sources.iter().enumerate() {
            if source.remote.is_some() {
                remote.push((number, selections.len()));
                continue;
            }
            match wanted::choose(op, &source.word, self) {
                Ok(chosen) => {
                    selections.extend(chosen.selections);
                    is_nothing &= chosen.is_nothing;
                }
                Err(error) => problems.push(self.problem(source, &error)),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        if is_nothing && remote.is_empty() {
            return Err(op.sources.first().map(|source| self.no_match(op, source)).into_iter().collect());
        }
        Ok(prepared(op, selections, remote))
    }

    fn prepare_mount(&mut self, tree: &MountTree) -> Result<Prepared, CopyError> {
        let selections = vec![self.select(tree.source.clone(), &Filter::default())?];
        let digest = copy::files_digest(&selections, None);
        Ok(Prepared { selections, digest, remote: Vec::new() })
    }

    fn no_match(&self, op: &CopyOp, source: &CopySource) -> Problem {
        let problem = self.problem(source, &CopyError::no_match(op));
        if source.word.contains("**") && !op.parents {
            return problem
                .with_help("`**` stands for any folders only with `--parents`; without it each `*` is one name");
        }
        problem
    }

    fn problem(&self, source: &CopySource, error: &CopyError) -> Problem {
        let ignore = self.ignore_name;
        let problem = Problem::error(source.span, error.to_string());
        match error {
        CopyError::Context(ContextError::Ignored { .. }) => problem.with_label(format!("left out by {ignore}")).with_help(
            format!("add the line `!{}` to {ignore}, or copy something else", source.word.trim_matches('/')),
        ),
        CopyError::Context(ContextError::NotFound { .. }) => not_found(self.context, source, problem),
        CopyError::Context(ContextError::TooManyLinks { .. }) => {
            problem.with_help("copy what the link should lead to; links are followed within the context only")
        }
        CopyError::Pattern { .. } => problem.with_label("`[` begins a set of characters").with_help(
            "write `[[]` for the character itself; a list of words takes double quotes and commas: `[\"a\", \"b\"]`",
        ),
        CopyError::Context(ContextError::Changed { .. }) => problem.with_help(format!(
            "build again; if something keeps writing to the file, leave it out with a line in {ignore}",
        )),
        CopyError::NoMatch { .. } => {
            problem.with_help(format!("check the pattern, and that {ignore} does not leave the files out"))
        }
        CopyError::LinkOnWay { leads_to, .. } => problem.with_help(format!("write where it leads: `{leads_to}`")),
        _ => problem,
    }
    }
}

/// Says where was looked, as far as that is not where the path seems to lead.
fn not_found(context: &ContextFiles, source: &CopySource, problem: Problem) -> Problem {
    let path = inside("/", &source.word);
    let place = String::from_utf8_lossy(&path).into_owned();
    if source.word.split('/').any(|part| part == "..") {
        return problem.with_label("nothing outside of the context can be reached").with_help(format!(
            "put it into the context as `{place}`, or build in a folder further up: `onggi build -f Dockerfile ..`"
        ));
    }
    let problem = problem.with_label("no such file or folder in the context");
    if let Some(flag) = source.word.strip_prefix('-').filter(|flag| flag.contains('=')) {
        return problem.with_help(format!("flags begin with two dashes: `--{flag}`"));
    }
    match context.similar(&path) {
        Some(similar) if similar == place => problem
            .with_label("a symbolic link that leads to nothing in the context")
            .with_help("links are followed within the context only: put there what it leads to"),
        Some(similar) => problem.with_help(format!("a similar name is there: `{similar}`")),
        None if source.word.starts_with('/') => {
            problem.with_help(format!("paths begin at the context's folder: put it there as `{place}`"))
        }
        None => problem.with_help(format!("create `{place}`, or give another context")),
    }
}
