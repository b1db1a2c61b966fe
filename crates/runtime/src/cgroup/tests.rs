use super::*;

#[test]
fn names_stay_below_their_hierarchy() {
    for name in ["onggi/abc", "a", "a/b/c"] {
        assert!(check_name(name).is_ok(), "{name}");
    }
    for name in ["", "/a", "a/", "a//b", "../a", "a/../b", "a/./b", "a\0b"] {
        assert!(check_name(name).is_err(), "{name:?}");
    }
}

#[test]
fn folders_are_made_with_their_parents_and_leave_nothing() {
    let hierarchy = tempfile::tempdir().unwrap();
    let mut one = CgroupFolders::default();
    let mut two = CgroupFolders::default();
    one.create(hierarchy.path(), "onggi/one").unwrap();
    let folder = two.create(hierarchy.path(), "onggi/two").unwrap();
    drop(one);
    assert!(folder.exists());
    // A stale empty folder of the same name is no obstacle.
    let mut again = CgroupFolders::default();
    again.create(hierarchy.path(), "onggi/two").unwrap();
    drop((two, again));
    assert_eq!(std::fs::read_dir(hierarchy.path()).unwrap().count(), 0);
}
