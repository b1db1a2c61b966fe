//! RUN: a command writes to an overlay's upper folder, or into a copied root; what it changed becomes the next layer.

use std::os::fd::AsFd;

use dockerfile::Span;
use image::{CaptureError, Stack};
use layer::Timestamp;
use oci::DiffId;

use crate::build::BuildError;
use crate::executor::{CannotRun, RunRequest};
use crate::failed_step::Keeper;
use crate::failure::{causes, internal};
use crate::plan::{Problem, RunOp};
use crate::report::Step;
use crate::run_mounts::{self, Caches, MountContent};
use crate::secret_filter::SecretFilter;
use crate::step_root::{Passed, StepRoot};

/// Runs a step's command on top of `stack` and gives the layer that it made. `contents` is what its mounts begin with.
pub(crate) fn run(
    keeper: Keeper<'_>,
    stack: &Stack,
    op: &RunOp,
    contents: &[MountContent],
    ceiling: Option<Timestamp>,
    step: Step<'_, '_>,
    passed: &Passed<'_>,
) -> Result<DiffId, BuildError> {
    let (tools, options) = (keeper.tools, &keeper.request.run);
    run_mounts::check_given(options, op)?;
    let root = image::root_metadata(stack).map_err(|error| internal("read the layers below", &error))?;
    let own = StepRoot::begin(stack, root.mode, passed)?;
    let folder = &own.folder;
    let caches = Caches::take(tools, op, contents, folder, step)?;
    let prepared = run_mounts::prepare(tools.store, options, op, contents, &caches, folder)?;
    let request = RunRequest {
        stack,
        written: None,
        upper: own.upper.as_fd(),
        work: own.work.as_fd(),
        scratch: folder.path(),
        command: &op.command,
        env: &op.env,
        secret_env: &prepared.secret_env,
        user: &op.user,
        working_dir: &op.working_dir,
        network: op.network,
        platform: Some(&op.platform),
        mounts: &prepared.mounts,
        hostname: options.hostname.as_deref(),
        hosts: &options.hosts,
        limits: &options.limits,
        cancelled: tools.cancelled,
    };
    let mut filter = SecretFilter::of(&request);
    let mut log = |stream, data: &[u8]| step.log(stream, data);
    let code = tools.executor.run(&request, &mut |stream, data| filter.pass(stream, data, &mut log));
    filter.finish(&mut log);
    let keep = |message: &str| match own.settle(tools.store, stack, &op.user) {
        Ok(layers) => keeper.keep_run(op, contents, &layers, message, folder),
        Err(error) => {
            keeper.reporter.warning(format!("the failed step cannot be kept: {error}"), None);
            None
        }
    };
    let code = code.map_err(|error| not_run(keeper.planned.span, error.as_ref(), keep))?;
    if tools.cancelled.load(std::sync::atomic::Ordering::Relaxed) {
        return Err(BuildError::Cancelled);
    }
    if code != 0 {
        return Err(failed(op, keeper.planned.span, code, keep));
    }
    let captured = own.capture(tools.store, stack, &op.user, ceiling).and_then(|layer| layer.keep(tools.store));
    let layer = captured.map_err(|error| match error {
        CaptureError::Store(error) => error.into(),
        error => internal("read what the command changed", &error),
    })?;
    drop(prepared);
    drop(caches);
    own.pass(stack.clone(), layer, passed);
    Ok(layer)
}

/// The command ran and ended with another code than 0.
fn failed(op: &RunOp, span: Span, code: u8, keep: impl Fn(&str) -> Option<String>) -> BuildError {
    let command = op.command.join(" ");
    let mut problem = Problem::error(span, format!("`RUN {}` exited with status {code}", shown(op)));
    let label = match code {
        127 => "a command in it was not found",
        126 => "a command in it cannot be executed",
        _ => "",
    };
    label.clone_into(&mut problem.label);
    let causes = vec![format!("process `{command}` did not complete successfully: exit code: {code}")];
    let kept = keep(&problem.message);
    BuildError::Step { problem, causes, exit_code: Some(code), kept }
}

/// The first line of the command is enough: the excerpt shows the rest.
fn shown(op: &RunOp) -> String {
    let first = op.shown.lines().next().unwrap_or_default();
    let short: String = first.chars().take(60).collect();
    if short.len() < op.shown.len() { format!("{}…", short.trim_end()) } else { short }
}

/// What the host cannot do is the same in a shell; a user who is not in the image can be looked for.
fn not_run(span: Span, error: &(dyn std::error::Error + 'static), keep: impl Fn(&str) -> Option<String>) -> BuildError {
    let mut problem = Problem::error(span, "the command could not be run");
    problem.help = error.downcast_ref::<CannotRun>().map(|cannot| cannot.hint.clone());
    let mut chain = vec![error.to_string()];
    chain.extend(causes(error));
    let kept = error.is::<image::users::UserError>().then(|| keep(&problem.message)).flatten();
    BuildError::Step { problem, causes: chain, exit_code: None, kept }
}
