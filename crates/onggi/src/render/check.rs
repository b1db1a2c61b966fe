//! `system check`: what is wrong, what it breaks, what was done about it, and how to get back what is lost.

use engine::StoreCheck;
use serde_json::{Value, json};

use crate::ui::printable::printable;
use crate::ui::size::{DISK_DIGITS, human_size};

/// For people.
pub(crate) fn text(check: &StoreCheck, with_repair: bool) -> String {
    let mut text = String::new();
    for problem in &check.problems {
        text += &format!("{}: {}\n", printable(&problem.path), printable(&problem.what));
        if !problem.breaks.is_empty() {
            text += &format!("  breaks {}\n", printable(&problem.breaks.join(", ")));
        }
        match &problem.repaired {
            Some(done) => text += &format!("  {done}\n"),
            None if with_repair => text += "  left as it is\n",
            None => {}
        }
    }
    if !check.commands.is_empty() {
        let when = if with_repair { "To get back what is lost" } else { "What `--repair` removes comes back with" };
        text += &format!("{when}:\n");
        check.commands.iter().for_each(|command| text += &format!("  {}\n", printable(command)));
    }
    let problems = match check.problems.len() {
        0 => "nothing wrong".to_owned(),
        1 => "1 problem".to_owned(),
        count => format!("{count} problems"),
    };
    text + &format!("Checked {} files, {}: {problems}\n", check.files, human_size(check.bytes, DISK_DIGITS))
}

/// For programs.
pub(crate) fn json(check: &StoreCheck) -> String {
    let problem = |problem: &engine::StoreProblem| {
        json!({
            "path": problem.path,
            "problem": problem.what,
            "breaks": problem.breaks,
            "repaired": problem.repaired,
        })
    };
    let problems: Vec<Value> = check.problems.iter().map(problem).collect();
    let all = json!({
        "files": check.files,
        "bytes": check.bytes,
        "problems": problems,
        "commands": check.commands,
        "whole": check.is_whole(),
    });
    format!("{all}\n")
}
