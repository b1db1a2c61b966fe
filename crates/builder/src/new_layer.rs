//! A layer on its way into the store.

use layer::{LayerWriter, Timestamp};
use oci::DiffId;
use store::{LayerSink, Store};

use crate::build::BuildError;
use crate::failure::internal;

/// Something to write entries to.
pub(crate) struct NewLayer {
    sink: LayerSink,
    pub(crate) writer: LayerWriter,
}

impl NewLayer {
    /// No file in it will be later than `ceiling`.
    pub(crate) fn begin(store: &Store, ceiling: Option<Timestamp>) -> Result<Self, BuildError> {
        let sink = store.layer_sink()?;
        let file = sink.file().map_err(|error| internal("open the new layer", &error))?;
        Ok(Self { sink, writer: LayerWriter::new(file).with_ceiling(ceiling) })
    }

    /// Puts it into the store.
    pub(crate) fn finish(self, store: &Store) -> Result<DiffId, BuildError> {
        let finished = self.writer.finish().map_err(|error| internal("write the new layer", &error))?;
        store.add_layer(finished.diff_id, self.sink, &finished.index, None)?;
        Ok(finished.diff_id)
    }
}
