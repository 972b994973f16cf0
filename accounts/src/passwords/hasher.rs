//! Hashing with Argon2id, on threads of its own.
//!
//! *Bound*: each thread computes one hash at a time, which takes 19 MiB of memory, and a bounded number of requests
//! wait. A request that gave up frees its place only when its hash is computed, so that no client commands more work
//! than the threads do. *Priority*: the threads yield to all others of the process. A flood of log-ins slows log-ins.

use std::{
    sync::{Arc, Mutex, OnceLock},
    thread,
};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier},
};
use orderflow_web::Problem;
use tokio::sync::{mpsc, oneshot};

use super::{Password, WeakPassword};
use crate::AccountsSettings;

/// OWASP, Password Storage Cheat Sheet: Argon2id with 19 MiB of memory, 2 passes and 1 lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// How much lower the priority of these threads is, in steps of `nice(2)`.
const NICE: i32 = 10;

type Job = Box<dyn FnOnce(&Argon2<'static>) + Send>;

/// Computes and checks hashes of passwords. Dropping it ends its threads.
pub struct Hasher {
    jobs: mpsc::Sender<Job>,
    /// The hash that passwords for unknown accounts are compared with, so that they take as long.
    decoy: Arc<OnceLock<String>>,
}

/// Too many requests wait for a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many requests wait for a password to be checked")]
pub struct HashingFull;

impl From<HashingFull> for Problem {
    fn from(full: HashingFull) -> Self {
        Self::unavailable("overloaded", full.to_string(), 2)
    }
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("these parameters are valid");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn hash(argon2: &Argon2<'_>, password: &[u8]) -> String {
    argon2.hash_password(password).expect("the system has random bytes, and the memory").to_string()
}

/// The hash of a password that nobody knows.
fn decoy_hash(argon2: &Argon2<'_>) -> String {
    let mut unknown = [0; 32];
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut unknown)
        .expect("the system has random bytes");
    hash(argon2, &unknown)
}

impl Hasher {
    /// Starts the threads.
    pub fn start(settings: &AccountsSettings) -> Self {
        let (jobs, queue) = mpsc::channel::<Job>(settings.hashes_waiting_max);
        let queue = Arc::new(Mutex::new(queue));
        let decoy = Arc::new(OnceLock::new());
        for number in 0..settings.hash_threads {
            let (queue, decoy) = (queue.clone(), decoy.clone());
            let work = move || {
                if let Err(error) = rustix::process::nice(NICE) {
                    tracing::debug!(%error, "threads that hash passwords keep their priority");
                }
                let argon2 = argon2();
                decoy.get_or_init(|| decoy_hash(&argon2));
                loop {
                    // A panic in a job poisons nothing: the lock is released before the job runs.
                    let job = queue.lock().expect("nothing panics under it").blocking_recv();
                    let Some(job) = job else { return };
                    job(&argon2);
                }
            };
            let thread = thread::Builder::new().name(format!("passwords {number}"));
            thread.spawn(work).expect("threads can be started at the start");
        }
        Self { jobs, decoy }
    }

    /// How many requests wait for a thread.
    pub fn waiting(&self) -> usize {
        self.jobs.max_capacity() - self.jobs.capacity()
    }

    /// Checks a new password against common ones and the account's own words, and hashes it.
    pub async fn hash(
        &self,
        password: Password,
        words: Vec<String>,
    ) -> Result<Result<String, WeakPassword>, HashingFull> {
        self.run(move |argon2| {
            password.check(&words.iter().map(String::as_str).collect::<Vec<_>>())?;
            Ok(hash(argon2, password.as_bytes()))
        })
        .await
    }

    /// Whether the password is the one of this hash. It takes as long without a password or without a hash, and is
    /// false then.
    pub async fn verify(
        &self,
        password: Option<Password>,
        hash: Option<String>,
    ) -> Result<bool, HashingFull> {
        let decoy = self.decoy.clone();
        self.run(move |argon2| {
            let is_possible = password.is_some() && hash.is_some();
            let password = password.as_ref().map_or(b"no password".as_slice(), Password::as_bytes);
            let stored = hash.as_deref().unwrap_or_else(|| decoy.get_or_init(|| decoy_hash(argon2)));
            // The parameters are those of the stored hash.
            let is_same = argon2.verify_password(password, stored).is_ok();
            is_same && is_possible
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Argon2<'static>) -> T + Send + 'static,
    ) -> Result<T, HashingFull> {
        let (answer, answered) = oneshot::channel();
        let job = Box::new(move |argon2: &Argon2<'static>| {
            // Nobody may be waiting any more.
            let _ = answer.send(work(argon2));
        });
        self.jobs.try_send(job).map_err(|_| HashingFull)?;
        answered.await.map_err(|_| HashingFull)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_known_again_and_no_other() {
        let hasher = Hasher::start(&AccountsSettings::default());
        let password = |text| Password::typed(text).unwrap();
        let hash = hasher.hash(password("pale-otter-43-lamp"), vec![]).await.unwrap().unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(hasher.verify(Some(password("pale-otter-43-lamp")), Some(hash.clone())).await.unwrap());
        for (typed, stored) in [
            (Some(password("pale-otter-43-lamb")), Some(hash.clone())),
            (Some(password("pale-otter-43-lamp")), None),
            (None, Some(hash.clone())),
            (Some(password("pale-otter-43-lamp")), Some("damaged".to_owned())),
        ] {
            assert!(!hasher.verify(typed, stored).await.unwrap());
        }
        assert!(hasher.hash(password("password"), vec![]).await.unwrap().is_err());
    }
}
