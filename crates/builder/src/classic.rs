//! The classic builder's way (S120 to S129): one instruction after the other, each with an image of its own.
//!
//! Only what is said and kept is different. The layers, the cache and the image at the end are those of any other build
//! (decision 0013); the image of an instruction is the one that a Dockerfile would give that ends with it.

use std::sync::atomic::{AtomicU32, Ordering};

use dockerfile::Dockerfile;
use oci::{Digest, ImageId};

use crate::build::BuildError;
use crate::export::{self, Published};
use crate::plan::{Base, Op, PlannedRow, StagePlan};
use crate::report::Reporter;
use crate::stage_run::StageRun;
use crate::{InstructionEvent, StepId, StepOutcome};

/// What only a classic build has to know.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClassicRequest {
    /// Where the Dockerfile is in the context, if it is there: the context is told by its size, and always holds it.
    pub dockerfile_path: Option<String>,
}

/// Counts and tells the instructions of one build.
pub(crate) struct Classic<'a> {
    reporter: &'a Reporter<'a>,
    /// ARG before the first FROM.
    globals: Vec<String>,
    /// Of each stage up to the target, FROM and what follows it.
    stages: Vec<Vec<String>>,
    labels: Vec<String>,
    next: AtomicU32,
    total: u32,
}

impl<'a> Classic<'a> {
    pub(crate) fn new(
        reporter: &'a Reporter<'a>,
        dockerfile: &Dockerfile,
        target: usize,
        labels: &[(String, String)],
    ) -> Self {
        let texts = |instructions: &[dockerfile::Instruction]| -> Vec<String> {
            instructions.iter().map(|instruction| instruction.text.clone()).collect()
        };
        let globals = texts(&dockerfile.global_args);
        let stages: Vec<Vec<String>> = dockerfile.stages[..=target]
            .iter()
            .map(|stage| std::iter::once(stage.text.clone()).chain(texts(&stage.instructions)).collect())
            .collect();
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("LABEL {name}={value}")).collect();
        let total = globals.len() + stages.iter().map(Vec::len).sum::<usize>() + labels.len();
        let total = u32::try_from(total).unwrap_or(u32::MAX);
        Self { reporter, globals, stages, labels, next: AtomicU32::new(1), total }
    }

    /// Before the first stage, and again if the stages are run again.
    pub(crate) fn begin(&self) {
        self.next.store(1, Ordering::Relaxed);
        self.globals.iter().for_each(|text| self.begin_instruction(text));
    }

    /// A stage that the target does not need.
    pub(crate) fn skip(&self, stage: usize) {
        for text in &self.stages[stage] {
            self.begin_instruction(text);
            self.tell(InstructionEvent::NotNeeded);
        }
    }

    fn begin_instruction(&self, text: &str) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.tell(InstructionEvent::Begun { number, total: self.total, text: crate::remote::redacted(text) });
    }

    pub(crate) fn tell(&self, event: InstructionEvent) {
        self.reporter.instruction(event);
    }
}

/// What the image of a row has, where it is not the stage's.
#[derive(Debug, Clone)]
pub(crate) struct RowImage {
    /// The instruction as written.
    pub(crate) text: String,
    /// It comes from the base's ONBUILD.
    pub(crate) is_trigger: bool,
    pub(crate) config: oci::ContainerConfig,
    pub(crate) author: Option<String>,
}

impl StageRun<'_, '_> {
    /// FROM, with what it leads to.
    pub(crate) fn tell_from(&mut self, plan: &StagePlan) {
        let Some(classic) = self.solver.classic else { return };
        classic.begin_instruction(&classic.stages[self.index][0]);
        if let Base::Image { image, .. } = &plan.base {
            self.image = Some(image.id);
        }
        match plan.history.iter().filter(|row| is_trigger(row)).count() {
            0 => classic.tell(InstructionEvent::Image(self.image)),
            count => {
                classic.tell(InstructionEvent::Triggers { count: u32::try_from(count).unwrap_or(u32::MAX) });
            }
        }
    }

    pub(crate) fn tell_row(&self, row: &PlannedRow) {
        if let (Some(classic), Some(image)) = (self.solver.classic, &row.image)
            && !image.is_trigger
        {
            classic.begin_instruction(&image.text);
        }
    }

    /// What the classic builder does in a container; a COPY shows nothing of the kind.
    pub(crate) fn tell_running(&self, key: Digest, op: &Op, step: StepId) {
        if let Some(classic) = self.solver.classic
            && !matches!(op, Op::Copy(_))
        {
            classic.tell(InstructionEvent::Running { container: self.container(key), step: Some(step) });
        }
    }

    /// An ID for what has no container of its own: of what it makes, and when.
    fn container(&self, key: Digest) -> String {
        let now = (self.solver.tools.clock)().as_nanosecond();
        Digest::of(format!("container {key} {now}").as_bytes()).hex()
    }

    /// Makes the row's image. `outcome` is the step's, if the row has one.
    pub(crate) fn keep_image(
        &mut self,
        plan: &StagePlan,
        place: usize,
        outcome: Option<&StepOutcome>,
    ) -> Result<(), BuildError> {
        let row = &plan.history[place];
        let (Some(classic), Some(image)) = (self.solver.classic, &row.image) else { return Ok(()) };
        let mut config = self.config.clone();
        config.config.clone_from(&image.config);
        config.author.clone_from(&image.author);
        let published = self.publish(config)?;
        match (outcome, row.step.map(|step| &plan.steps[step].op)) {
            (Some(StepOutcome::Cached), _) => classic.tell(InstructionEvent::UsingCache),
            (Some(_), Some(Op::Copy(_))) => {}
            (Some(_), _) => classic.tell(InstructionEvent::Ran),
            (None, _) => self.tell_metadata(classic, &published),
        }
        // The images of triggers are kept, but only the last one is FROM's.
        let is_last_trigger = image.is_trigger && plan.history.get(place + 1).is_none_or(|next| !is_trigger(next));
        if !image.is_trigger || is_last_trigger {
            classic.tell(InstructionEvent::Image(Some(published.id)));
        }
        Ok(())
    }

    /// `--label` is as good as so many LABEL instructions at the end.
    pub(crate) fn keep_labels(&mut self, plan: &StagePlan) -> Result<(), BuildError> {
        let Some(classic) = self.solver.classic.filter(|_| self.index == self.solver.plan.target) else {
            return Ok(());
        };
        let last = plan.history.iter().rev().find_map(|row| row.image.as_ref());
        let mut config = self.config.clone();
        if let Some(last) = last {
            config.config.clone_from(&last.config);
        }
        for (text, (name, value)) in classic.labels.iter().zip(&self.solver.request.labels) {
            classic.begin_instruction(text);
            config.config.labels.insert(name.clone(), serde_json::Value::String(value.clone()));
            let published = self.publish(config.clone())?;
            self.tell_metadata(classic, &published);
            classic.tell(InstructionEvent::Image(Some(published.id)));
        }
        Ok(())
    }

    fn tell_metadata(&self, classic: &Classic<'_>, published: &Published) {
        if published.was_there {
            classic.tell(InstructionEvent::UsingCache);
            return;
        }
        classic.tell(InstructionEvent::Running { container: self.container(published.id.0), step: None });
        classic.tell(InstructionEvent::Ran);
    }

    /// Puts an image into the store as the child of the one before it.
    fn publish(&mut self, config: oci::ImageConfig) -> Result<Published, BuildError> {
        let solver = self.solver;
        let parent: Option<ImageId> = self.image;
        let published = export::publish(
            config,
            self.inherited_rows,
            solver.request,
            solver.plan.epoch,
            solver.tools,
            parent,
            solver.caches,
        )?;
        self.image = Some(published.id);
        self.made = self.image;
        Ok(published)
    }
}

fn is_trigger(row: &PlannedRow) -> bool {
    row.image.as_ref().is_some_and(|image| image.is_trigger)
}
