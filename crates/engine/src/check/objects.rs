//! What is small: images, names, records, and what surrounds containers, volumes, caches, failures and logs.

use oci::{ChainId, DiffId, Digest, ImageId, Reference};
use serde_json::Value;
use store::{RawKind, RecordKind, layer_of_record};

use super::content::OTHER_DIGEST;
use super::{Checker, Remedy, StoreCheck, StoreProblem, problem};
use crate::Error;

impl Checker<'_> {
    pub(super) fn objects(&self, check: &mut StoreCheck) -> Result<(), Error> {
        let problems = &mut check.problems;
        for name in self.store.strangers()? {
            problems.push(problem(name, STRANGER, Remedy::Nothing));
        }
        self.images(problems)?;
        self.references(problems)?;
        self.layer_files(problems)?;
        self.records(problems)?;
        self.containers(problems)?;
        self.folders(problems)
    }

    fn images(&self, problems: &mut Vec<StoreProblem>) -> Result<(), Error> {
        for (name, path) in self.files("images")? {
            let Ok(id) = Digest::from_hex(&name).map(ImageId) else {
                problems.push(problem(path, STRANGER, Remedy::Remove));
                continue;
            };
            let broken = |what: &str| {
                let breaks = self.names.get(&id).into_iter().flatten().map(|name| format!("image {}", name.familiar()));
                StoreProblem { breaks: breaks.collect(), ..problem(path.clone(), what, Remedy::RemoveImage(id)) }
            };
            match self.store.image_bytes(id)? {
                None => {}
                Some(bytes) if Digest::of(&bytes) != id.0 => problems.push(broken(OTHER_DIGEST)),
                Some(_) if !self.images.contains_key(&id) => problems.push(broken("it is no config of an image")),
                Some(_) => {
                    for layer in &self.images[&id].rootfs.diff_ids {
                        if !self.tars.contains(layer) {
                            let path = format!("layers/{}.tar", layer.0.hex());
                            let missing = problem(path, "it is not there", Remedy::RemoveLayer(*layer));
                            problems.push(StoreProblem { breaks: self.users_of(*layer), ..missing });
                        }
                    }
                }
            }
        }
        problems.dedup();
        for folder in ["parents", "pins"] {
            for (name, path) in self.files(folder)? {
                let id = Digest::from_hex(&name).map(ImageId);
                let wrong = match id {
                    Err(_) => Some(STRANGER),
                    // Somebody was killed between the two; the next prune takes it.
                    Ok(id) if !self.store.has_image(id)? => None,
                    Ok(id) if folder == "parents" && self.store.parent(id)?.is_none() => Some("it holds no image ID"),
                    Ok(_) => None,
                };
                problems.extend(wrong.map(|what| problem(path, what, Remedy::Remove)));
            }
        }
        Ok(())
    }

    fn references(&self, problems: &mut Vec<StoreProblem>) -> Result<(), Error> {
        for (name, path) in self.files("references")? {
            let Ok(reference) = name.replace('+', "/").parse::<Reference>() else {
                problems.push(problem(path, STRANGER, Remedy::Remove));
                continue;
            };
            let wrong = match self.store.reference(&reference) {
                Ok(Some(id)) if !self.store.has_image(id)? => "its image is not there",
                Ok(_) => continue,
                Err(_) => "it holds no image ID",
            };
            let breaks = vec![format!("image {}", reference.familiar())];
            problems.push(StoreProblem { breaks, ..problem(path, wrong, Remedy::Remove) });
        }
        Ok(())
    }

    /// Indexes without a tar, tars of images without an index, and what is neither.
    fn layer_files(&self, problems: &mut Vec<StoreProblem>) -> Result<(), Error> {
        for (name, path) in self.files("layers")? {
            let digits = name.get(..64).and_then(|digits| Digest::from_hex(digits).ok()).map(DiffId);
            let is_ours = digits.is_some_and(|layer| match name[64..].strip_suffix(".erofs") {
                Some("") => true,
                Some(chain) => chain.strip_prefix('-').is_some_and(|chain| Digest::from_hex(chain).is_ok()),
                None => &name[64..] == ".tar" && self.tars.contains(&layer),
            });
            match digits.filter(|_| is_ours) {
                None => problems.push(problem(path, STRANGER, Remedy::Remove)),
                Some(layer) if !self.tars.contains(&layer) => {
                    problems.push(problem(path, "its tar is not there", Remedy::Remove));
                }
                Some(_) => {}
            }
        }
        for (name, path) in self.files("extracted")? {
            let is_ours = name.get(..64).is_some_and(|digits| Digest::from_hex(digits).is_ok());
            if !is_ours {
                problems.push(problem(path, STRANGER, Remedy::Remove));
            }
        }
        let mut told = std::collections::HashSet::new();
        for config in self.images.values() {
            let mut below = None;
            for (place, layer) in config.rootfs.diff_ids.iter().enumerate() {
                let is_there = self.store.has_layer(*layer, below)? || self.store.extracted(*layer, below)?.is_some();
                if !is_there && self.tars.contains(layer) && told.insert((*layer, below)) {
                    problems.extend(self.missing_index(*layer, below, &config.rootfs.diff_ids[..place])?);
                }
                below = Some(below.map_or(ChainId(layer.0), |chain: ChainId| chain.then(*layer)));
            }
        }
        Ok(())
    }

    fn missing_index(
        &self,
        layer: DiffId,
        below: Option<ChainId>,
        stack: &[DiffId],
    ) -> Result<Option<StoreProblem>, Error> {
        let hex = layer.0.hex();
        let tree = match image::Stack::open(self.store, stack) {
            Ok(stack) => stack.tree(),
            // What is wrong below is told and mended first.
            Err(_) => return Ok(None),
        };
        let plain = self.index_above(layer, &layer::Tree::default())?;
        let (name, chain, index) = match (plain, below) {
            (Some(index), _) => (format!("layers/{hex}.erofs"), None, index),
            (None, Some(chain)) => match self.index_above(layer, &tree)? {
                Some(index) => (format!("layers/{hex}-{}.erofs", chain.0.hex()), Some(chain), index),
                None => return Ok(None),
            },
            (None, None) => return Ok(None),
        };
        let problem = problem(name, "it is not there", Remedy::Index(layer, chain, index));
        Ok(Some(StoreProblem { breaks: self.users_of(layer), ..problem }))
    }

    fn records(&self, problems: &mut Vec<StoreProblem>) -> Result<(), Error> {
        use RecordKind::{Build, Context, Remote, Step, Transport};
        for kind in [Step, Build, Context, Remote, Transport] {
            for (name, path) in self.files(kind.folder())? {
                let Ok(key) = Digest::from_hex(&name) else {
                    problems.push(problem(path, STRANGER, Remedy::Remove));
                    continue;
                };
                let Some(bytes) = self.store.raw_read(&path)? else { continue };
                self.saw(bytes.len() as u64);
                let lost = layer_of_record(&bytes).filter(|layer| !self.tars.contains(layer));
                let wrong = match builder::check_record(kind, key, &bytes) {
                    Some(wrong) => Some(wrong),
                    None if matches!(kind, Step | Remote) && lost.is_some() => Some("its layer is not there"),
                    None => None,
                };
                problems.extend(wrong.map(|what| problem(path, what, Remedy::Remove)));
            }
        }
        for folder in ["blobs", "partial"] {
            for (name, path) in self.files(folder)? {
                if Digest::from_hex(&name).is_err() {
                    problems.push(problem(path, STRANGER, Remedy::Remove));
                }
            }
        }
        Ok(())
    }

    fn containers(&self, problems: &mut Vec<StoreProblem>) -> Result<(), Error> {
        let volumes = self.store.volume_names()?;
        for (id, path) in self.files("containers")? {
            let mut wrong = |what: String| {
                let breaks = vec![format!("container {}", id.get(..12).unwrap_or(&id))];
                problems.push(StoreProblem { breaks, ..problem(path.clone(), what, Remedy::Nothing) });
            };
            let Some(folder) = self.store.container(&id)? else { continue };
            let config = folder.read("config.json")?;
            if config.is_none_or(|bytes| serde_json::from_slice::<Value>(&bytes).is_err()) {
                wrong("its config.json cannot be read: `onggi rm` removes what is left of it".to_owned());
            }
            let image = folder.read("image")?.unwrap_or_default();
            let image = std::str::from_utf8(&image).ok().and_then(|text| text.trim_end().parse::<ImageId>().ok());
            match image {
                None => wrong("it does not say of which image it is".to_owned()),
                Some(image) if !self.store.has_image(image)? => wrong(format!("its image {image} is not there")),
                Some(_) => {}
            }
            let named = folder.read("volumes")?.unwrap_or_default();
            for volume in String::from_utf8_lossy(&named).lines() {
                if !volumes.iter().any(|known| known == volume) {
                    wrong(format!(
                        "its volume {volume} is not there: `onggi volume create {volume}` makes an empty one"
                    ));
                }
            }
        }
        for (_, path) in self.files("names")? {
            let id = self.store.raw_read(&path)?.unwrap_or_default();
            let id = String::from_utf8_lossy(&id).trim_end().to_owned();
            if id.is_empty() || self.store.raw_kind(&format!("containers/{id}"))?.is_none() {
                problems.push(problem(path, "its container is not there", Remedy::Remove));
            }
        }
        Ok(())
    }

    fn folders(&self, problems: &mut Vec<StoreProblem>) -> Result<(), Error> {
        let is_json = |path: &str| -> Result<bool, Error> {
            Ok(self.store.raw_read(path)?.is_some_and(|bytes| serde_json::from_slice::<Value>(&bytes).is_ok()))
        };
        let is_folder =
            |path: String| -> Result<bool, Error> { Ok(self.store.raw_kind(&path)? == Some(RawKind::Folder)) };
        for (name, path) in self.files("volumes")? {
            let breaks = vec![format!("volume {name}")];
            let wrong = if !is_json(&format!("{path}/volume.json"))? {
                "its volume.json cannot be read"
            } else if !is_folder(format!("{path}/_data"))? {
                "it has no data"
            } else {
                continue;
            };
            problems.push(StoreProblem { breaks, ..problem(path, wrong, Remedy::Nothing) });
        }
        for (name, path) in self.files("networks")? {
            if !is_json(&path)? {
                let breaks = vec![format!("network {name}")];
                problems.push(StoreProblem { breaks, ..problem(path, "it cannot be read", Remedy::Remove) });
            }
        }
        for (id, layers) in self.store.layers_of_failures()? {
            let path = format!("failures/{id}");
            let order = self.store.raw_read(&format!("{path}/order"))?.unwrap_or_default();
            let order = std::str::from_utf8(&order).ok().and_then(|text| text.parse::<i128>().ok());
            let is_whole =
                order.is_some() && is_json(&format!("{path}/record.json"))? && is_folder(format!("{path}/upper"))?;
            if !is_whole || self.store.raw_kind(&format!("{path}/layers"))?.is_none() {
                problems.push(problem(path, "it is not whole", Remedy::Remove));
            } else if layers.iter().any(|layer| !self.tars.contains(layer)) {
                problems.push(problem(path, "a layer below it is not there", Remedy::Remove));
            }
        }
        for (name, path) in self.files("caches")? {
            let description = self.store.raw_read(&format!("{path}/id"))?;
            let digest = description.map(|bytes| Digest::of(&bytes));
            if digest.is_none() || digest != Digest::from_hex(&name).ok() {
                problems.push(problem(path, "it does not say which cache it is", Remedy::Remove));
            }
        }
        for (name, path) in self.files("logs")? {
            let index = self.store.raw_read(&format!("{path}/index.json"))?.unwrap_or_default();
            let id = serde_json::from_slice::<Value>(&index).ok().and_then(|index| Some(index["id"].as_str()? == name));
            if id != Some(true) {
                problems.push(problem(path, "its index cannot be read", Remedy::Remove));
            }
        }
        Ok(())
    }

    /// Names in a folder with their paths.
    fn files(&self, folder: &str) -> Result<Vec<(String, String)>, Error> {
        let names = self.store.raw_names(folder)?;
        names.iter().for_each(|_| self.saw(0));
        Ok(names.into_iter().map(|name| (name.clone(), format!("{folder}/{name}"))).collect())
    }
}

const STRANGER: &str = "it is no file of the store";
