//! `system df`: four rows, or everything that is on the disk, in Docker's tables.

use engine::{CacheKind, CacheState, CacheUsage, DiskUsage, ImageUsage, Share, VolumeUsage};
use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Map, Value, json};

use super::containers::{self, ContainersView};
use super::images::shown_id;
use super::list::{self, Columns};
use crate::template::{Mode, Template, TemplateError};
use crate::ui::size::{DISK_DIGITS, LIST_DIGITS, human_size};
use crate::ui::time::{ago, go_time};

const SUMMARY: Columns = Columns {
    table: &["Type", "TotalCount", "Active", "Size", "Reclaimable"],
    titles: &[
        ("Type", "TYPE"),
        ("TotalCount", "TOTAL"),
        ("Active", "ACTIVE"),
        ("Size", "SIZE"),
        ("Reclaimable", "RECLAIMABLE"),
    ],
};

const IMAGES: Columns = Columns {
    table: &["Repository", "Tag", "ID", "CreatedSince", "Size", "SharedSize", "UniqueSize", "Containers", "Freed"],
    titles: &[
        ("Repository", "REPOSITORY"),
        ("Tag", "TAG"),
        ("ID", "IMAGE ID"),
        ("CreatedSince", "CREATED"),
        ("Size", "SIZE"),
        ("SharedSize", "SHARED SIZE"),
        ("UniqueSize", "UNIQUE SIZE"),
        ("Containers", "CONTAINERS"),
        ("Freed", "FREED IF REMOVED"),
    ],
};

const CONTAINERS: Columns = Columns {
    table: &["ID", "Image", "Command", "LocalVolumes", "Size", "RunningFor", "Status", "Names"],
    titles: &[
        ("ID", "CONTAINER ID"),
        ("Image", "IMAGE"),
        ("Command", "COMMAND"),
        ("LocalVolumes", "LOCAL VOLUMES"),
        ("Size", "SIZE"),
        ("RunningFor", "CREATED"),
        ("Status", "STATUS"),
        ("Names", "NAMES"),
    ],
};

const VOLUMES: Columns = Columns {
    table: &["Name", "Links", "Size"],
    titles: &[("Name", "VOLUME NAME"), ("Links", "LINKS"), ("Size", "SIZE")],
};

const CACHE: Columns = Columns {
    table: &["ID", "CacheType", "Size", "CreatedSince", "LastUsedSince", "UsageCount", "Shared"],
    titles: &[
        ("ID", "CACHE ID"),
        ("CacheType", "CACHE TYPE"),
        ("Size", "SIZE"),
        ("CreatedSince", "CREATED"),
        ("LastUsedSince", "LAST USED"),
        ("UsageCount", "USAGE"),
        ("Shared", "SHARED"),
    ],
};

/// How to show it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DiskView<'a> {
    pub(crate) format: Option<&'a str>,
    pub(crate) now: Timestamp,
    pub(crate) zone: &'a TimeZone,
}

/// The four rows.
pub(crate) fn summary(usage: &DiskUsage, format: Option<&str>) -> Result<String, TemplateError> {
    let rows = [
        row("Images", usage.images_share, true),
        row("Containers", usage.containers_share, true),
        row("Local Volumes", usage.volumes_share, true),
        row("Build Cache", usage.cache_share, false),
    ];
    list::render(format, &SUMMARY, &rows)
}

/// The percentage is rounded down (S272), and is not there where nothing is.
fn row(kind: &str, share: Share, with_percent: bool) -> Value {
    let mut reclaimable = human_size(share.reclaimable, DISK_DIGITS);
    if with_percent && share.bytes > 0 {
        let percent = u128::from(share.reclaimable) * 100 / u128::from(share.bytes);
        reclaimable += &format!(" ({percent}%)");
    }
    json!({
        "Active": share.active.to_string(),
        "Reclaimable": reclaimable,
        "Size": human_size(share.bytes, DISK_DIGITS),
        "TotalCount": share.count.to_string(),
        "Type": kind,
    })
}

/// Everything, in sections; or as one object for a template.
pub(crate) fn verbose(usage: &DiskUsage, view: &DiskView<'_>) -> Result<String, TemplateError> {
    let images: Vec<Value> = usage.images.iter().flat_map(|image| image_rows(image, view)).collect();
    let containers: Vec<Value> = usage.containers.iter().map(|row| container_row(row, view)).collect();
    let volumes: Vec<Value> = usage.volumes.iter().map(volume_row).collect();
    let cache: Vec<Value> = usage.cache.iter().map(|row| cache_row(row, view)).collect();
    if let Some(format) = view.format.filter(|format| *format != "table") {
        let template = Template::parse(if format == "json" { "{{json .}}" } else { format })?;
        let all = json!({
            "Images": images,
            "Containers": containers,
            "Volumes": volumes,
            "BuildCache": cache,
            "Overhead": human_size(usage.overhead, DISK_DIGITS),
            "Total": human_size(usage.total, DISK_DIGITS),
        });
        return Ok(template.render(&all, Mode::Data)? + "\n");
    }
    let table = |columns: &Columns, rows: &[Value]| list::render(None, columns, rows);
    let mut text = format!("Images space usage:\n\n{}", table(&IMAGES, &images)?);
    text += &format!("\nContainers space usage:\n\n{}", table(&CONTAINERS, &containers)?);
    text += &format!("\nLocal Volumes space usage:\n\n{}", table(&VOLUMES, &volumes)?);
    text += &format!("\nBuild cache usage: {}\n\n", human_size(usage.cache_share.bytes, DISK_DIGITS));
    text += &table(&CACHE, &cache)?;
    text += &format!("\nOther space usage: {}\n", human_size(usage.overhead, DISK_DIGITS));
    Ok(text)
}

/// A row for each name of an image, as in `images`: a digest has one only where its repository has no tag, and there one for
/// all digests.
fn image_rows(image: &ImageUsage, view: &DiskView<'_>) -> Vec<Value> {
    let none = || "<none>".to_owned();
    let row = |repository: String, tag: String| {
        json!({
            "Containers": image.containers.to_string(),
            "CreatedAt": go_time(image.created, view.zone),
            "CreatedSince": ago(image.created, view.now),
            "Digest": "<none>",
            "Freed": human_size(image.freed, DISK_DIGITS),
            "ID": shown_id(&image.id.to_string(), false),
            "Pinned": image.is_pinned.to_string(),
            "Repository": repository,
            "SharedSize": human_size(image.shared, DISK_DIGITS),
            "Size": human_size(image.bytes, LIST_DIGITS),
            "Tag": tag,
            "UniqueSize": human_size(image.bytes - image.shared, DISK_DIGITS),
            "VirtualSize": human_size(image.bytes, LIST_DIGITS),
        })
    };
    match image.names.is_empty() {
        true => vec![row(none(), none())],
        false => {
            let is_shown = |(place, (name, tag)): &(usize, &(String, Option<String>))| {
                let known = match tag {
                    Some(_) => false,
                    None => image
                        .names
                        .iter()
                        .enumerate()
                        .any(|(other, (repository, tag))| repository == name && (tag.is_some() || other < *place)),
                };
                !known
            };
            let names = image.names.iter().enumerate().filter(is_shown).map(|(_, name)| name);
            names.map(|(name, tag)| row(name.clone(), tag.clone().unwrap_or_else(none))).collect()
        }
    }
}

fn container_row(row: &engine::ContainerUsage, view: &DiskView<'_>) -> Value {
    let list = ContainersView {
        format: None,
        only_ids: false,
        in_full: false,
        with_size: true,
        now: view.now,
        zone: view.zone,
    };
    let mut fields = containers::fields(&row.summary, &list);
    fields["Size"] = human_size(row.bytes, LIST_DIGITS).into();
    fields
}

fn volume_row(volume: &VolumeUsage) -> Value {
    json!({
        "Driver": "local",
        "Links": volume.links.to_string(),
        "Name": volume.name,
        "Scope": "local",
        "Size": human_size(volume.bytes, DISK_DIGITS),
    })
}

fn cache_row(entry: &CacheUsage, view: &DiskView<'_>) -> Value {
    let is_used = entry.state == CacheState::InUse;
    let mark = if is_used { "*" } else { "" };
    json!({
        "CacheType": entry.kind.name(),
        "CreatedAt": go_time(entry.created, view.zone),
        "CreatedSince": ago(entry.created, view.now),
        "Description": entry.description,
        "ID": format!("{}{mark}", entry.id.chars().take(12).collect::<String>()),
        "InUse": is_used.to_string(),
        "LastUsedAt": go_time(entry.used, view.zone),
        "LastUsedSince": ago(entry.used, view.now),
        "Parent": "",
        "Shared": entry.is_shared.to_string(),
        "Size": human_size(entry.bytes, LIST_DIGITS),
        "UsageCount": uses(entry.kind).to_string(),
    })
}

/// How often something was used is not counted: that it was made is once.
fn uses(kind: CacheKind) -> u32 {
    u32::from(!matches!(kind, CacheKind::Layer | CacheKind::Unfinished))
}

/// The fields of parts of the build cache for `builder du` and `builder prune`: a table as buildx has it, and the sum.
pub(crate) fn cache_table(entries: &[CacheUsage], total: u64, now: Timestamp) -> Result<String, TemplateError> {
    const COLUMNS: Columns = Columns {
        table: &["ID", "Reclaimable", "Size", "LastAccessed"],
        titles: &[("ID", "ID"), ("Reclaimable", "RECLAIMABLE"), ("Size", "SIZE"), ("LastAccessed", "LAST ACCESSED")],
    };
    let rows: Vec<Value> = entries
        .iter()
        .map(|entry| {
            let is_used = entry.state == CacheState::InUse;
            let mut row = Map::new();
            row.insert("ID".to_owned(), format!("{}{}", entry.id, if is_used { "*" } else { "" }).into());
            row.insert("Reclaimable".to_owned(), (!is_used).to_string().into());
            let shared = if entry.is_shared { "*" } else { "" };
            row.insert("Size".to_owned(), format!("{}{shared}", human_size(entry.bytes, DISK_DIGITS)).into());
            row.insert("LastAccessed".to_owned(), ago(entry.used, now).into());
            Value::Object(row)
        })
        .collect();
    let table = if rows.is_empty() { String::new() } else { list::render(None, &COLUMNS, &rows)? };
    Ok(format!("{table}Total:  {}\n", human_size(total, DISK_DIGITS)))
}

/// The same, all that is known of each.
pub(crate) fn cache_in_full(entries: &[CacheUsage], total: u64, view: &DiskView<'_>) -> String {
    let mut text = String::new();
    for entry in entries {
        let is_used = entry.state == CacheState::InUse;
        let facts = [
            ("ID", entry.id.clone()),
            ("Created at", go_time(entry.created, view.zone)),
            ("Mutable", matches!(entry.kind, CacheKind::Mount | CacheKind::Unfinished).to_string()),
            ("Reclaimable", (!is_used).to_string()),
            ("Shared", entry.is_shared.to_string()),
            ("Size", human_size(entry.bytes, DISK_DIGITS)),
            ("Description", crate::ui::printable::printable(&entry.description).into_owned()),
            ("Last used", ago(entry.used, view.now)),
            ("Type", entry.kind.name().to_owned()),
        ];
        for (name, value) in facts {
            text += &format!("{:<16}{value}\n", format!("{name}:"));
        }
        text.push('\n');
    }
    text + &format!("Total:  {}\n", human_size(total, DISK_DIGITS))
}

#[cfg(test)]
mod tests {
    use super::{Share, row};

    #[test]
    fn s271_s272_four_digits_and_a_percentage_rounded_down() {
        let text = |bytes, reclaimable, with_percent| {
            let row = row("Images", Share { count: 1, active: 0, bytes, reclaimable }, with_percent);
            format!("{} {}", row["Size"].as_str().unwrap(), row["Reclaimable"].as_str().unwrap())
        };
        assert_eq!(text(1_169_000_000, 6_890_000, true), "1.169GB 6.89MB (0%)");
        assert_eq!(text(2_404, 2_398, true), "2.404kB 2.398kB (99%)");
        assert_eq!(text(0, 0, true), "0B 0B");
        assert_eq!(text(10, 0, true), "10B 0B (0%)");
        assert_eq!(text(500_700_000, 500_700_000, false), "500.7MB 500.7MB");
        assert_eq!(text(u64::MAX, u64::MAX, true), "18.45EB 18.45EB (100%)");
    }
}
