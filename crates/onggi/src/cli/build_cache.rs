//! Flags of `build` that say which results of steps count.

use clap::Args;

/// Which results of steps count.
#[derive(Debug, Args)]
pub(crate) struct CacheArgs {
    /// Look for results in this cache as well; may be repeated
    #[arg(long, value_name = "type=local,src=DIR")]
    pub(crate) cache_from: Vec<String>,
    /// Write the results of steps to a folder; may be repeated
    #[arg(long, value_name = "type=local,dest=DIR")]
    pub(crate) cache_to: Vec<String>,
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
