use std::path::Path;

use super::default_root;

/// D2: where the store is.
#[test]
fn store_is_where_such_data_belongs() {
    let home = |name: &str| (name == "HOME").then(|| "/home/a".to_owned());
    let xdg = |name: &str| Some(if name == "HOME" { "/home/a" } else { "/data" }.to_owned());
    let relative = |name: &str| Some(if name == "HOME" { "/home/a" } else { "data" }.to_owned());
    assert_eq!(default_root(true, &xdg), Path::new("/var/lib/onggi"));
    assert_eq!(default_root(false, &xdg), Path::new("/data/onggi"));
    assert_eq!(default_root(false, &home), Path::new("/home/a/.local/share/onggi"));
    assert_eq!(default_root(false, &relative), Path::new("/home/a/.local/share/onggi"));
    assert_eq!(default_root(false, &|_| None), Path::new("/tmp/onggi"));
}
