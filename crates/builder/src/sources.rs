//! The files that the plan takes from the context, found and hashed before anything runs.

use std::collections::HashMap;
use std::sync::Arc;

use dockerfile::IgnoreFile;
use oci::Digest;
use store::Store;

use crate::StepOutcome;
use crate::build::{BuildError, bytes};
use crate::context::ContextError;
use crate::context_files::{BuildContext, ContextFiles};
use crate::copy::{self, CopyError};
use crate::filter::Filter;
use crate::path::inside;
use crate::pattern::Name;
use crate::plan::{CopyFrom, CopyOp, CopySource, MountTree, Op, Plan, Problem};
use crate::report::Reporter;
use crate::source::Selection;
use crate::wanted::{self, Origin};

/// What one COPY or ADD takes.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) selections: Vec<Arc<Selection>>,
    /// Of all of these that reaches the image.
    pub(crate) digest: Digest,
    /// Sources that servers have: their numbers, and how many selections stand before each.
    pub(crate) remote: Vec<(usize, usize)>,
}

/// The context, and what each step takes of it.
#[derive(Debug)]
pub(crate) struct Sources {
    context: Option<ContextFiles>,
    /// By stage and step.
    prepared: HashMap<Place, Prepared>,
    /// What mounts show, by stage, step and number of the mount.
    mounted: HashMap<(Place, usize), Prepared>,
}

impl Sources {
    /// Finds and hashes everything; all mistakes in one go.
    pub(crate) fn load(
        plan: &Plan,
        context: Option<&BuildContext>,
        (ignore_name, ignore): (String, IgnoreFile),
        store: &Store,
        reporter: &Reporter<'_>,
    ) -> Result<Self, BuildError> {
        let mut sources = Self { context: None, prepared: HashMap::new(), mounted: HashMap::new() };
        // Here-documents are in the Dockerfile, and other sources elsewhere.
        let is_of_context = |op: &CopyOp| op.sources.iter().any(|source| source.remote.is_none());
        let (wanted, others): (Vec<_>, Vec<_>) = copies(plan).partition(|(_, op)| is_of_context(op));
        let remote = |op: &CopyOp| (0..op.sources.len()).map(|number| (number, 0)).collect();
        let prepared = others.into_iter().map(|(place, op)| (place, prepared(op, Vec::new(), remote(op))));
        sources.prepared.extend(prepared);
        let mounts: Vec<_> = mounts(plan).collect();
        if wanted.is_empty() && mounts.is_empty() {
            return Ok(sources);
        }
        let Some(context) = context else { return Err(BuildError::Dockerfile(without_context(&wanted, &mounts))) };
        let step = reporter.start("[internal] load build context");
        let context = match ContextFiles::open(store, context, ignore) {
            Ok(context) => context,
            Err(error) => {
                step.finish(StepOutcome::Failed(error.to_string()));
                return Err(error.into());
            }
        };
        let mut problems = Vec::new();
        let mut found = Found { context: &context, ignore_name: &ignore_name, by_path: HashMap::new() };
        for (place, op) in wanted {
            match found.prepare(op) {
                Ok(prepared) => {
                    sources.prepared.insert(place, prepared);
                }
                Err(found) => problems.extend(found),
            }
        }
        for Mounted { place, tree, span } in mounts {
            match found.prepare_mount(tree) {
                Ok(prepared) => {
                    sources.mounted.insert(place, prepared);
                }
                Err(error) => {
                    let word = crate::path::lossy(&tree.source);
                    problems.push(found.problem(&CopySource { word, span, remote: None }, &error));
                }
            }
        }
        step.status(format!("transferring context: {}", bytes(context.bytes_read())));
        sources.context = Some(context);
        if problems.is_empty() {
            step.finish(StepOutcome::Done);
            return Ok(sources);
        }
        step.finish(StepOutcome::Failed(problems[0].message.clone()));
        sources.remember(store).ok();
        Err(BuildError::Dockerfile(problems))
    }

    pub(crate) fn context(&self) -> Option<&ContextFiles> {
        self.context.as_ref()
    }

    /// What a step takes of the context.
    pub(crate) fn of(&self, stage: usize, step: usize) -> Option<&Prepared> {
        self.prepared.get(&(stage, step))
    }

    /// What a mount shows of the context.
    pub(crate) fn of_mount(&self, stage: usize, step: usize, mount: usize) -> Option<&Prepared> {
        self.mounted.get(&((stage, step), mount))
    }

    /// Keeps what was hashed for the next build.
    pub(crate) fn remember(&self, store: &Store) -> Result<(), store::StoreError> {
        self.context.as_ref().map_or(Ok(()), |context| context.remember(store))
    }
}

/// Files of the context, and the here-documents behind them.
fn prepared(op: &CopyOp, mut selections: Vec<Arc<Selection>>, remote: Vec<(usize, usize)>) -> Prepared {
    selections.extend(op.documents.iter().map(|document| Arc::new(Selection::of_document(document))));
    let digest = copy::files_digest(&selections, Some(op));
    Prepared { selections, digest, remote }
}

type Place = (usize, usize);

fn copies(plan: &Plan) -> impl Iterator<Item = (Place, &CopyOp)> {
    let stages = plan.stages.iter().enumerate().filter_map(|(index, stage)| Some((index, stage.as_ref()?)));
    stages.flat_map(|(index, stage)| {
        stage.steps.iter().enumerate().filter_map(move |(step, planned)| match &planned.op {
            Op::Copy(op) if matches!(op.from, CopyFrom::Context) => Some(((index, step), op)),
            _ => None,
        })
    })
}

/// A mount that shows files of the context.
struct Mounted<'p> {
    place: (Place, usize),
    tree: &'p MountTree,
    span: dockerfile::Span,
}

fn mounts(plan: &Plan) -> impl Iterator<Item = Mounted<'_>> {
    let stages = plan.stages.iter().enumerate().filter_map(|(index, stage)| Some((index, stage.as_ref()?)));
    let steps = stages.flat_map(|(index, stage)| {
        stage.steps.iter().enumerate().filter_map(move |(step, planned)| match &planned.op {
            Op::Run(op) => Some(((index, step), op)),
            _ => None,
        })
    });
    steps.flat_map(|(place, op)| {
        op.mounts.iter().enumerate().filter_map(move |(number, mount)| {
            let tree = mount.tree()?;
            let is_of_context = matches!(tree.from, CopyFrom::Context);
            is_of_context.then_some(Mounted { place: (place, number), tree, span: mount.span })
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
