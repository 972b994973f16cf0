//! `topics.json`: the log's identity, its topics, and the number of partitions of each.
//!
//! *Layout*: `{"format": 2, "id": "…", "topics": {"orders.commands": 8, …}}`.
//! *Durability*: a rename replaces the file as a whole. The file is synced before the rename and the folder after it,
//! and both before anything is appended to a new topic. The entry of a topic is therefore durable before its first
//! record.

use std::{collections::BTreeMap, io, path::Path};

use orderflow_schemas::{LogId, Topic};
use orderflow_world::disk::{Access, Disk, read_file};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::OpenError;

const FILE: &str = "topics.json";
const FORMAT: u32 = 2;

/// The identity of the log, and the number of partitions of each topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Catalog {
    id: LogId,
    topics: BTreeMap<Topic, u16>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    id: LogId,
    topics: BTreeMap<String, u16>,
}

/// The field that the files of all formats have.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

impl Catalog {
    /// The catalog of a log without topics.
    pub(super) fn new(id: LogId) -> Self {
        Self { id, topics: BTreeMap::new() }
    }

    pub(super) fn id(&self) -> &LogId {
        &self.id
    }

    pub(super) fn partitions(&self, topic: Topic) -> u16 {
        self.topics.get(&topic).copied().unwrap_or(0)
    }

    pub(super) fn set(&mut self, topic: Topic, partitions: u16) {
        self.topics.insert(topic, partitions);
    }

    pub(super) fn partitions_total(&self) -> usize {
        self.topics.values().map(|count| usize::from(*count)).sum()
    }

    /// Reads the catalog; `None` if the file does not exist.
    pub(super) fn load(disk: &dyn Disk, dir: &Path) -> Result<Option<Self>, OpenError> {
        let path = dir.join(FILE);
        let bytes = match read_file(disk, &path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(OpenError::io("read", &path)(error)),
        };
        let catalog = Self::parse(&bytes);
        catalog.map(Some).map_err(|why| OpenError::Damaged { file: path, position: 0, why })
    }

    /// Creates and stores the catalog of a new log, with `new_id` or else a random identity.
    pub(super) fn make(disk: &dyn Disk, dir: &Path, new_id: Option<&LogId>) -> Result<Self, OpenError> {
        let random = || Uuid::new_v4().to_string().parse().expect("a UUID is visible ASCII");
        let catalog = Self::new(new_id.cloned().unwrap_or_else(random));
        catalog.store(disk, dir).map_err(OpenError::io("write the list of topics in", dir))?;
        Ok(catalog)
    }

    /// The catalog that stands in for a missing file: no topics, and an identity that no log has.
    pub(super) fn missing() -> Self {
        Self::new("missing".parse().expect("it is visible ASCII"))
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let Format { format } = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if format != FORMAT {
            return Err(format!("its format is {format}, this version reads {FORMAT}"));
        }
        let file: File = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let mut catalog = Self::new(file.id);
        for (name, partitions) in file.topics {
            let topic = name.parse().map_err(|error: orderflow_schemas::UnknownTopic| error.to_string())?;
            catalog.set(topic, partitions);
        }
        Ok(catalog)
    }

    /// Replaces the file. It is durable when the call returns.
    pub(super) fn store(&self, disk: &dyn Disk, dir: &Path) -> io::Result<()> {
        let topics = self.topics.iter().map(|(topic, count)| (topic.to_string(), *count)).collect();
        let file = File { format: FORMAT, id: self.id.clone(), topics };
        let bytes = serde_json::to_vec_pretty(&file).map_err(io::Error::other)?;
        let (path, new) = (dir.join(FILE), dir.join("topics.json.new"));
        let file = disk.open(&new, Access::Create)?;
        file.write_at(&bytes, 0)?;
        file.sync()?;
        disk.rename(&new, &path)?;
        disk.sync_dir(dir)
    }
}
