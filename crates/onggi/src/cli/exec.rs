//! `exec`.

use std::path::PathBuf;

use clap::Args;

/// Run a command in a running container
#[derive(Debug, Args)]
pub(crate) struct ExecArgs {
    /// Name or ID
    #[arg(value_name = "CONTAINER", required = true)]
    pub(crate) container: String,
    /// What to run
    // Everything behind the container belongs to the command, also what looks like a flag of ours.
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) command: Vec<String>,
    /// Do not wait for it
    #[arg(short, long)]
    pub(crate) detach: bool,
    /// Leave the command running by these keys [default: ctrl-p,ctrl-q]
    #[arg(long, value_name = "KEYS")]
    pub(crate) detach_keys: Option<String>,
    /// Set a variable; without a value from the environment
    #[arg(short, long = "env", value_name = "NAME[=VALUE]")]
    pub(crate) env: Vec<String>,
    /// Read variables from a file
    #[arg(long = "env-file", value_name = "FILE")]
    pub(crate) env_files: Vec<PathBuf>,
    /// Hand standard input on
    #[arg(short, long)]
    pub(crate) interactive: bool,
    /// Give the command all capabilities
    #[arg(long)]
    pub(crate) privileged: bool,
    /// Give the command a terminal
    #[arg(short, long)]
    pub(crate) tty: bool,
    /// Choose the user: name or number, and group
    #[arg(short, long, value_name = "USER[:GROUP]")]
    pub(crate) user: Option<String>,
    /// Start in this folder
    #[arg(short, long, value_name = "DIR")]
    pub(crate) workdir: Option<String>,
}
