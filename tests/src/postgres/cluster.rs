//! A Postgres server that tests kill and restart, and its databases.
//!
//! *Durability*: as in production, `fsync` and `synchronous_commit` are on.
//! *Authentication*: every user needs a password, so that every test would notice a password that is shown.
//! *Cleanup*: the server ends when its value is dropped, or at the latest with the process. Shared memory of a killed
//! server is removed with its successor or its folder.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU32, Ordering},
    },
};

use rustix::process::{Pid, Signal, kill_process};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, postgres::PgRow};
use tempfile::TempDir;

use super::{keeper, programs::Programs};
use crate::{binary::die_with_parent, wait_until};

/// The password, which no log, error or response may ever show.
const PASSWORD: &str = "not-to-be-seen-7f3a";
/// Settings of the server. Tests need little memory, and no shared memory that a killed server would leave in the
/// system.
const SETTINGS: [&str; 7] = [
    "listen_addresses=",
    "fsync=on",
    "synchronous_commit=on",
    "shared_buffers=64MB",
    "max_connections=100",
    "dynamic_shared_memory_type=mmap",
    "log_min_messages=warning",
];

/// A Postgres server with its own data directory.
#[derive(Debug)]
pub struct Cluster {
    folder: TempDir,
    programs: Programs,
    server: Mutex<Option<Child>>,
    databases: AtomicU32,
}

impl Cluster {
    /// Starts a new cluster, for a test that kills it.
    pub fn start() -> Self {
        let folder = TempDir::with_prefix("orderflow-postgres-").expect("temporary directories can be made");
        let programs = Programs::find();
        programs.give(folder.path());
        let cluster = Self { folder, programs, server: Mutex::new(None), databases: AtomicU32::new(0) };
        cluster.make();
        cluster.run();
        cluster
    }

    /// The cluster that tests share while they run at the same time.
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cluster) = shared.upgrade() {
            return cluster;
        }
        let cluster = Arc::new(Self::start());
        *shared = Arc::downgrade(&cluster);
        cluster
    }

    /// Creates a new, empty database.
    pub fn database(&self) -> Database {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.named("postgres").execute(&format!("CREATE DATABASE {name}"));
        self.named(&name)
    }

    fn named(&self, database: &str) -> Database {
        let folder = self.folder.path().display();
        Database { url: format!("postgres://orderflow:{PASSWORD}@localhost/{database}?host={folder}") }
    }

    /// Kills the server at once, without a chance to clean up.
    pub fn kill(&self) {
        let mut server = self.server();
        let mut child = server.take().expect("a server is killed once, while it runs");
        child.kill().expect("a child can be killed");
        child.wait().expect("a child can be waited for");
    }

    /// Starts the server after it was killed, and waits until it accepts connections.
    pub fn run(&self) {
        let mut server = self.server();
        assert!(server.is_none(), "the server runs already");
        let mut child = self.spawn();
        wait_until("Postgres takes connections", || {
            if let Some(ended) = child.try_wait().expect("a child can be waited for") {
                let log = self.log();
                // Processes of the killed server may take a moment to notice that their parent is gone.
                assert!(log.contains("pre-existing shared memory"), "Postgres has ended, {ended}: {log}");
                child = self.spawn();
            }
            self.is_ready(&child).then_some(())
        });
        *server = Some(child);
    }

    fn server(&self) -> MutexGuard<'_, Option<Child>> {
        // The child is valid even if a holder of the lock panicked.
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn make(&self) {
        let password = self.folder.path().join("password");
        fs::write(&password, PASSWORD).expect("a file can be written");
        self.programs.give(&password);
        let mut initdb = self.programs.command("initdb", self.folder.path());
        initdb.args(["--username=orderflow", "--encoding=UTF8", "--no-locale", "--no-sync"]);
        initdb.args(["--auth=scram-sha-256", "--pwfile=password", "--pgdata=data"]);
        die_with_parent(&mut initdb, Signal::KILL);
        let made = initdb.output().expect("initdb can be started");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
    }

    fn spawn(&self) -> Child {
        let log = File::create(self.folder.path().join("log")).expect("a file can be made");
        let mut postgres = self.programs.command("postgres", self.folder.path());
        postgres.arg("-D").arg(self.data()).arg("-k").arg(self.folder.path());
        postgres.args(SETTINGS.iter().flat_map(|setting| ["-c", *setting]));
        postgres.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        // On this signal too, Postgres ends at once, and it removes its shared memory.
        die_with_parent(&mut postgres, Signal::QUIT);
        keeper::spawn(postgres)
    }

    /// A line of the server's lock file: line 1 is the process, line 7 the shared memory, line 8 whether the server
    /// is ready.
    fn lock_line(&self, line: usize) -> Option<String> {
        let lock = fs::read_to_string(self.data().join("postmaster.pid")).ok()?;
        lock.lines().nth(line - 1).map(|line| line.trim().to_owned())
    }

    fn is_ready(&self, server: &Child) -> bool {
        self.lock_line(1) == Some(server.id().to_string()) && self.lock_line(8).as_deref() == Some("ready")
    }

    /// Removes the shared memory of a killed server from the system, as the next start would.
    fn forget_shared_memory(&self) {
        let line = self.lock_line(7).unwrap_or_default();
        if let Some(id) = line.split_whitespace().nth(1) {
            let _ = Command::new("ipcrm").args(["-m", id]).output();
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let Some(mut child) = self.server().take() else { return self.forget_shared_memory() };
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let told = pid.is_some_and(|pid| kill_process(pid, Signal::QUIT).is_ok());
        if !told {
            let _ = child.kill();
        }
        let _ = child.wait();
    }
}

/// A database of a cluster.
#[derive(Clone, Debug)]
pub struct Database {
    /// The URL, as `--database` takes it.
    pub url: String,
}

impl Database {
    /// The same database with another, wrong password.
    #[must_use]
    pub fn with_password(&self, password: &str) -> Self {
        Self { url: self.url.replace(PASSWORD, password) }
    }

    /// Panics if the text contains the password.
    #[track_caller]
    pub fn is_not_told(&self, text: &str) {
        assert!(!text.contains(PASSWORD), "the password is shown: {text}");
    }

    /// Runs SQL statements.
    #[track_caller]
    pub fn execute(&self, sql: &str) {
        self.rows(sql);
    }

    /// The number in the single result of a query.
    #[track_caller]
    pub fn number(&self, sql: &str) -> i64 {
        self.rows(sql).first().expect("the query gives a row").get(0)
    }

    #[track_caller]
    fn rows(&self, sql: &str) -> Vec<PgRow> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let rows = runtime.expect("a runtime can be made").block_on(async {
            let mut connection = PgConnection::connect(&self.url).await?;
            let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut connection).await?;
            connection.close().await.map(|()| rows)
        });
        rows.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }
}
