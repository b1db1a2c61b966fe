//! One function for each command: arguments in, engine asked, answer shown, exit status out.

mod archives;
mod build;
mod build_call;
mod build_debug;
mod build_logs;
mod check;
mod completion;
mod config;
mod confirm;
mod containers;
mod copy;
mod create;
mod disk;
mod doctor;
mod events;
mod exec;
mod history;
mod images;
mod info;
mod inspect;
mod limits;
mod login;
mod logs;
mod names;
mod networks;
mod pause;
mod platforms;
mod prune;
mod reset;
mod run;
mod start;
mod transfers;
mod version;
mod volumes;
mod watch;
mod written;

use crate::cli::Command;
use crate::failure::Failure;
use crate::session::Session;

/// Runs a command, and gives the status to end with.
pub(crate) fn run(command: Command, session: &Session) -> Result<u8, Failure> {
    match command {
        Command::Build(args) => build::run(&args, session),
        Command::Run(args) => run::run(&args, session),
        Command::Create(args) => create::run(&args, session),
        Command::Start(args) => start::start(&args, session),
        Command::Restart(args) => start::restart(&args, session),
        Command::Attach(args) => start::attach(&args, session),
        Command::Rename(args) => start::rename(&args, session),
        Command::ContainerPrune(args) => containers::prune(&args, session),
        Command::Exec(args) => exec::run(&args, session),
        Command::Images(args) => images::run(&args, session),
        Command::History(args) => history::run(&args, session),
        Command::Inspect(args) => inspect::run(&args, session),
        Command::Pull(args) => transfers::pull(&args, session),
        Command::Push(args) => transfers::push(&args, session),
        Command::Tag(args) => names::tag(&args, session),
        Command::Rmi(args) => names::remove(&args, session),
        Command::Cp(args) => copy::run(&args, session),
        Command::Ps(args) => containers::list(&args, session),
        Command::Logs(args) => logs::run(&args, session),
        Command::Stop(args) => containers::stop(&args, session),
        Command::Kill(args) => containers::kill(&args, session),
        Command::Pause(args) => pause::pause(&args, session),
        Command::Unpause(args) => pause::unpause(&args, session),
        Command::Top(args) => watch::top(&args, session),
        Command::Stats(args) => watch::stats(&args, session),
        Command::Update(args) => watch::update(&args, session),
        Command::Port(args) => containers::port(&args, session),
        Command::Wait(args) => containers::wait(&args, session),
        Command::Rm(args) => containers::remove(&args, session),
        Command::Hold => exec::hold(),
        Command::Monitor(args) => containers::monitor(&args, session),
        Command::HoldNetwork(args) => networks::hold(&args),
        Command::Commit(args) => written::commit(&args, session),
        Command::Diff(args) => written::diff(&args, session),
        Command::Events(args) => events::run(&args, session),
        Command::Export(args) => archives::export(&args, session),
        Command::Doctor(args) => doctor::run(&args, session),
        Command::Info(args) => info::run(&args, session),
        Command::Login(args) => login::run(&args, session),
        Command::Logout(args) => login::logout(&args, session),
        Command::Config(command) => config::run(&command, session),
        Command::Network(command) => networks::run(&command, session),
        Command::Completion(args) => completion::script(&args, session),
        Command::Complete(args) => completion::complete_words(&args, session),
        Command::Version(args) => version::run(&args, session),
        Command::Import(args) => archives::import(&args, session),
        Command::Load(args) => archives::load(&args, session),
        Command::Save(args) => archives::save(&args, session),
        Command::DiskUsage(args) => disk::df(&args, session),
        Command::BuilderDiskUsage(args) => disk::cache(&args, session),
        Command::ImagePrune(args) => prune::images(&args, session),
        Command::BuilderPrune(args) => prune::cache(&args, session),
        Command::SystemPrune(args) => prune::system(&args, session),
        Command::Reset(args) => reset::run(&args, session),
        Command::Check(args) => check::run(&args, session),
        Command::Limits(args) => limits::run(&args, session),
        Command::Pin(args) => disk::pin(&args, session),
        Command::Unpin(args) => disk::unpin(&args, session),
        Command::Volume(command) => volumes::run(&command, session),
        // `cli::parse` has turned these into the ones above.
        Command::Image(_) | Command::Container(_) | Command::Builder(_) | Command::System(_) => Ok(1),
    }
}

/// Does something for each name: prints what it gives, goes on after failures, and reports them all.
fn for_each(
    names: &[String],
    session: &Session,
    mut act: impl FnMut(&str) -> Result<String, engine::Error>,
) -> Result<u8, Failure> {
    let mut errors = Vec::new();
    for name in names {
        match act(name) {
            Ok(line) => session.print(&format!("{line}\n"))?,
            Err(error) => errors.push(error),
        }
    }
    all_or_failure(errors)
}

/// The same for what takes its time: all at once, told in the order in which they were named.
fn for_each_at_once(
    names: &[String],
    session: &Session,
    act: impl Fn(&str) -> Result<String, engine::Error> + Sync,
) -> Result<u8, Failure> {
    let mut done = at_once(names, act).into_iter();
    for_each(names, session, |name| done.next().unwrap_or_else(|| Ok(name.to_owned())))
}

/// Does something for all names at the same time.
fn at_once<T: Send>(
    names: &[String],
    act: impl Fn(&str) -> Result<T, engine::Error> + Sync,
) -> Vec<Result<T, engine::Error>> {
    if let [name] = names {
        return vec![act(name)];
    }
    std::thread::scope(|scope| {
        let act = &act;
        let running: Vec<_> = names.iter().map(|name| scope.spawn(move || act(name))).collect();
        running
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

/// Success, or a failure that tells all of these.
fn all_or_failure(errors: Vec<engine::Error>) -> Result<u8, Failure> {
    match Failure::all(errors) {
        None => Ok(0),
        Some(failure) => Err(failure),
    }
}
