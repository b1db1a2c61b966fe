//! Flags of `build` that say which results of steps count.

use clap::Args;

/// Which results of steps count.
#[derive(Debug, Args)]
pub(crate) struct CacheArgs {
    /// Run every step again
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// Run the steps of these stages again; may be repeated
    #[arg(long, value_name = "STAGE,…", value_delimiter = ',')]
    pub(crate) no_cache_filter: Vec<String>,
    /// Look for newer base images in their registries
    #[arg(long, hide = true)]
    pub(crate) pull: bool,
}
