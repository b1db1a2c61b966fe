//! Commands about the disk: `system df`, the prunes, pins, `system check`, `system limits`.

use clap::Args;

use super::prune_flags::PruneFlags;

/// Show how much of the disk is used
#[derive(Debug, Args)]
pub(crate) struct DfArgs {
    /// Choose the output: `table`, `json`, or a Go template
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<String>,
    /// Show every image, container, volume and part of the build cache
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

/// Remove images that are not used
#[derive(Debug, Args)]
pub(crate) struct ImagePruneArgs {
    /// Remove all that no container uses, not only those without a name
    #[arg(short, long)]
    pub(crate) all: bool,
    /// Remove only what fits, such as `until=24h`, `label=NAME` or `label!=NAME`
    #[arg(long = "filter", value_name = "FILTER")]
    pub(crate) filters: Vec<String>,
    #[command(flatten)]
    pub(crate) flags: PruneFlags,
}

/// Remove build cache
#[derive(Debug, Args)]
pub(crate) struct BuilderPruneArgs {
    /// Remove all of it, also kept failures and logs of builds
    #[arg(short, long)]
    pub(crate) all: bool,
    /// Remove only what fits, such as `until=24h`, `type=TYPE` or `id=ID`
    #[arg(long = "filter", value_name = "FILTER")]
    pub(crate) filters: Vec<String>,
    /// Keep so many bytes of it
    #[arg(long, value_name = "BYTES", alias = "reserved-space", value_parser = bytes)]
    pub(crate) keep_storage: Option<u64>,
    /// Remove until no more than so many bytes are left
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub(crate) max_used_space: Option<u64>,
    /// Remove until so many bytes of the disk are free
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub(crate) min_free_space: Option<u64>,
    /// Say more of each
    #[arg(long)]
    pub(crate) verbose: bool,
    #[command(flatten)]
    pub(crate) flags: PruneFlags,
}

/// Show build cache
#[derive(Debug, Args)]
pub(crate) struct BuilderDuArgs {
    /// Show only what fits, as in `builder prune`
    #[arg(long = "filter", value_name = "FILTER")]
    pub(crate) filters: Vec<String>,
    /// Say more of each
    #[arg(long)]
    pub(crate) verbose: bool,
}

/// Remove all that is not used
#[derive(Debug, Args)]
pub(crate) struct SystemPruneArgs {
    /// Remove all images that no container uses, and all build cache
    #[arg(short, long)]
    pub(crate) all: bool,
    /// Remove only what fits, such as `until=24h`, `label=NAME` or `label!=NAME`
    #[arg(long = "filter", value_name = "FILTER")]
    pub(crate) filters: Vec<String>,
    /// Remove anonymous volumes that no container uses, too
    #[arg(long)]
    pub(crate) volumes: bool,
    #[command(flatten)]
    pub(crate) flags: PruneFlags,
}

/// Remove the store with all that is in it
#[derive(Debug, Args)]
pub(crate) struct ResetArgs {
    /// Do not ask
    #[arg(short, long)]
    pub(crate) force: bool,
}

/// Keep images from being removed by prune
#[derive(Debug, Args)]
pub(crate) struct PinArgs {
    /// Names or IDs
    #[arg(value_name = "IMAGE", required = true)]
    pub(crate) images: Vec<String>,
}

/// Let prune remove images again
#[derive(Debug, Args)]
pub(crate) struct UnpinArgs {
    /// Names or IDs
    #[arg(value_name = "IMAGE", required = true)]
    pub(crate) images: Vec<String>,
}

/// A number of bytes as Docker takes them: `1073741824`, `10GB`, `512m`.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    engine::parse_memory_size(text)
        .ok_or_else(|| format!("`{text}` is not a size: write it as `10GB`, `512MB` or a number of bytes"))
}

/// Check every file of the store
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Choose the output: `json`
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<String>,
    /// Remove what is broken, and make indexes again
    #[arg(long)]
    pub(crate) repair: bool,
}

/// Show or set how much room the store may take
#[derive(Debug, Args)]
pub(crate) struct LimitsArgs {
    /// Let the store take no more than so many bytes; `none` for no limit
    #[arg(long, value_name = "BYTES", value_parser = limit)]
    pub(crate) max_size: Option<Limit>,
    /// Leave so much of the disk free, in bytes or as `5%`; `none` for no limit
    #[arg(long, value_name = "BYTES|PERCENT", value_parser = limit_or_share)]
    pub(crate) min_free: Option<Limit>,
    /// Choose the output: `json`
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<String>,
}

/// A limit as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    /// `none`
    None,
    /// A size.
    Bytes(u64),
    /// A share of the disk.
    Percent(u8),
}

fn limit(text: &str) -> Result<Limit, String> {
    if text == "none" { Ok(Limit::None) } else { bytes(text).map(Limit::Bytes) }
}

fn limit_or_share(text: &str) -> Result<Limit, String> {
    match text.strip_suffix('%') {
        Some(number) => match number.parse::<u8>() {
            Ok(percent @ 0..=100) => Ok(Limit::Percent(percent)),
            _ => Err(format!("`{text}` is not a share: write it as `5%`")),
        },
        None => limit(text),
    }
}
