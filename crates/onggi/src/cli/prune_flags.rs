//! What every command that prunes understands.

use clap::Args;

/// Flags of all prunes
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct PruneFlags {
    /// Do not ask
    #[arg(short, long)]
    pub(crate) force: bool,
    /// Show what would go and what would stay, and remove nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

impl PruneFlags {
    /// Whether somebody is asked before something goes.
    pub(crate) fn asks(self) -> bool {
        !self.force && !self.dry_run
    }
}
