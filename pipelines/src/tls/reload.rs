//! Loads the certificate again when the contents of its files change.
//!
//! Contents are compared and not times or inodes, so that renamed files, swapped links and files on other machines
//! work too. Only a pair that fits is loaded: while one file is new and the other is not, the old pair stays in use. Contents
//! that are still wrong when they are looked at a second time are reported.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use blake3::Hash;
use orderflow_api::{Part, Status};
use tokio_util::sync::CancellationToken;

use super::{Current, files::TlsFiles};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Looks at the files of the certificate.
#[derive(Debug)]
pub struct Reload {
    files: TlsFiles,
    current: Arc<Current>,
    loaded: Hash,
    /// Contents that cannot be loaded, and whether that is reported.
    wrong: Option<(Hash, bool)>,
}

/// What a look at the files has found.
#[derive(Debug)]
enum Found {
    /// What is loaded already.
    Unchanged,
    /// A new pair, which is in use now.
    Replaced,
    /// Wrong contents for the first time. The second file may be on its way.
    Unsettled,
    /// Wrong contents for the second time.
    Wrong(anyhow::Error),
    /// Wrong contents that are reported already.
    StillWrong,
}

impl Reload {
    pub(super) fn new(files: TlsFiles, loaded: Hash, current: Arc<Current>) -> Self {
        Self { files, current, loaded, wrong: None }
    }

    /// Looks at the files until it is stopped. `part` shows whether they could be loaded.
    pub async fn run(mut self, part: Part, stop: CancellationToken) -> Result<()> {
        part.set(Status::Ready);
        let mut every = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                _ = every.tick() => {}
            }
            // A file system can be slow.
            let found;
            (self, found) = tokio::task::spawn_blocking(move || {
                let found = self.look();
                (self, found)
            })
            .await?;
            self.report(found, &part);
        }
    }

    fn look(&mut self) -> Found {
        let read = self.files.read();
        let seen = match &read {
            Ok(contents) => contents.fingerprint(),
            Err(error) => blake3::hash(format!("{error:#}").as_bytes()),
        };
        if seen == self.loaded {
            self.wrong = None;
            return Found::Unchanged;
        }
        match read.and_then(|contents| self.files.certified_key(&contents)) {
            Ok(certificate) => {
                self.current.replace(certificate);
                (self.loaded, self.wrong) = (seen, None);
                Found::Replaced
            }
            Err(error) => match &mut self.wrong {
                Some((before, is_reported)) if *before == seen => {
                    match std::mem::replace(is_reported, true) {
                        true => Found::StillWrong,
                        false => Found::Wrong(error),
                    }
                }
                _ => {
                    self.wrong = Some((seen, false));
                    Found::Unsettled
                }
            },
        }
    }

    fn report(&self, found: Found, part: &Part) {
        let certificate = self.files.certificate.display();
        match found {
            Found::Unchanged => part.set(Status::Ready),
            Found::Replaced => {
                tracing::info!(%certificate, "a new certificate is in use");
                part.set(Status::Ready);
            }
            Found::Unsettled | Found::StillWrong => {}
            Found::Wrong(error) => {
                let error = format!("{error:#}");
                tracing::warn!(%certificate, error, "the certificate cannot be loaded; the old one stays in use");
                part.set(Status::Waiting);
            }
        }
    }
}
