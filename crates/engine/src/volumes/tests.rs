use std::collections::BTreeMap;

use super::record::{VolumeContent, VolumeRecord, check_name};
use super::{VolumeFilter, natural_order};

fn record(options: &[(&str, &str)]) -> VolumeRecord {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let options: BTreeMap<String, String> = options.iter().map(pair).collect();
    VolumeRecord { options: Some(options).filter(|options| !options.is_empty()), ..VolumeRecord::default() }
}

#[test]
fn c321_options_are_those_of_the_local_driver() {
    let content = |options: &[(&str, &str)]| record(options).content("v1").map_err(|error| error.message);
    assert_eq!(content(&[]), Ok(VolumeContent::Own));
    let memory = [("type", "tmpfs"), ("device", "tmpfs"), ("o", "size=1m")];
    assert_eq!(content(&memory), Ok(VolumeContent::Memory("size=1m".to_owned())));
    let bind = [("type", "none"), ("device", "/data"), ("o", "bind")];
    assert_eq!(content(&bind), Ok(VolumeContent::Folder("/data".into())));
    for (options, message) in [
        (&[("foo", "bar")][..], "create v1: invalid option: \"foo\""),
        (&[("type", "none")], "create v1: missing required option: \"device\""),
        (&[("device", "x"), ("type", "nfs"), ("o", "addr=h")], "create v1: volumes of type \"nfs\" are not there yet"),
    ] {
        assert_eq!(content(options), Err(message.to_owned()));
    }
}

#[test]
fn c321_names_are_dockers() {
    for name in ["v1", "a.b-c_d", "0000", &"x".repeat(255)] {
        assert!(check_name(name).is_ok(), "{name}");
    }
    for name in ["", "a", "a/b", "-a", "../x", "a b", "ä1", &"x".repeat(256)] {
        assert!(check_name(name).is_err(), "{name}");
    }
}

#[test]
fn c321_filters_and_order() {
    let labels = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
    let record = VolumeRecord { labels: Some(labels), ..VolumeRecord::default() };
    let label = |value: Option<&str>| vec![("a".to_owned(), value.map(str::to_owned))];
    let all = VolumeFilter::default();
    for (filter, passes) in [
        (VolumeFilter { dangling: Some(true), ..all.clone() }, false),
        (VolumeFilter { dangling: Some(false), ..all.clone() }, true),
        (VolumeFilter { names: vec!["e".to_owned()], ..all.clone() }, true),
        (VolumeFilter { names: vec!["x".to_owned()], ..all.clone() }, false),
        (VolumeFilter { drivers: vec!["nfs".to_owned()], ..all.clone() }, false),
        (VolumeFilter { labels: label(None), ..all.clone() }, true),
        (VolumeFilter { labels: label(Some("c")), ..all.clone() }, false),
        (VolumeFilter { without_labels: label(Some("b")), ..all.clone() }, false),
        (VolumeFilter { without_labels: label(Some("c")), ..all }, true),
    ] {
        assert_eq!(filter.passes("web", &record, true), passes, "{filter:?}");
    }
    let mut names = ["v10", "v9", "460d", "93c", "v", "v09", "a1b2", "a1b10"];
    names.sort_by(|one, other| natural_order(one, other));
    assert_eq!(names, ["93c", "460d", "a1b2", "a1b10", "v", "v9", "v09", "v10"]);
}
