//! What is kept of a step that failed, so that a shell can be opened in it later.
//!
//! The record says what the command saw and where that came from; the store keeps it beside what the command had
//! written. Nothing secret is in it.

use oci::{DiffId, ImageConfig};
use serde::{Deserialize, Serialize};
use store::{NewFailure, WorkFolder, Written};

use crate::RunNetwork;
use crate::build::{BuildError, BuildRequest, BuildTools};
use crate::copy::CopyError;
use crate::failed_mounts::{self, FailedMount, FailedVariable};
use crate::failure::copy_problem;
use crate::plan::{PlannedStep, RunOp};
use crate::report::Reporter;
use crate::run_mounts::MountContent;
use crate::step_options::{HostAddress, RunLimits};

/// A step that failed, and what its command saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedStep {
    /// As shown while it was built: `[build 2/3] RUN make`.
    pub name: String,
    /// How the Dockerfile was called.
    pub dockerfile: String,
    /// Line of the instruction in it, from 1.
    pub line: usize,
    /// The instruction as it stands there.
    pub instruction: String,
    /// What was said about it.
    pub message: String,
    /// When it failed, RFC 3339.
    pub created: String,
    /// The boot in which its files were written.
    pub boot: String,
    /// The layers below, bottom first.
    pub layers: Vec<DiffId>,
    /// Words of the stage's SHELL; empty for the usual one.
    pub shell: Vec<String>,
    /// Program and arguments; empty for steps other than RUN, whose surroundings are those of their stage.
    pub command: Vec<String>,
    /// The environment.
    pub env: Vec<String>,
    /// Variables whose values are not kept, since there is a password in them.
    pub left_out: Vec<String>,
    /// As USER says.
    pub user: String,
    /// Absolute.
    pub working_dir: String,
    /// Its network.
    pub network: RunNetwork,
    /// What the machine was called, if not as usual.
    #[serde(default)]
    pub hostname: Option<String>,
    /// Further names for `/etc/hosts`.
    pub hosts: Vec<(String, HostAddress)>,
    /// What it may use.
    pub limits: RunLimits,
    /// What was mounted, parents before what is below them.
    pub mounts: Vec<FailedMount>,
    /// Variables whose values are secrets.
    pub secret_variables: Vec<FailedVariable>,
}

impl FailedStep {
    /// Reads what the store keeps.
    ///
    /// # Errors
    /// When it was written by another version, or is damaged.
    pub fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }
}

/// Keeps one step, should it fail.
#[derive(Clone, Copy)]
pub(crate) struct Keeper<'a> {
    pub(crate) request: &'a BuildRequest,
    pub(crate) tools: &'a BuildTools<'a>,
    pub(crate) reporter: &'a Reporter<'a>,
    pub(crate) planned: &'a PlannedStep,
}

/// Where a shell is opened when COPY, ADD or WORKDIR fail.
pub(crate) struct Place<'a> {
    /// What is to be looked at.
    pub(crate) layers: &'a [DiffId],
    /// Of the stage or image that has them.
    pub(crate) config: &'a ImageConfig,
    /// They are all that there is of it, so that its user and folder are the right ones.
    pub(crate) is_complete: bool,
}

impl Keeper<'_> {
    /// Keeps a command that failed with what it has written; gives the name under which it is found.
    pub(crate) fn keep_run(
        self,
        op: &RunOp,
        contents: &[MountContent],
        layers: &[DiffId],
        message: &str,
        written: &WorkFolder<'_>,
    ) -> Option<String> {
        let (left_out, env): (Vec<&String>, Vec<&String>) =
            op.env.iter().partition(|pair| !op.keyed_env.contains(pair) && has_password(pair));
        let name = |pair: &String| pair.split('=').next().unwrap_or_default().to_owned();
        let options = &self.request.run;
        let tell = |message| self.reporter.warning(message, None);
        let step = FailedStep {
            mounts: failed_mounts::record(op, contents, options, self.tools.store, written, &tell),
            secret_variables: failed_mounts::record_variables(&op.secret_variables, options),
            shell: op.shell.clone(),
            command: op.command.clone(),
            env: env.into_iter().cloned().collect(),
            left_out: left_out.into_iter().map(name).collect(),
            user: op.user.clone(),
            working_dir: op.working_dir.clone(),
            network: op.network,
            ..self.step(layers, message)
        };
        let further = failed_mounts::written_folders(op);
        self.keep(step, Some(Written { folder: written, further: &further }))
    }

    /// The failure of a COPY, ADD or WORKDIR; where a look at files can help, the place to look is kept.
    pub(crate) fn copy_failed(self, span: dockerfile::Span, error: &CopyError, place: &Place<'_>) -> BuildError {
        let mut failure = copy_problem(span, error);
        if is_about_files(error)
            && let BuildError::Step { problem, kept, .. } = &mut failure
        {
            let config = &place.config.config;
            let (user, working_dir) = match place.is_complete {
                true => (config.user.as_str(), config.working_dir.as_str()),
                false => ("", ""),
            };
            let step = FailedStep {
                shell: config.shell.clone(),
                env: config.env.clone(),
                user: user.to_owned(),
                working_dir: if working_dir.is_empty() { "/".to_owned() } else { working_dir.to_owned() },
                ..self.step(place.layers, &problem.message)
            };
            *kept = self.keep(step, None);
        }
        failure
    }

    fn step(self, layers: &[DiffId], message: &str) -> FailedStep {
        let text = &self.request.dockerfile;
        let span = self.planned.span;
        let instruction = text.get(span.start..span.end).unwrap_or_default();
        FailedStep {
            name: self.planned.name.clone(),
            dockerfile: self.request.dockerfile_name.clone(),
            line: dockerfile::SourceMap::new(text).line_column(span.start).line,
            instruction: crate::remote::redacted(&String::from_utf8_lossy(instruction)),
            message: message.to_owned(),
            created: String::new(),
            boot: String::new(),
            layers: layers.to_vec(),
            shell: Vec::new(),
            command: Vec::new(),
            env: Vec::new(),
            left_out: Vec::new(),
            user: String::new(),
            working_dir: String::new(),
            network: self.request.network,
            hostname: self.request.run.hostname.clone(),
            hosts: self.request.run.hosts.clone(),
            limits: self.request.run.limits.clone(),
            mounts: Vec::new(),
            secret_variables: Vec::new(),
        }
    }

    /// That it cannot be kept must not hide why the step failed.
    fn keep(self, mut step: FailedStep, written: Option<Written<'_>>) -> Option<String> {
        let now = (self.tools.clock)();
        let kept = store::boot_id().map_err(|error| error.to_string()).and_then(|boot| {
            step.created = now.to_string();
            step.boot = boot;
            // Paths that are no text cannot be written down.
            let record = serde_json::to_vec(&step).map_err(|error| error.to_string())?;
            let stacks: Vec<&[DiffId]> =
                std::iter::once(step.layers.as_slice()).chain(failed_mounts::stacks(&step.mounts)).collect();
            let seed = format!("{} {} {now}", step.name, std::process::id());
            let id = oci::Digest::of(seed.as_bytes()).hex()[..ID_LENGTH].to_owned();
            let new = NewFailure { id: &id, order: now.as_nanosecond(), stacks: &stacks, record: &record };
            let kept = self.tools.store.keep_failure(&new, written);
            kept.map(|()| id).map_err(|error| error.to_string())
        });
        kept.map_err(|error| self.reporter.warning(format!("the failed step cannot be kept: {error}"), None)).ok()
    }
}

/// As short as the IDs that are shown of images and containers.
const ID_LENGTH: usize = 12;

/// `http://user:password@proxy`.
fn has_password(pair: &str) -> bool {
    pair.contains('@')
}

/// Whether what is, or is not, in the root file system is the reason.
fn is_about_files(error: &CopyError) -> bool {
    matches!(
        error,
        CopyError::NotFound { .. }
            | CopyError::NoMatch { .. }
            | CopyError::NotFolder { .. }
            | CopyError::IsFolder { .. }
            | CopyError::TooManyLinks { .. }
            | CopyError::User(_)
    )
}
