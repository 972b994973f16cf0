//! `topics.json`: which topics exist, with how many partitions.
//!
//! *Layout*: `{"format": 1, "topics": {"orders.commands": 8, …}}`. *Durability*: replaced as a whole by a rename, with
//! the file synced before it and the folder after it, before anything is appended to a new topic.

use std::{collections::BTreeMap, io, path::Path};

use orderflow_schemas::Topic;
use orderflow_world::disk::{Access, Disk, read_file};
use serde::{Deserialize, Serialize};

use super::OpenError;

const FILE: &str = "topics.json";
const FORMAT: u32 = 1;

/// How many partitions each topic has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Catalog(BTreeMap<Topic, u16>);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    topics: BTreeMap<String, u16>,
}

impl Catalog {
    pub(super) fn partitions(&self, topic: Topic) -> u16 {
        self.0.get(&topic).copied().unwrap_or(0)
    }

    pub(super) fn set(&mut self, topic: Topic, partitions: u16) {
        self.0.insert(topic, partitions);
    }

    pub(super) fn partitions_total(&self) -> usize {
        self.0.values().map(|count| usize::from(*count)).sum()
    }

    /// Reads the catalog; an empty one if there is no file.
    pub(super) fn load(disk: &dyn Disk, dir: &Path) -> Result<Self, OpenError> {
        let path = dir.join(FILE);
        let bytes = match read_file(disk, &path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(OpenError::io("read", &path)(error)),
        };
        Self::parse(&bytes).map_err(|why| OpenError::Damaged { file: path, position: 0, why })
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let file: File = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if file.format != FORMAT {
            return Err(format!("its format is {}, this version reads {FORMAT}", file.format));
        }
        let mut catalog = Self::default();
        for (name, partitions) in file.topics {
            let topic = name.parse().map_err(|error: orderflow_schemas::UnknownTopic| error.to_string())?;
            catalog.set(topic, partitions);
        }
        Ok(catalog)
    }

    /// Replaces the file, durably.
    pub(super) fn store(&self, disk: &dyn Disk, dir: &Path) -> io::Result<()> {
        let topics = self.0.iter().map(|(topic, count)| (topic.to_string(), *count)).collect();
        let bytes = serde_json::to_vec_pretty(&File { format: FORMAT, topics }).map_err(io::Error::other)?;
        let (path, new) = (dir.join(FILE), dir.join("topics.json.new"));
        let file = disk.open(&new, Access::Create)?;
        file.write_at(&bytes, 0)?;
        file.sync()?;
        disk.rename(&new, &path)?;
        disk.sync_dir(dir)
    }
}
