//! `build`.

use clap::{Args, Subcommand, ValueEnum};

use super::step_flags::StepFlags;
use crate::cli::build_cache::CacheArgs;
use crate::cli::build_output::OutputArgs;

/// Build an image from a Dockerfile
#[derive(Debug, Args)]
#[command(
    override_usage = "onggi build [OPTIONS] [PATH]",
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
pub(crate) struct BuildArgs {
    /// What is asked about builds instead; a folder of such a name is written as `./debug`.
    #[command(subcommand)]
    pub(crate) command: Option<BuildCommand>,
    /// Folder whose files the build may use [default: .]
    #[arg(value_name = "PATH")]
    pub(crate) context: Option<String>,
    /// Set a variable of the build; without a value from the environment
    #[arg(long = "build-arg", value_name = "NAME[=VALUE]")]
    pub(crate) build_args: Vec<String>,
    /// Put other files or an image in the place of a name
    #[arg(long = "build-context", value_name = "NAME=SOURCE")]
    pub(crate) build_contexts: Vec<String>,
    /// Answer a question instead of building: `check`, `outline`, `targets`
    #[arg(long, value_name = "METHOD")]
    pub(crate) call: Option<String>,
    /// Look for mistakes without building: the same as `--call=check`
    #[arg(long, conflicts_with = "call")]
    pub(crate) check: bool,
    /// Say why steps are not taken from the cache
    #[arg(long)]
    pub(crate) explain: bool,
    /// Read the Dockerfile from here, `-` for standard input [default: PATH/Dockerfile]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Option<String>,
    /// Add a label to the image
    #[arg(long = "label", value_name = "NAME=VALUE")]
    pub(crate) labels: Vec<String>,
    /// Choose the network of RUN
    #[arg(long, value_name = "MODE", default_value = "default")]
    pub(crate) network: BuildNetwork,
    /// Choose how to show the build (also `BUILDKIT_PROGRESS`)
    #[arg(long, value_name = "VIEW")]
    pub(crate) progress: Option<Progress>,
    /// Print nothing but the image's ID
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Run containers with this program (`crun`, `runc`, a path)
    #[arg(long, value_name = "PROGRAM", hide = true)]
    pub(crate) runtime: Option<String>,
    /// Give the image a name; may be repeated
    #[arg(short, long = "tag", value_name = "NAME[:TAG]")]
    pub(crate) tags: Vec<String>,
    /// Stop at this stage
    #[arg(long, value_name = "STAGE")]
    pub(crate) target: Option<String>,
    #[command(flatten)]
    pub(crate) cache: CacheArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) steps: StepFlags,
    #[command(flatten)]
    ignored: IgnoredArgs,
}

/// `onggi build …` without a build.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum BuildCommand {
    Context(BuildContextArgs),
    Debug(BuildDebugArgs),
    Logs(BuildLogsArgs),
}

/// Look at the files that a build may use
#[derive(Debug, Args)]
#[command(disable_help_subcommand = true)]
pub(crate) struct BuildContextArgs {
    #[command(subcommand)]
    pub(crate) command: Option<BuildContextCommand>,
}

/// `onggi build context …`.
#[derive(Debug, Subcommand)]
pub(crate) enum BuildContextCommand {
    #[command(visible_alias = "list")]
    Ls(BuildContextLsArgs),
}

/// List the files that a build may use
#[derive(Debug, Args)]
#[command(override_usage = "onggi build context ls [OPTIONS] [PATH]")]
pub(crate) struct BuildContextLsArgs {
    /// Folder, archive or repository, or `-` for a tar [default: .]
    #[arg(value_name = "PATH")]
    pub(crate) context: Option<String>,
    /// Go by the ignore file beside this Dockerfile
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Option<String>,
    /// Choose the output: `table`, `json`, or a Go template
    #[arg(long, value_name = "FORMAT", conflicts_with = "why")]
    pub(crate) format: Option<String>,
    /// Give a secret to the server of the context (`id=GIT_AUTH_TOKEN,env=TOKEN`)
    #[arg(long = "secret", value_name = "FIELDS")]
    pub(crate) secrets: Vec<String>,
    /// Use this SSH agent for a repository, `default` for that of `SSH_AUTH_SOCK`
    #[arg(long, value_name = "default|ID=SOCKET")]
    pub(crate) ssh: Vec<String>,
    /// Say which line of the ignore file decides over this path
    #[arg(long, value_name = "FILE")]
    pub(crate) why: Option<String>,
}

/// Open a shell in a step that failed
#[derive(Debug, Args)]
#[command(override_usage = "onggi build debug [OPTIONS] [ID] [COMMAND] [ARG...]")]
pub(crate) struct BuildDebugArgs {
    /// Run it with this program (`crun`, `runc`, a path)
    #[arg(long, value_name = "PROGRAM", hide = true)]
    pub(crate) runtime: Option<String>,
    /// First digits of what the error named [default: the last step that failed]
    #[arg(value_name = "ID")]
    pub(crate) id: Option<String>,
    /// What to run instead of a shell
    // All of it belongs to the command, also what looks like a flag of ours.
    #[arg(value_name = "COMMAND", trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) command: Vec<String>,
}

/// Show what the steps of a build wrote
#[derive(Debug, Args)]
pub(crate) struct BuildLogsArgs {
    /// First digits of a build's ID [default: the last build]
    #[arg(value_name = "BUILD")]
    pub(crate) build: Option<String>,
    /// Number of a step [default: the one that failed, or a list of all]
    #[arg(value_name = "STEP")]
    pub(crate) step: Option<String>,
    /// List the builds whose logs are kept
    #[arg(short, long, conflicts_with_all = ["build", "step"])]
    pub(crate) all: bool,
    /// Choose the output of lists: `table`, `json`, or a Go template
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<String>,
}

/// Flags that Docker still takes and that mean nothing here (B023).
#[derive(Debug, Args)]
struct IgnoredArgs {
    #[arg(long, hide = true)]
    compress: bool,
    #[arg(long, hide = true)]
    disable_content_trust: bool,
    #[arg(long, hide = true)]
    force_rm: bool,
    #[arg(long, hide = true)]
    isolation: Option<String>,
    #[arg(long, hide = true)]
    rm: bool,
    #[arg(long, hide = true)]
    security_opt: Vec<String>,
}

/// Network of RUN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BuildNetwork {
    /// A network of its own, with a way out.
    Default,
    /// None but the loopback.
    None,
    /// That of this machine.
    Host,
}

/// How to show a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Progress {
    /// `tty` on a terminal, else `plain`.
    Auto,
    /// Redraw in place.
    Tty,
    /// One line after the other.
    Plain,
    /// Nothing.
    #[value(alias = "none")]
    Quiet,
    /// One JSON object in each line.
    Rawjson,
    /// `Step 1/8 : FROM …`, with an image for each step, as without BuildKit (also `DOCKER_BUILDKIT=0`).
    Classic,
}
