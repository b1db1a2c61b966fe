//! Dockerfile instructions become a graph of steps, solved with the cache.
//!
//! Reading order: `build` is one build from top to bottom; `plan` turns instructions into steps with every value
//! final; `open` and `sources` find the files of the context; `solve` runs the stages, `stage_run` the steps of one, each
//! from the cache or made (`copy`, `run`), with `failed_step` for what is kept when that fails; `key` says what
//! identifies a result, `miss` why there is none, `cache_folder` brings results from elsewhere; `export` publishes the image. `checks` and `calls` are what is
//! said about a Dockerfile besides. This crate starts no process (it takes a [`StepExecutor`]) and speaks no HTTP.

mod bind_tree;
mod build;
mod cache_folder;
mod calls;
mod checks;
mod classic;
mod context;
mod context_files;
mod context_list;
mod copy;
mod credentials;
mod epoch;
mod executor;
mod export;
mod failed_mounts;
mod failed_step;
mod failure;
mod fetch;
mod fetched;
mod filter;
mod ignore_file;
mod key;
mod known;
mod memory_size;
mod miss;
mod named;
mod new_layer;
mod open;
mod order;
mod output;
mod path;
mod pattern;
mod plan;
mod probe;
mod progress;
mod record_check;
mod remote;
mod remote_sources;
mod report;
mod run;
mod run_mounts;

mod secret_filter;
mod solve;
mod source;
mod sources;
mod stage_run;
mod stat_index;
mod step_key;
mod step_options;
mod step_root;
mod tree_context;
mod tree_source;
mod unpack;
mod variables;
mod wanted;

pub use bind_tree::{BindTree, BindTreeError, BoundTree};
pub use build::bytes as human_bytes;
pub use build::{BuildError, BuildRequest, BuildTools, Built, Document, build};
pub use cache_folder::{CacheExport, CacheImport, CacheMode, DEFAULT_CACHE_TAG};
pub use calls::{CheckReport, check, outline, targets};
pub use classic::ClassicRequest;
pub use context::ContextError;
pub use context_files::BuildContext;
pub use context_list::{ContextEntry, ContextEntryKind, ContextReason, explain_in_context, list_context};
pub use copy::CopyError;
pub use credentials::SecretLookup;
pub use epoch::{EpochError, TimeOptions};
pub use executor::{CannotRun, ExecutorError, RunMount, RunMountSource, RunNetwork, RunRequest, StepExecutor};
pub use failed_mounts::{FailedMount, FailedVariable, FoundMounts, Surroundings};
pub use failed_step::FailedStep;
pub use fetch::{Fetch, FetchError, GitCommit, GitRequest, GitTree, HttpHead, HttpRequest, ImageRequest};
pub use key::{CacheKey, Field};
pub use known::{FileChange, FileChangeKind};
pub use memory_size::parse_memory_size;
pub use miss::CacheMiss;
pub use named::{NamedContext, NamedSource};
pub use open::{OpenedStream, fetch_document, open_remote, open_stdin};
pub use output::{ArchiveDestination, ArchiveOutput, Destination, FolderOutput, ImageOutput, Output, TarOutput};
pub use plan::{BaseImage, FindImage, ImageFailure, Problem};
pub use progress::{Event, InstructionEvent, KeptOutput, StepId, StepOutcome, Stream};
pub use record_check::check_record;
pub use remote::{GitSource, Mtime, Remote, RemoteError, Url, hide_passwords};
pub use report::Reporter;
pub use stage_run::StepSummary;
pub use step_options::{
    HostAddress, LARGEST_SECRET, RunLimits, RunResources, Secret, SecretSource, StepOptions, Ulimit,
};
pub use tree_context::ContextTree;
