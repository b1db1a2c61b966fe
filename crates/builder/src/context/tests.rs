use std::fs;
use std::sync::Arc;

use dockerfile::IgnoreFile;
use store::Store;

use super::Context;
use crate::filter::Filter;

/// One thread or eight: the same entries with the same digests, in the same order.
#[test]
fn b093_what_is_read_does_not_depend_on_the_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let files = folder.path().join("files");
    for number in 0..40 {
        let inner = files.join(format!("d{number}/e{}", number % 3));
        fs::create_dir_all(&inner).unwrap();
        for file in 0..20 {
            fs::write(inner.join(format!("f{file}")), format!("{number} {file}").repeat(number + 1)).unwrap();
        }
    }
    let read = |threads: usize| {
        let store = Store::open(&folder.path().join(format!("store-{threads}"))).unwrap();
        let mut context = Context::open(&store, &files, IgnoreFile::default()).unwrap();
        context.threads = threads;
        let context = Arc::new(context);
        let mut selection = context.select(b"", &Filter::default()).unwrap();
        context.digest(&mut selection).unwrap();
        let shown =
            |entry: &crate::source::SourceEntry| format!("{:?} {:?} {:?}", entry.path, entry.kind, entry.digest);
        selection.entries.iter().map(shown).collect::<Vec<_>>()
    };
    let one = read(1);
    assert!(one.len() > 800 && one.iter().filter(|entry| entry.contains("Some")).count() == 800, "{}", one.len());
    for threads in [2, 3, 8, 8, 8] {
        assert!(read(threads) == one, "{threads} threads");
    }
}
