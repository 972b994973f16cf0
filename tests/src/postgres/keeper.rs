//! The thread that starts servers which outlive the test that needed them first.
//!
//! A child gets its signal when the *thread* that spawned it ends, not when the process ends. Each test runs on a
//! thread that ends with the test. A server that several tests share is therefore spawned by a thread that ends with
//! the process.

use std::{
    process::{Child, Command},
    sync::{
        OnceLock,
        mpsc::{Sender, channel},
    },
};

struct Job {
    command: Command,
    started: Sender<Child>,
}

/// Spawns a command from a thread that lives as long as the process.
pub(super) fn spawn(command: Command) -> Child {
    static KEEPER: OnceLock<Sender<Job>> = OnceLock::new();
    let (started, child) = channel();
    let keeper = KEEPER.get_or_init(start);
    keeper.send(Job { command, started }).expect("the keeper lives as long as the process");
    child.recv().expect("the program can be started")
}

fn start() -> Sender<Job> {
    let (sender, jobs) = channel::<Job>();
    std::thread::spawn(move || {
        for Job { mut command, started } in jobs {
            match command.spawn() {
                // The thread that asked for the child waits for it.
                Ok(child) => drop(started.send(child)),
                Err(error) => eprintln!("{command:?} cannot be started: {error}"),
            }
        }
    });
    sender
}
