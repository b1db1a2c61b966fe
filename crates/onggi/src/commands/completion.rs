//! `completion`: what the shells need to complete what is typed.

use engine::{ContainersOptions, ImagesOptions};

use crate::cli::complete::{self, Names, complete};
use crate::cli::completion::{CompleteArgs, CompletionArgs, Shell};
use crate::failure::Failure;
use crate::session::Session;

/// Prints a shell's script. All it does is to ask `onggi` itself.
pub(super) fn script(args: &CompletionArgs, session: &Session) -> Result<u8, Failure> {
    let script = match args.shell {
        Shell::Bash => include_str!("completion/onggi.bash"),
        Shell::Zsh => include_str!("completion/onggi.zsh"),
        Shell::Fish => include_str!("completion/onggi.fish"),
    };
    session.print(&script.replace("@COMPLETE@", complete::COMMAND))?;
    Ok(0)
}

/// One candidate a line, with what it is behind a tab. What cannot be found out is left out: nobody asked for an error.
pub(super) fn complete_words(args: &CompleteArgs, session: &Session) -> Result<u8, Failure> {
    let mut tree = crate::cli::tree();
    tree.build();
    let completion = complete(&tree, &args.words);
    let mut lines: Vec<String> =
        completion.candidates.iter().map(|found| format!("{}\t{}\n", found.word, found.about)).collect();
    if let Some(names) = completion.names {
        let begin = args.words.last().map_or("", String::as_str);
        let elsewhere = completion.root.map(|root| session.at(root.into()));
        let known = known(names, elsewhere.as_ref().unwrap_or(session));
        lines.extend(known.into_iter().filter(|name| name.starts_with(begin)).map(|name| format!("{name}\t\n")));
    }
    session.print(&lines.concat())?;
    Ok(0)
}

fn known(names: Names, session: &Session) -> Vec<String> {
    let is_any = |kind| names == kind || names == Names::All;
    let mut known = Vec::new();
    // Opening a store would make it.
    if !session.has_store() {
        return known;
    }
    let Ok(engine) = session.engine() else { return known };
    if is_any(Names::Images) {
        for row in engine::images(&engine, &ImagesOptions::default()).unwrap_or_default() {
            if let (Some(repository), Some(tag)) = (row.repository, row.tag) {
                known.push(if tag == "latest" { repository } else { format!("{repository}:{tag}") });
            }
        }
    }
    if is_any(Names::Containers) {
        let options = ContainersOptions { all: true, ..ContainersOptions::default() };
        known.extend(engine::containers(&engine, &options).unwrap_or_default().into_iter().map(|row| row.record.name));
    }
    if is_any(Names::Networks) {
        let networks = engine::networks(&engine, &engine::NetworkFilters::default());
        known.extend(networks.unwrap_or_default().into_iter().map(|row| row.name));
    }
    if is_any(Names::Volumes) {
        known.extend(
            engine::volumes(&engine, &engine::VolumeFilter::default())
                .unwrap_or_default()
                .into_iter()
                .map(|row| row.name),
        );
    }
    known
}
