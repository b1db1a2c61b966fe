use jiff::{Timestamp, tz::TimeZone};

use engine::ImageSummary;

use super::{ImagesView, render};

const ID: &str = "sha256:e3b6a0b0d1f2c4a5968778695a4b3c2d1e0f00112233445566778899aabbccdd";

fn row(name: Option<(&str, &str)>, created: Option<&str>, size: u64) -> ImageSummary {
    ImageSummary {
        repository: name.map(|(repository, _)| repository.to_owned()),
        tag: name.map(|(_, tag)| tag.to_owned()),
        digest: None,
        id: ID.parse().unwrap(),
        parent: None,
        created: created.map(|text| text.parse().unwrap()),
        size,
        labels: Vec::new(),
    }
}

fn rows() -> Vec<ImageSummary> {
    let mut pulled = row(Some(("diamol/ch03-web-ping", "latest")), Some("2024-11-21T04:00:00Z"), 75_500_000);
    pulled.digest = Some("sha256:2f2dce710a7f287afc2d7bbd0d68d024bab5ee37a1f658cef46c64b1a69affd2".to_owned());
    vec![
        row(Some(("hello-name", "v2")), Some("2026-11-21T04:30:13Z"), 351_200_000),
        row(Some(("hello-name", "v1")), Some("2026-11-21T04:30:13Z"), 351_200_000),
        row(None, Some("2026-11-20T05:30:17Z"), 6_891_234),
        pulled,
        row(Some(("scratch-thing", "latest")), None, 0),
    ]
}

fn show(change: impl FnOnce(&mut ImagesView<'_>)) -> String {
    let now: Timestamp = "2026-11-21T04:30:17Z".parse().unwrap();
    let mut view =
        ImagesView { format: None, only_ids: false, with_digests: false, full_ids: false, now, zone: &TimeZone::UTC };
    change(&mut view);
    render(&rows(), &view).unwrap()
}

/// S200, S202 to S204, S206, S207, X2.
#[test]
fn table_is_dockers() {
    insta::assert_snapshot!(show(|_| {}), @"
    REPOSITORY             TAG       IMAGE ID       CREATED         SIZE
    hello-name             v2        e3b6a0b0d1f2   4 seconds ago   351MB
    hello-name             v1        e3b6a0b0d1f2   4 seconds ago   351MB
    <none>                 <none>    e3b6a0b0d1f2   23 hours ago    6.89MB
    diamol/ch03-web-ping   latest    e3b6a0b0d1f2   2 years ago     75.5MB
    scratch-thing          latest    e3b6a0b0d1f2   N/A             0B
    ");
}

#[test]
fn digests_have_their_own_column() {
    insta::assert_snapshot!(show(|view| view.with_digests = true), @"
    REPOSITORY             TAG       DIGEST                                                                    IMAGE ID       CREATED         SIZE
    hello-name             v2        <none>                                                                    e3b6a0b0d1f2   4 seconds ago   351MB
    hello-name             v1        <none>                                                                    e3b6a0b0d1f2   4 seconds ago   351MB
    <none>                 <none>    <none>                                                                    e3b6a0b0d1f2   23 hours ago    6.89MB
    diamol/ch03-web-ping   latest    sha256:2f2dce710a7f287afc2d7bbd0d68d024bab5ee37a1f658cef46c64b1a69affd2   e3b6a0b0d1f2   2 years ago     75.5MB
    scratch-thing          latest    <none>                                                                    e3b6a0b0d1f2   N/A             0B
    ");
}

/// C002.
#[test]
fn other_formats() {
    assert_eq!(show(|view| view.only_ids = true), "e3b6a0b0d1f2\n".repeat(5));
    assert_eq!(show(|view| (view.only_ids, view.full_ids) = (true, true)), format!("{ID}\n").repeat(5));
    insta::assert_snapshot!(show(|view| view.format = Some("{{.Repository}}:{{.Tag}} {{.CreatedAt}}")), @"
    hello-name:v2 2026-11-21 04:30:13 +0000 UTC
    hello-name:v1 2026-11-21 04:30:13 +0000 UTC
    <none>:<none> 2026-11-20 05:30:17 +0000 UTC
    diamol/ch03-web-ping:latest 2024-11-21 04:00:00 +0000 UTC
    scratch-thing:latest N/A
    ");
    let json = show(|view| view.format = Some("json"));
    insta::assert_snapshot!(json.lines().nth(2).unwrap(), @r#"{"Containers":"N/A","CreatedAt":"2026-11-20 05:30:17 +0000 UTC","CreatedSince":"23 hours ago","Digest":"<none>","ID":"e3b6a0b0d1f2","Repository":"<none>","SharedSize":"N/A","Size":"6.89MB","Tag":"<none>","UniqueSize":"N/A","VirtualSize":"6.891MB"}"#);
}
