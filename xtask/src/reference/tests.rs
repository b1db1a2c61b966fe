use super::{PAGES, stale};

/// D178: every check has its place in the reference, with both examples.
#[test]
fn d178_every_check_is_in_the_reference() {
    let page = super::checks();
    for rule in dockerfile::rules() {
        assert!(page.contains(&format!("\n## {}\n", rule.name)), "{rule:?}");
        assert!(page.contains(rule.bad) && page.contains(rule.good), "{rule:?}");
        assert!(page.replace('\n', " ").contains(rule.why), "{rule:?}");
    }
}

#[test]
fn a_page_that_was_changed_by_hand_is_found() {
    let (path, text) = PAGES[0];
    let text = text();
    assert_eq!(stale(|asked| (asked == path).then_some(text.as_str())), Vec::<String>::new());
    let changed = text.replace("StageNameCasing", "StageNames");
    let complaint = format!("{path}: write it again with `cargo xtask docs`");
    assert_eq!(stale(|_| Some(&changed)), [complaint.as_str()]);
    assert_eq!(stale(|_| None), [complaint]);
}
