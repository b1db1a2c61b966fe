//! Times the indexing of a tar: `index_tar FILE.tar OUT.tar OUT.idx`.
use std::fs::File;
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let start = std::time::Instant::now();
    let stream = File::open(&args[1]).unwrap();
    let tar = File::create(&args[2]).unwrap();
    let layer = layer::ingest(stream, tar, None).unwrap();
    std::fs::write(&args[3], &layer.index).unwrap();
    println!(
        "{:?} {} tar {} content {} index {}",
        start.elapsed(),
        layer.diff_id,
        layer.tar_size,
        layer.content_size,
        layer.index.len()
    );
}
