//! Commands about containers.

use clap::Args;

use super::image::{InspectArgs, ObjectType};

/// List containers
#[derive(Debug, Args)]
pub(crate) struct PsArgs {
    /// Show stopped containers too
    #[arg(short, long)]
    pub(crate) all: bool,
    /// Show only what fits (`status=exited`, `name=web`, …)
    #[arg(short, long = "filter", value_name = "KEY=VALUE")]
    pub(crate) filters: Vec<String>,
    /// Choose the output: `table`, `json`, or a Go template
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<String>,
    /// Show only so many, the newest; all for -1
    #[arg(short = 'n', long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub(crate) last: Option<i64>,
    /// Show only the newest
    #[arg(short, long)]
    pub(crate) latest: bool,
    /// Do not shorten anything
    #[arg(long)]
    pub(crate) no_trunc: bool,
    /// Print nothing but IDs
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Show how large they are
    #[arg(short, long)]
    pub(crate) size: bool,
}

/// Show all there is to know of containers
#[derive(Debug, Args)]
pub(crate) struct ContainerInspectArgs {
    /// Names or IDs
    #[arg(value_name = "CONTAINER", required = true)]
    names: Vec<String>,
    /// Choose the output: `json`, or a Go template
    #[arg(short, long, value_name = "FORMAT")]
    format: Option<String>,
    /// Measure what they have written
    #[arg(short, long)]
    size: bool,
}

impl From<ContainerInspectArgs> for InspectArgs {
    fn from(args: ContainerInspectArgs) -> Self {
        let object_type = Some(ObjectType::Container);
        Self { names: args.names, format: args.format, size: args.size, object_type, platform: None }
    }
}

/// Ask containers to end, and end them if they do not
#[derive(Debug, Args)]
pub(crate) struct StopArgs {
    /// Names or IDs
    #[arg(value_name = "CONTAINER", required = true)]
    pub(crate) containers: Vec<String>,
    /// Ask them to end with this signal
    #[arg(short, long, value_name = "SIGNAL")]
    pub(crate) signal: Option<String>,
    /// Wait so long, -1 for ever [default: 10]
    #[arg(short, long, visible_alias = "time", value_name = "SECONDS", allow_negative_numbers = true)]
    pub(crate) timeout: Option<i64>,
}

/// Send a signal to containers
#[derive(Debug, Args)]
pub(crate) struct KillArgs {
    /// Names or IDs
    #[arg(value_name = "CONTAINER", required = true)]
    pub(crate) containers: Vec<String>,
    /// Send this signal
    #[arg(short, long, value_name = "SIGNAL", default_value = "SIGKILL")]
    pub(crate) signal: String,
}

/// Wait until containers end, and print their exit codes
#[derive(Debug, Args)]
pub(crate) struct WaitArgs {
    /// Names or IDs
    #[arg(value_name = "CONTAINER", required = true)]
    pub(crate) containers: Vec<String>,
}

/// Remove containers
#[derive(Debug, Args)]
pub(crate) struct RmArgs {
    /// Names or IDs
    #[arg(value_name = "CONTAINER", required = true)]
    pub(crate) containers: Vec<String>,
    /// Remove a link instead of the container
    #[arg(short, long)]
    pub(crate) link: bool,
    /// End running containers first
    #[arg(short, long)]
    pub(crate) force: bool,
    /// Remove their anonymous volumes too
    #[arg(short, long)]
    pub(crate) volumes: bool,
}

/// Show where a container's ports are published
#[derive(Debug, Args)]
pub(crate) struct PortArgs {
    /// Name or ID
    #[arg(value_name = "CONTAINER")]
    pub(crate) container: String,
    /// Only this one
    #[arg(value_name = "PORT[/PROTOCOL]")]
    pub(crate) port: Option<String>,
}

/// Copy files out of a container or into one; `-` is a tar
#[derive(Debug, Args)]
#[command(
    override_usage = "onggi cp [OPTIONS] CONTAINER:SOURCE DEST|-\n       onggi cp [OPTIONS] SOURCE|- CONTAINER:DEST"
)]
pub(crate) struct CopyArgs {
    /// What to copy: `CONTAINER:PATH`, a path, or `-`
    #[arg(value_name = "SOURCE")]
    pub(crate) source: String,
    /// Where to: a path, `-`, or `CONTAINER:PATH`
    #[arg(value_name = "DEST")]
    pub(crate) target: String,
    /// Keep owners; into a container, give the files to its user
    #[arg(short, long)]
    pub(crate) archive: bool,
    /// Copy what a link at the end of the source leads to
    #[arg(short = 'L', long)]
    pub(crate) follow_link: bool,
    /// Say nothing; so it is when standard output is no terminal
    #[arg(short, long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) quiet: Option<bool>,
}

/// Watch over a container in the background
// Started by `run --detach` itself, never by people.
#[derive(Debug, Args)]
pub(crate) struct MonitorArgs {
    /// Full ID
    #[arg(value_name = "ID")]
    pub(crate) id: String,
}
