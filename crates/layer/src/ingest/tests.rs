use std::io::Cursor;

use super::*;

#[test]
fn an_empty_layer_has_the_well_known_digest() {
    let tar = vec![0; 1024];
    let layer = ingest(Cursor::new(&tar), tempfile::tempfile().unwrap(), None).unwrap();
    let known = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";
    assert_eq!(layer.diff_id.to_string(), known);
}
