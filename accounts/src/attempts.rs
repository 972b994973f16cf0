//! Limits on guessing: every check of a secret goes through here, whichever call it belongs to.
//!
//! An attempt takes a place at its account and at its address before the secret is checked, and gives it back if the
//! secret was right. So a hundred parallel guesses count as a hundred, and parallel honest log-ins do not count. Where
//! all places are held by attempts that still run, the next one waits for their outcome.
//!
//! *What is counted*: the account as it was typed, whether it exists or not, so that nobody learns which do. Each kind of
//! secret is counted by itself, so that guesses at one do not block another. *Scope*: each process counts by itself. *Bound*: a fixed number of accounts and addresses is
//! remembered, each by a digest of a fixed length; none that is blocked is forgotten for another. *Hidden addresses*: where a trusted proxy does not name the
//! client, only the account is counted.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use orderflow_web::{ClientAddress, Problem};
use ring::digest::SHA256;
use tokio::sync::Notify;

use crate::AccountsSettings;

/// The time over which failures are counted.
const WINDOW: Duration = Duration::from_secs(60);
/// How long an account is blocked after too many failures in a row.
const BLOCKED: Duration = Duration::from_secs(15 * 60);
/// How long an attempt waits for others to end.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// What a secret opens, as the request names it.
#[derive(Clone, Copy, Debug)]
pub enum Account<'a> {
    /// The account of a person who logs in by email address or username.
    Login(&'a str),
    /// The account of a person who is logged in, by its id.
    Person(&'a str),
    /// A machine client, by its id.
    Client(&'a str),
    /// Whatever a one-time code belongs to. Codes are too long to be guessed, so each counts for itself.
    Code(&'a str),
}

impl Account<'_> {
    /// The same for all spellings of an account.
    fn digest(self) -> Digest {
        let (kind, name) = match self {
            Self::Login(name) => ("login", name),
            Self::Person(name) => ("person", name),
            Self::Client(name) => ("client", name),
            Self::Code(name) => ("code", name),
        };
        let digest = ring::digest::digest(&SHA256, format!("{kind} {}", name.to_lowercase()).as_bytes());
        digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
    }
}

type Digest = [u8; 32];

/// What failures are counted for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    /// An account at one address.
    AccountAt(Digest, IpAddr),
    /// All accounts at one address.
    Address(IpAddr),
    /// An account at all addresses.
    Account(Digest),
}

#[derive(Debug, Default)]
struct Failures {
    /// The failures within the window, oldest first; not for an account.
    times: VecDeque<Instant>,
    /// The failures of an account in a row, however long ago, and the last of them.
    row: (u32, Option<Instant>),
    /// Attempts that run.
    running: usize,
}

/// Counts failed attempts.
pub struct Attempts {
    settings: AccountsSettings,
    table: Mutex<HashMap<Key, Failures>>,
    ended: Notify,
}

/// An attempt that runs. It counts as failed unless it is said how else it ended.
pub struct Attempt {
    attempts: Arc<Attempts>,
    keys: Vec<Key>,
    outcome: Outcome,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Failed,
    Succeeded,
    /// The secret could not be checked.
    Unknown,
}

/// Why an attempt is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Blocked {
    /// There were too many failures.
    #[error("too many failed attempts; try again later")]
    Failures {
        /// When the next attempt may be made.
        retry_after: Duration,
    },
    /// Too many attempts run, or too many accounts are blocked.
    #[error("too many attempts at once")]
    Full,
}

impl From<Blocked> for Problem {
    fn from(blocked: Blocked) -> Self {
        let detail = blocked.to_string();
        match blocked {
            Blocked::Full => Self::unavailable("overloaded", detail, 1),
            Blocked::Failures { retry_after } => {
                Self::too_many_requests("too-many-failures", detail, retry_after)
            }
        }
    }
}

/// What the table says about an attempt.
enum Verdict {
    Taken,
    Wait,
    Blocked(Duration),
    Full,
}

impl Attempts {
    /// Begins to count with these bounds.
    pub fn new(settings: &AccountsSettings) -> Arc<Self> {
        Arc::new(Self { settings: settings.clone(), table: Mutex::default(), ended: Notify::new() })
    }

    /// Takes a place for an attempt on this account from this address.
    pub async fn begin(
        self: &Arc<Self>,
        account: Account<'_>,
        address: ClientAddress,
    ) -> Result<Attempt, Blocked> {
        let account = account.digest();
        let mut keys = Vec::with_capacity(3);
        if let Some(network) = address.network() {
            keys.extend([Key::AccountAt(account, network), Key::Address(network)]);
        }
        keys.push(Key::Account(account));
        let deadline = Instant::now() + WAIT_MAX;
        loop {
            let ended = self.ended.notified();
            tokio::pin!(ended);
            // An attempt that ends after the look at the table is noticed.
            ended.as_mut().enable();
            match self.take(&keys, Instant::now()) {
                Verdict::Taken => {
                    return Ok(Attempt { attempts: self.clone(), keys, outcome: Outcome::Failed });
                }
                Verdict::Blocked(retry_after) => return Err(Blocked::Failures { retry_after }),
                Verdict::Full => return Err(Blocked::Full),
                Verdict::Wait => {}
            }
            if tokio::time::timeout_at(deadline.into(), ended).await.is_err() {
                return Err(Blocked::Full);
            }
        }
    }

    fn take(&self, keys: &[Key], now: Instant) -> Verdict {
        let mut table = self.lock();
        let mut waits = false;
        for key in keys {
            let Some(failures) = table.get_mut(key) else { continue };
            let bound = self.bound(key);
            if let Some(retry_after) = failures.blocked_for(bound, now) {
                return Verdict::Blocked(retry_after);
            }
            waits |= failures.count() + failures.running >= bound;
        }
        if waits {
            return Verdict::Wait;
        }
        if table.len() + keys.len() > self.settings.failures_remembered_max
            && !self.make_room(&mut table, now)
        {
            return Verdict::Full;
        }
        for key in keys {
            table.entry(key.clone()).or_default().running += 1;
        }
        Verdict::Taken
    }

    /// Forgets a tenth of the table: what counts nothing any more, and then those that are farthest from their bound.
    fn make_room(&self, table: &mut HashMap<Key, Failures>, now: Instant) -> bool {
        let wanted = self.settings.failures_remembered_max - self.settings.failures_remembered_max / 10;
        table.retain(|key, failures| {
            failures.blocked_for(self.bound(key), now).is_some()
                || failures.running > 0
                || failures.count() > 0
        });
        for most in 1..=self.settings.failures_per_address as usize {
            if table.len() <= wanted {
                break;
            }
            table.retain(|key, failures| {
                let is_far = failures.count() <= most && failures.count() < self.bound(key);
                failures.running > 0 || !is_far
            });
        }
        table.len() + 3 <= self.settings.failures_remembered_max
    }

    /// The most failures of a key.
    fn bound(&self, key: &Key) -> usize {
        let bound = match key {
            Key::AccountAt(..) => self.settings.failures_per_account_and_address,
            Key::Address(_) => self.settings.failures_per_address,
            Key::Account(_) => self.settings.failures_in_a_row,
        };
        bound as usize
    }

    fn end(&self, keys: &[Key], outcome: Outcome, now: Instant) {
        let mut table = self.lock();
        for key in keys {
            let Some(failures) = table.get_mut(key) else { continue };
            failures.running = failures.running.saturating_sub(1);
            match (outcome, key) {
                (Outcome::Succeeded, Key::Account(_)) => failures.row = (0, None),
                (Outcome::Succeeded | Outcome::Unknown, _) => {}
                (Outcome::Failed, Key::Account(_)) => failures.row = (failures.row.0 + 1, Some(now)),
                (Outcome::Failed, _) => failures.times.push_back(now),
            }
            if failures.running == 0 && failures.count() == 0 {
                table.remove(key);
            }
        }
        drop(table);
        self.ended.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Failures>> {
        // Every change leaves the counts consistent.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Failures {
    /// How many failures count.
    fn count(&self) -> usize {
        self.times.len() + self.row.0 as usize
    }

    /// How long there is no further attempt, if there are too many failures. Forgets those outside of the window.
    fn blocked_for(&mut self, bound: usize, now: Instant) -> Option<Duration> {
        while self.times.front().is_some_and(|time| now.duration_since(*time) >= WINDOW) {
            self.times.pop_front();
        }
        if let (row, Some(last)) = self.row {
            let since = now.duration_since(last);
            // After the pause one more attempt is made, and if it fails, the next pause begins.
            if row as usize >= bound && since >= BLOCKED {
                self.row.0 = u32::try_from(bound - 1).unwrap_or(0);
            }
            return (self.row.0 as usize >= bound).then(|| BLOCKED.saturating_sub(since));
        }
        // The oldest failure is the first to leave the window.
        let oldest = self.times.front().filter(|_| self.times.len() >= bound)?;
        Some(WINDOW.saturating_sub(now.duration_since(*oldest)))
    }
}

impl Attempt {
    /// The secret was right: the attempt does not count.
    pub fn succeeded(mut self) {
        self.outcome = Outcome::Succeeded;
    }

    /// The secret was not checked, because the store is away: the attempt does not count either way.
    pub fn did_not_happen(mut self) {
        self.outcome = Outcome::Unknown;
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.attempts.end(&self.keys, self.outcome, Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(address: &str) -> ClientAddress {
        ClientAddress::Known(address.parse().unwrap())
    }

    fn attempts(settings: AccountsSettings) -> Arc<Attempts> {
        Attempts::new(&settings)
    }

    async fn fail(attempts: &Arc<Attempts>, account: &str, address: &str, times: usize) {
        for _ in 0..times {
            drop(attempts.begin(Account::Login(account), from(address)).await.unwrap());
        }
    }

    #[tokio::test]
    async fn an_account_an_address_and_a_row_of_failures_have_bounds_of_their_own() {
        let settings =
            AccountsSettings { failures_per_address: 12, failures_in_a_row: 15, ..Default::default() };
        let attempts = attempts(settings);
        let is_blocked = async |account: &str, address: &str| {
            matches!(
                attempts.begin(Account::Login(account), from(address)).await,
                Err(Blocked::Failures { .. })
            )
        };
        fail(&attempts, "ann", "192.0.2.1", 5).await;
        assert!(is_blocked("ann", "192.0.2.1").await);
        assert!(
            is_blocked("ANN", "::ffff:192.0.2.1").await,
            "one account and one address, in another spelling"
        );
        fail(&attempts, "ann", "192.0.2.2", 5).await;
        fail(&attempts, "bob", "192.0.2.1", 5).await;
        fail(&attempts, "cid", "192.0.2.1", 2).await;
        assert!(is_blocked("dan", "192.0.2.1").await, "the address has its bound");
        fail(&attempts, "ann", "2001:db8::1", 4).await;
        // The fifteenth in a row, and one of the same /64.
        fail(&attempts, "ann", "2001:db8::2", 1).await;
        assert!(is_blocked("ann", "198.51.100.7").await, "the account is blocked everywhere");
    }

    #[tokio::test]
    async fn guesses_at_one_kind_of_secret_block_no_other() {
        let attempts = attempts(AccountsSettings { failures_in_a_row: 3, ..Default::default() });
        fail(&attempts, "0190aaaa-0000-7000-8000-000000000001", "192.0.2.1", 3).await;
        let id = "0190aaaa-0000-7000-8000-000000000001";
        assert!(attempts.begin(Account::Login(id), from("192.0.2.2")).await.is_err());
        for other in [Account::Client(id), Account::Person(id), Account::Code(id)] {
            assert!(attempts.begin(other, from("192.0.2.2")).await.is_ok(), "{other:?}");
        }
    }

    #[tokio::test]
    async fn behind_a_proxy_that_names_no_client_only_the_account_is_counted() {
        let attempts = attempts(AccountsSettings { failures_in_a_row: 20, ..Default::default() });
        for number in 0..200 {
            let account = format!("user{}", number % 20);
            drop(attempts.begin(Account::Login(&account), ClientAddress::Hidden).await.unwrap());
        }
        for _ in 0..20 {
            drop(attempts.begin(Account::Login("ann"), ClientAddress::Hidden).await.unwrap());
        }
        let blocked = attempts.begin(Account::Login("ann"), ClientAddress::Hidden).await;
        assert!(matches!(blocked, Err(Blocked::Failures { .. })));
    }

    #[tokio::test]
    async fn success_takes_no_place_and_ends_a_row() {
        let attempts = attempts(AccountsSettings { failures_in_a_row: 3, ..Default::default() });
        for _ in 0..5 {
            fail(&attempts, "ann", "192.0.2.1", 1).await;
            attempts.begin(Account::Login("ann"), from("192.0.2.2")).await.unwrap().succeeded();
        }
        for _ in 0..200 {
            attempts.begin(Account::Login("bob"), from("192.0.2.3")).await.unwrap().succeeded();
        }
        assert!(attempts.begin(Account::Login("bob"), from("192.0.2.3")).await.is_ok());
    }

    #[tokio::test]
    async fn parallel_guesses_count_before_they_are_checked_and_honest_ones_wait() {
        let attempts = attempts(AccountsSettings::default());
        let mut running = Vec::new();
        for _ in 0..5 {
            running.push(attempts.begin(Account::Login("ann"), from("192.0.2.1")).await.unwrap());
        }
        let waiting = attempts.clone();
        let next = tokio::spawn(async move { waiting.begin(Account::Login("ann"), from("192.0.2.1")).await });
        tokio::task::yield_now().await;
        assert!(!next.is_finished(), "all places are held");
        running.pop().unwrap().succeeded();
        next.await.unwrap().unwrap().succeeded();
        drop(running);
        fail(&attempts, "ann", "192.0.2.1", 1).await;
        assert!(matches!(
            attempts.begin(Account::Login("ann"), from("192.0.2.1")).await,
            Err(Blocked::Failures { .. })
        ));
    }

    #[tokio::test]
    async fn a_full_table_forgets_nobody_who_is_blocked() {
        let settings = AccountsSettings { failures_remembered_max: 100, ..Default::default() };
        let attempts = attempts(settings);
        fail(&attempts, "ann", "192.0.2.1", 5).await;
        for number in 0..500_u32 {
            let address = format!("198.51.{}.{}", number / 200, number % 200);
            drop(attempts.begin(Account::Login(&format!("user{number}")), from(&address)).await.unwrap());
        }
        assert!(attempts.lock().len() <= 100);
        assert!(matches!(
            attempts.begin(Account::Login("ann"), from("192.0.2.1")).await,
            Err(Blocked::Failures { .. })
        ));
    }
}
