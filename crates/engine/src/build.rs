//! `build`: a Dockerfile and a context become an image.

mod find;

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use builder::{BuildRequest, BuildTools, RunNetwork};

pub use builder::TimeOptions;
use oci::ImageId;

use crate::executor::BuildExecutor;
use crate::network::NetworkMode;
use crate::progress::Event;
use crate::tag::new_name;
use crate::{Engine, Error, Runtime};

/// What `build` was asked for.
#[derive(Debug, Clone)]
pub struct BuildOptions {
    /// Where the Dockerfile is.
    pub dockerfile: DockerfileSource,
    /// The context's folder.
    pub context: Option<PathBuf>,
    /// Names for the image.
    pub tags: Vec<String>,
    /// Stage to stop at.
    pub target: Option<String>,
    /// Build arguments with their values.
    pub build_args: Vec<(String, String)>,
    /// Labels to add.
    pub labels: Vec<(String, String)>,
    /// Run every step again.
    pub no_cache: bool,
    /// Which times are written.
    pub times: TimeOptions,
    /// Network of RUN.
    pub network: NetworkMode,
    /// Say why steps were not cached.
    pub explain: bool,
    /// Which runtime runs the steps.
    pub runtime: Runtime,
}

/// Where a Dockerfile comes from.
#[derive(Debug, Clone)]
pub enum DockerfileSource {
    /// `Dockerfile` in the context, or `dockerfile` (S084).
    Default,
    /// `-f PATH`, from the current folder.
    File(PathBuf),
    /// `-f -`: its bytes.
    Bytes(Vec<u8>),
}

/// Builds an image.
///
/// # Errors
/// Mistakes of the Dockerfile come all at once, with their places.
pub fn build(
    engine: &Engine,
    options: &BuildOptions,
    progress: &(dyn Fn(Event) + Sync),
    cancelled: &AtomicBool,
) -> Result<ImageId, Error> {
    let tags = options.tags.iter().map(|tag| new_name(tag)).collect::<Result<Vec<_>, _>>()?;
    let (name, text) = find::read_dockerfile(options)?;
    let request = BuildRequest {
        dockerfile_name: name,
        dockerfile: text,
        context: options.context.clone(),
        tags,
        target: options.target.clone(),
        build_args: options.build_args.clone(),
        labels: options.labels.clone(),
        no_cache: options.no_cache,
        times: options.times,
        network: match options.network {
            NetworkMode::Bridge => RunNetwork::Default,
            NetworkMode::None => RunNetwork::None,
            NetworkMode::Host => RunNetwork::Host,
        },
        explain: options.explain,
    };
    let executor = BuildExecutor::new(engine.store(), options.runtime.executor()?);
    let clock = || engine.now();
    let tools = BuildTools { store: engine.store(), executor: &executor, progress, clock: &clock, cancelled };
    let built = builder::build(&request, &tools);
    built
        .map(|built| built.image)
        .map_err(|error| Error::from_build(error, &request.dockerfile_name, &request.dockerfile))
}
