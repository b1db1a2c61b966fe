//! `events`: one line for each thing that happens, as it happens.

use std::io::Write;
use std::ops::ControlFlow;

use engine::EventsOptions;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::logs::moment;
use crate::cli::events::EventsArgs;
use crate::failure::Failure;
use crate::session::Session;
use crate::template::{Mode, Template};
use crate::ui::printable::printable;

pub(super) fn run(args: &EventsArgs, session: &Session) -> Result<u8, Failure> {
    let options = EventsOptions {
        since: args.since.as_deref().map(|text| moment("since", text, session)).transpose()?,
        until: args.until.as_deref().map(|text| moment("until", text, session)).transpose()?,
        filters: args.filters.iter().map(|filter| filter.parse()).collect::<Result<_, _>>()?,
    };
    let format = args.format.as_deref().map(|format| if format == "json" { "{{json .}}" } else { format });
    let template = format.map(Template::parse).transpose();
    let template = template.map_err(|error| Failure::in_format(error, format))?;
    let zone = session.zone();
    let mut failure = None;
    engine::events(&session.engine()?, &options, &mut |event| {
        let line = match &template {
            Some(template) => template.render(event, Mode::Data).map_err(|error| Failure::in_format(error, format)),
            None => Ok(line(event, &zone)),
        };
        let written = line.and_then(|line| {
            let mut stdout = std::io::stdout().lock();
            writeln!(stdout, "{line}").and_then(|()| stdout.flush()).map_err(Failure::Output)
        });
        match written {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    failure.map_or(Ok(0), Err)
}

/// `2026-11-27T12:02:48.831540201Z container start ID (image=img, name=one)`.
fn line(event: &Value, zone: &TimeZone) -> String {
    let text = |value: &Value| printable(value.as_str().unwrap_or_default()).into_owned();
    let time = event["timeNano"].as_i64().and_then(|time| jiff::Timestamp::from_nanosecond(time.into()).ok());
    let time = time.map(|time| time.to_zoned(zone.clone())).map_or_else(String::new, |time| {
        let offset = if time.offset().is_zero() { "Z".to_owned() } else { time.strftime("%:z").to_string() };
        format!("{}{offset}", time.strftime("%Y-%m-%dT%H:%M:%S.%9f"))
    });
    let mut attributes: Vec<String> = event["Actor"]["Attributes"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{}={}", printable(key), text(value)))
        .collect();
    attributes.sort();
    let (kind, action, id) = (text(&event["Type"]), text(&event["Action"]), text(&event["Actor"]["ID"]));
    format!("{time} {kind} {action} {id} ({})", attributes.join(", "))
}
