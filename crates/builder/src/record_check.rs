//! Whether a record can be what its name says, for those who look over the store.

use oci::Digest;
use store::RecordKind;

use crate::export::is_image_record;
use crate::key::CacheKey;
use crate::known::KnownStep;
use crate::stage_run::StepRecord;
use crate::stat_index::StatIndex;

/// Says what is wrong with a record, if something is. That what it says is true cannot be seen from it alone.
pub fn check_record(kind: RecordKind, key: Digest, content: &[u8]) -> Option<&'static str> {
    let is_right = match kind {
        RecordKind::Step => {
            // Among the results are the times at which images were first made.
            if is_image_record(content) && StepRecord::parse(content).is_none() {
                return None;
            }
            let Some(record) = StepRecord::parse(content) else { return Some("it is no record of a build step") };
            // A result that is found by where it was copied from is not named by its own key.
            let own = CacheKey::parse(&record.key).map(|key| key.digest());
            return (own != Some(key)).then_some("it is the record of another step");
        }
        RecordKind::Build => {
            let text = String::from_utf8_lossy(content);
            text.split("\n\n").all(|step| step.trim().is_empty() || KnownStep::parse(step).is_some())
        }
        RecordKind::Context => StatIndex::is_whole(content),
        RecordKind::Remote => store::layer_of_record(content).is_some(),
        RecordKind::Transport => serde_json::from_slice::<Vec<serde_json::Value>>(content).is_ok_and(|blobs| {
            blobs.iter().all(|blob| blob["digest"].as_str().is_some_and(|text| text.parse::<Digest>().is_ok()))
        }),
    };
    (!is_right).then_some("it cannot be read")
}
