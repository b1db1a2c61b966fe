//! The command line's words: commands, flags and what they mean, as Docker has them.
//!
//! Every command has its long form (`image ls`, `container run`); both lead to the same arguments. The tree is built
//! once in each run.

pub(crate) mod build;
pub(crate) mod build_cache;
pub(crate) mod build_output;
pub(crate) mod call;
pub(crate) mod complete;
pub(crate) mod completion;
pub(crate) mod container;
pub(crate) mod create;
pub(crate) mod disk;
pub(crate) mod env_list;
pub(crate) mod events;
pub(crate) mod exec;
pub(crate) mod fields;
pub(crate) mod image;
pub(crate) mod login;
pub(crate) mod logs;
mod missing;
pub(crate) mod network;
pub(crate) mod options;
pub(crate) mod pause;
pub(crate) mod prune_flags;
pub(crate) mod run;
pub(crate) mod start;
pub(crate) mod step_flags;
pub(crate) mod switches;
pub(crate) mod system;
pub(crate) mod usage;
pub(crate) mod volume;
pub(crate) mod watch;
pub(crate) mod written;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

/// Everything that was typed.
#[derive(Debug, Parser)]
#[command(
    name = "onggi",
    about = "Build, run and keep container images, without a daemon",
    disable_version_flag = true,
    args_override_self = true,
    arg_required_else_help = true,
    subcommand_required = true,
    max_term_width = 100
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags before the command.
#[derive(Debug, Clone, Args)]
pub(crate) struct GlobalArgs {
    /// Keep images and containers in this folder (also `ONGGI_ROOT`)
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
    /// Show what is done, and when
    #[arg(short = 'D', long)]
    pub(crate) debug: bool,
    /// Print the version
    #[arg(short = 'v', long, action = clap::ArgAction::Version)]
    version: Option<bool>,
}

/// A command, by whichever name it was called. The flags of each are built only when it is the one that was called.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum Command {
    Build(Box<build::BuildArgs>),
    Run(Box<run::RunArgs>),
    Create(Box<start::CreateArgs>),
    Start(start::StartArgs),
    Restart(start::RestartArgs),
    Attach(start::AttachArgs),
    Rename(start::RenameArgs),
    #[command(skip)]
    ContainerPrune(start::ContainerPruneArgs),
    #[command(skip)]
    DiskUsage(disk::DfArgs),
    #[command(skip)]
    BuilderDiskUsage(disk::BuilderDuArgs),
    #[command(skip)]
    ImagePrune(disk::ImagePruneArgs),
    #[command(skip)]
    BuilderPrune(disk::BuilderPruneArgs),
    #[command(skip)]
    SystemPrune(disk::SystemPruneArgs),
    #[command(skip)]
    Check(disk::CheckArgs),
    #[command(skip)]
    Limits(disk::LimitsArgs),
    #[command(skip)]
    Pin(disk::PinArgs),
    #[command(skip)]
    Reset(disk::ResetArgs),
    #[command(skip)]
    Unpin(disk::UnpinArgs),
    Exec(exec::ExecArgs),
    Images(image::ImagesArgs),
    History(image::HistoryArgs),
    Inspect(image::InspectArgs),
    Pull(image::PullArgs),
    Push(image::PushArgs),
    Tag(image::TagArgs),
    Rmi(image::RmiArgs),
    Import(image::ImportArgs),
    Load(image::LoadArgs),
    Save(image::SaveArgs),
    Cp(container::CopyArgs),
    Ps(container::PsArgs),
    Logs(logs::LogsArgs),
    Stop(container::StopArgs),
    Kill(container::KillArgs),
    Pause(pause::PauseArgs),
    Unpause(pause::UnpauseArgs),
    Top(watch::TopArgs),
    Stats(watch::StatsArgs),
    Update(Box<watch::UpdateArgs>),
    Port(container::PortArgs),
    Wait(container::WaitArgs),
    Rm(container::RmArgs),
    Commit(written::CommitArgs),
    Diff(written::DiffArgs),
    Events(events::EventsArgs),
    Export(written::ExportArgs),
    Doctor(system::DoctorArgs),
    Info(system::InfoArgs),
    Login(login::LoginArgs),
    Logout(login::LogoutArgs),
    Version(system::VersionArgs),
    Completion(completion::CompletionArgs),
    // Called by the scripts of `completion`.
    #[command(name = complete::COMMAND, hide = true)]
    Complete(completion::CompleteArgs),
    /// Keep a terminal open that somebody left
    // Started by `exec` itself, never by people.
    #[command(name = engine::terminal_holder::COMMAND, hide = true)]
    Hold,
    #[command(name = engine::monitor::COMMAND, hide = true)]
    Monitor(container::MonitorArgs),
    /// Keep a network without root as long as it is used
    // Started by whoever needs it first, never by people.
    #[command(name = engine::HOLD_NETWORK, hide = true)]
    HoldNetwork(network::HoldNetworkArgs),
    /// Manage images
    #[command(subcommand, arg_required_else_help = true)]
    Image(ImageCommand),
    /// Manage containers
    #[command(subcommand, arg_required_else_help = true)]
    Container(ContainerCommand),
    /// Manage networks
    #[command(subcommand, arg_required_else_help = true)]
    Network(network::NetworkCommand),
    /// Show settings, and where they come from
    #[command(subcommand, arg_required_else_help = true)]
    Config(login::ConfigCommand),
    /// Manage builds
    #[command(subcommand, arg_required_else_help = true)]
    Builder(BuilderCommand),
    /// Manage Onggi itself
    #[command(subcommand, arg_required_else_help = true)]
    System(SystemCommand),
    /// Manage volumes
    #[command(subcommand, arg_required_else_help = true)]
    Volume(volume::VolumeCommand),
}

/// By what right a command works, where it is not root's (see `engine::Engine::take_standing`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The user's own: it reads, or writes what is the user's.
    Plain,
    /// That of root in a namespace, with the IDs of other users if something turns out to need them.
    Ready,
    /// That of root in a namespace, with the IDs of other users: it is about their files or processes.
    Full,
}

impl Command {
    /// By what right it works.
    pub(crate) fn standing(&self) -> Standing {
        use Command as C;
        match self {
            C::Images(_)
            | C::History(_)
            | C::Tag(_)
            | C::Save(_)
            | C::Events(_)
            | C::Doctor(_)
            | C::Version(_)
            | C::Login(_)
            | C::Logout(_)
            | C::Config(_)
            | C::Completion(_)
            | C::Complete(_) => Standing::Plain,
            // Whoever looks at containers sweeps what those left whose owners were killed.
            C::Ps(_) | C::Inspect(_) | C::Logs(_) | C::Port(_) | C::Info(_) => Standing::Ready,
            C::Build(_) | C::Pull(_) | C::Push(_) | C::Load(_) | C::Import(_) => Standing::Ready,
            _ => Standing::Full,
        }
    }
}

/// `onggi image …`.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum ImageCommand {
    Build(Box<build::BuildArgs>),
    History(image::HistoryArgs),
    Import(image::ImportArgs),
    Inspect(image::ImageInspectArgs),
    Load(image::LoadArgs),
    #[command(visible_alias = "list")]
    Ls(image::ImagesArgs),
    Pin(disk::PinArgs),
    Prune(disk::ImagePruneArgs),
    Pull(image::PullArgs),
    Push(image::PushArgs),
    #[command(visible_alias = "remove")]
    Rm(image::RmiArgs),
    Save(image::SaveArgs),
    Tag(image::TagArgs),
    Unpin(disk::UnpinArgs),
}

/// `onggi container …`.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum ContainerCommand {
    Attach(start::AttachArgs),
    Create(Box<start::CreateArgs>),
    Cp(container::CopyArgs),
    Commit(written::CommitArgs),
    Diff(written::DiffArgs),
    Export(written::ExportArgs),
    Exec(exec::ExecArgs),
    Inspect(container::ContainerInspectArgs),
    Kill(container::KillArgs),
    Logs(logs::LogsArgs),
    #[command(visible_aliases = ["list", "ps"])]
    Ls(container::PsArgs),
    Pause(pause::PauseArgs),
    Port(container::PortArgs),
    #[command(visible_alias = "remove")]
    Rm(container::RmArgs),
    Prune(start::ContainerPruneArgs),
    Rename(start::RenameArgs),
    Restart(start::RestartArgs),
    Run(Box<run::RunArgs>),
    Start(start::StartArgs),
    Stop(container::StopArgs),
    Stats(watch::StatsArgs),
    Top(watch::TopArgs),
    Unpause(pause::UnpauseArgs),
    Update(Box<watch::UpdateArgs>),
    Wait(container::WaitArgs),
}

/// `onggi builder …`.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum BuilderCommand {
    Build(Box<build::BuildArgs>),
    Du(disk::BuilderDuArgs),
    Prune(disk::BuilderPruneArgs),
}

/// `onggi system …`.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum SystemCommand {
    Check(disk::CheckArgs),
    Df(disk::DfArgs),
    Events(events::EventsArgs),
    Info(system::InfoArgs),
    Limits(disk::LimitsArgs),
    Prune(disk::SystemPruneArgs),
    Reset(disk::ResetArgs),
}

impl Command {
    /// The short form of a long one.
    fn short(self) -> Self {
        match self {
            Self::Image(command) => match command {
                ImageCommand::Build(args) => Self::Build(args),
                ImageCommand::History(args) => Self::History(args),
                ImageCommand::Import(args) => Self::Import(args),
                ImageCommand::Inspect(args) => Self::Inspect(args.into()),
                ImageCommand::Load(args) => Self::Load(args),
                ImageCommand::Ls(args) => Self::Images(args),
                ImageCommand::Pin(args) => Self::Pin(args),
                ImageCommand::Prune(args) => Self::ImagePrune(args),
                ImageCommand::Pull(args) => Self::Pull(args),
                ImageCommand::Push(args) => Self::Push(args),
                ImageCommand::Rm(args) => Self::Rmi(args),
                ImageCommand::Save(args) => Self::Save(args),
                ImageCommand::Tag(args) => Self::Tag(args),
                ImageCommand::Unpin(args) => Self::Unpin(args),
            },
            Self::Container(command) => match command {
                ContainerCommand::Attach(args) => Self::Attach(args),
                ContainerCommand::Create(args) => Self::Create(args),
                ContainerCommand::Cp(args) => Self::Cp(args),
                ContainerCommand::Commit(args) => Self::Commit(args),
                ContainerCommand::Diff(args) => Self::Diff(args),
                ContainerCommand::Export(args) => Self::Export(args),
                ContainerCommand::Exec(args) => Self::Exec(args),
                ContainerCommand::Inspect(args) => Self::Inspect(args.into()),
                ContainerCommand::Kill(args) => Self::Kill(args),
                ContainerCommand::Logs(args) => Self::Logs(args),
                ContainerCommand::Ls(args) => Self::Ps(args),
                ContainerCommand::Pause(args) => Self::Pause(args),
                ContainerCommand::Port(args) => Self::Port(args),
                ContainerCommand::Rm(args) => Self::Rm(args),
                ContainerCommand::Prune(args) => Self::ContainerPrune(args),
                ContainerCommand::Rename(args) => Self::Rename(args),
                ContainerCommand::Restart(args) => Self::Restart(args),
                ContainerCommand::Run(args) => Self::Run(args),
                ContainerCommand::Start(args) => Self::Start(args),
                ContainerCommand::Stop(args) => Self::Stop(args),
                ContainerCommand::Stats(args) => Self::Stats(args),
                ContainerCommand::Top(args) => Self::Top(args),
                ContainerCommand::Unpause(args) => Self::Unpause(args),
                ContainerCommand::Update(args) => Self::Update(args),
                ContainerCommand::Wait(args) => Self::Wait(args),
            },
            Self::Builder(BuilderCommand::Build(args)) => Self::Build(args),
            Self::Builder(BuilderCommand::Du(args)) => Self::BuilderDiskUsage(args),
            Self::Builder(BuilderCommand::Prune(args)) => Self::BuilderPrune(args),
            Self::System(SystemCommand::Check(args)) => Self::Check(args),
            Self::System(SystemCommand::Df(args)) => Self::DiskUsage(args),
            Self::System(SystemCommand::Limits(args)) => Self::Limits(args),
            Self::System(SystemCommand::Reset(args)) => Self::Reset(args),
            Self::System(SystemCommand::Prune(args)) => Self::SystemPrune(args),
            Self::System(SystemCommand::Events(args)) => Self::Events(args),
            Self::System(SystemCommand::Info(args)) => Self::Info(args),
            short => short,
        }
    }
}

/// The tree of commands.
pub(crate) fn tree() -> clap::Command {
    Cli::command().version(concat!("version ", env!("CARGO_PKG_VERSION")))
}

/// Understands what was typed; the first word is the program's name.
pub(crate) fn parse(words: &[OsString]) -> Result<Cli, usage::Usage> {
    let mut tree = tree();
    if switches::are_spelled_out(words) {
        tree = switches::take_values(tree);
    }
    let matches = tree.try_get_matches_from_mut(words);
    let cli = matches.and_then(|mut matches| Cli::from_arg_matches_mut(&mut matches)).map_err(|error| {
        let error = if usage::is_help(&error) { complete_help(words).unwrap_or(error) } else { error };
        usage::Usage::new(error, words)
    })?;
    Ok(Cli { global: cli.global, command: cli.command.short() })
}

/// The help again, from a tree in which every command is built, so that a list of commands says what each does.
fn complete_help(words: &[OsString]) -> Option<clap::Error> {
    let mut tree = tree();
    tree.build();
    tree.try_get_matches_from(words).err()
}

#[cfg(test)]
mod tests;
