//! The installed Postgres programs, and the account they run under.

use std::{
    cmp::Reverse,
    fs,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::Command,
};

/// The folder in which Debian has the programs of each version.
const VERSIONS: &str = "/usr/lib/postgresql";
/// The accounts that may run Postgres instead of root, which Postgres refuses. The first existing one is used.
const ACCOUNTS: [&str; 2] = ["postgres", "nobody"];

/// The installed programs, and the account that runs them.
#[derive(Clone, Debug)]
pub(super) struct Programs {
    folder: PathBuf,
    /// The account that runs the programs; `None` is the account that runs the tests.
    account: Option<Account>,
}

#[derive(Clone, Copy, Debug)]
struct Account {
    user: u32,
    group: u32,
}

impl Programs {
    /// The programs on the PATH, otherwise the newest ones of Debian; panics if there are none.
    pub(super) fn find() -> Self {
        let folder = on_path().or_else(newest);
        let folder = folder.expect("Postgres is installed: `.ci/test --tools` does it on Debian");
        let account = rustix::process::geteuid().is_root().then(|| {
            let account = ACCOUNTS.iter().find_map(|name| account(name));
            account.expect("root has another account to run Postgres under")
        });
        Self { folder, account }
    }

    /// A command that runs one of the programs in `folder`, without settings from the caller's environment.
    pub(super) fn command(&self, program: &str, folder: &Path) -> Command {
        let mut command = Command::new(self.folder.join(program));
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG")) {
            command.env_remove(name);
        }
        command.current_dir(folder).env("LC_ALL", "C").env("TZ", "UTC");
        if let Some(Account { user, group }) = self.account {
            command.uid(user).gid(group);
        }
        command
    }

    /// Makes the account of the programs the owner of a file or folder.
    pub(super) fn give(&self, path: &Path) {
        if let Some(Account { user, group }) = self.account {
            chown(path, Some(user), Some(group)).expect("root can give a file away");
        }
    }
}

fn is_complete(folder: &Path) -> bool {
    ["initdb", "postgres"].iter().all(|program| folder.join(program).is_file())
}

fn on_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).find(|folder| is_complete(folder))
}

fn newest() -> Option<PathBuf> {
    let versions = fs::read_dir(VERSIONS).ok()?.filter_map(|entry| {
        let entry = entry.ok()?;
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        Some((Reverse(version), entry.path().join("bin")))
    });
    let mut versions: Vec<_> = versions.filter(|(_, folder)| is_complete(folder)).collect();
    versions.sort();
    versions.into_iter().next().map(|(_, folder)| folder)
}

/// Finds an account. A line of the list of accounts is `name:x:user:group:…`.
fn account(name: &str) -> Option<Account> {
    let accounts = fs::read_to_string("/etc/passwd").ok()?;
    let mut fields =
        accounts.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":x:"))?.split(':');
    let mut number = || fields.next()?.parse().ok();
    Some(Account { user: number()?, group: number()? })
}
