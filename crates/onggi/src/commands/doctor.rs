//! `doctor`: what this machine allows, and what to do about what it does not.

use engine::{DoctorOptions, DoctorPoint, DoctorReport, PointState, Remedy};
use serde_json::{Value, json};

use crate::cli::system::DoctorArgs;
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::table::align;

/// Status 0 when containers can run, 1 otherwise.
pub(super) fn run(args: &DoctorArgs, session: &Session) -> Result<u8, Failure> {
    let report = engine::doctor(&DoctorOptions { root: session.root().to_owned(), path: session.path().into() });
    let text = if args.json { format!("{:#}\n", data(&report)) } else { describe(&report) };
    session.print(&text)?;
    Ok(u8::from(!report.can_run))
}

/// A table; a line more for what is not as it should be, and what to do first.
fn describe(report: &DoctorReport) -> String {
    let mut table = "POINT\tSTATE\tFOUND\n".to_owned();
    for DoctorPoint { name, state, found, needed_for, .. } in &report.points {
        table.push_str(&format!("{name}\t{}\t{found}\n", state.name()));
        if *state != PointState::Ok {
            table.push_str(&format!("\t\tneeded for {needed_for}\n"));
        }
    }
    let mut text = align(&table);
    text.push_str(if report.can_run { "\ncontainers can run here\n" } else { "\ncontainers cannot run here\n" });
    if let Some(remedy) = report.first_remedy() {
        text.push_str(&format!("hint: {remedy}\n"));
    }
    text
}

/// The same for scripts; the names are in docs/reference/doctor.md.
fn data(report: &DoctorReport) -> Value {
    let remedy = |remedy: &Remedy| json!({ "Command": remedy.command, "Text": remedy.text });
    let point = |point: &DoctorPoint| {
        json!({
            "Name": point.name,
            "State": point.state.name(),
            "Required": point.is_required,
            "Found": point.found,
            "NeededFor": point.needed_for,
            "Remedy": point.remedy.as_ref().map(remedy),
        })
    };
    json!({
        "CanRun": report.can_run,
        "FirstRemedy": report.first_remedy().map(remedy),
        "Points": report.points.iter().map(point).collect::<Vec<_>>(),
    })
}
