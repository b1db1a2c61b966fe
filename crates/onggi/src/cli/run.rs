//! `run`.

use clap::Args;

/// Create a container from an image and run it
#[derive(Debug, Args)]
#[command(override_usage = "onggi run [OPTIONS] IMAGE [COMMAND] [ARG...]", disable_help_flag = true)]
pub(crate) struct RunArgs {
    /// Image, and what to run in it instead of its own command
    // Everything behind the image belongs to the container, also what looks like a flag of ours (S054).
    #[arg(value_name = "IMAGE", required = true, trailing_var_arg = true, hide = true)]
    pub(crate) words: Vec<String>,
    /// Run in the background and print the container's ID
    #[arg(short, long)]
    pub(crate) detach: bool,
    /// Replace the image's entrypoint; empty for none
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) entrypoint: Option<String>,
    /// Set a variable; without a value from the environment
    #[arg(short, long = "env", value_name = "NAME[=VALUE]")]
    pub(crate) env: Vec<String>,
    /// Read variables from a file
    #[arg(long = "env-file", value_name = "FILE")]
    pub(crate) env_files: Vec<std::path::PathBuf>,
    /// Print help
    #[arg(long, action = clap::ArgAction::Help)]
    help: Option<bool>,
    /// Name the container's host
    #[arg(short, long, value_name = "NAME")]
    pub(crate) hostname: Option<String>,
    /// Keep standard input open
    #[arg(short, long)]
    pub(crate) interactive: bool,
    /// Name the container
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Choose the network: `bridge`, `none` or `host`
    #[arg(long, visible_alias = "net", value_name = "MODE")]
    pub(crate) network: Option<String>,
    /// Remove the container when it has ended
    #[arg(long)]
    pub(crate) rm: bool,
    /// Run the container with this program (`crun`, `runc`, a path)
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) runtime: Option<String>,
    /// Give the container a terminal
    #[arg(short, long)]
    pub(crate) tty: bool,
    /// Choose the user: name or number, and group
    #[arg(short, long, value_name = "USER[:GROUP]")]
    pub(crate) user: Option<String>,
    /// Show a folder or file of this machine in the container
    #[arg(short, long = "volume", value_name = "SOURCE:TARGET[:ro]")]
    pub(crate) volumes: Vec<String>,
    /// Start in this folder
    #[arg(short, long, value_name = "DIR")]
    pub(crate) workdir: Option<String>,
}
