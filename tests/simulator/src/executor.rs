//! A scheduler of one thread: which task is polled next is the caller's choice.
//!
//! Tasks wake each other as on any runtime; a woken task is ready and stays so until it is polled. Tasks belong to
//! groups, and what a task spawns belongs to its group: dropping a group is the crash of one part.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Wake, Waker},
};

use orderflow_world::Task;

/// A part of the system that can crash by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// A runner, by a number that no other has.
    Runner(u64),
    /// The sink driver.
    Sink,
    /// What answers clients.
    Ingest,
}

/// A task's number; no other task of a run has it.
pub type TaskId = u64;

/// What tasks have asked for while they ran.
#[derive(Debug, Default)]
struct Wakes(Mutex<BTreeSet<TaskId>>);

struct TaskWaker {
    id: TaskId,
    wakes: Arc<Wakes>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wakes.0.lock().unwrap_or_else(PoisonError::into_inner).insert(self.id);
    }
}

/// Tasks that were spawned and are not yet known to the executor. Clones share it.
#[derive(Clone, Default)]
pub struct Spawned(Arc<Mutex<Vec<Task>>>);

impl Spawned {
    /// Hands a task over.
    pub fn push(&self, task: Task) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(task);
    }

    fn take(&self) -> Vec<Task> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The tasks of a run.
#[derive(Default)]
pub struct Executor {
    tasks: BTreeMap<TaskId, (Group, Task)>,
    wakes: Arc<Wakes>,
    spawned: Spawned,
    last: TaskId,
}

impl Executor {
    /// An executor that takes what is pushed to `spawned` while a task is polled.
    pub fn new(spawned: Spawned) -> Self {
        Self { spawned, ..Self::default() }
    }

    /// Adds a task; it is ready.
    pub fn spawn(&mut self, group: Group, task: Task) {
        self.last += 1;
        self.tasks.insert(self.last, (group, task));
        self.wakes.0.lock().unwrap_or_else(PoisonError::into_inner).insert(self.last);
    }

    /// Adds what was pushed while no task was polled.
    pub fn adopt(&mut self, group: Group) {
        for task in self.spawned.take() {
            self.spawn(group, task);
        }
    }

    /// The tasks that can go on, by number.
    pub fn ready(&self) -> Vec<TaskId> {
        let mut wakes = self.wakes.0.lock().unwrap_or_else(PoisonError::into_inner);
        wakes.retain(|id| self.tasks.contains_key(id));
        wakes.iter().copied().collect()
    }

    /// Lets a task go on until it waits; answers its group.
    pub fn poll(&mut self, id: TaskId) -> Option<Group> {
        self.wakes.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        let (group, task) = self.tasks.get_mut(&id)?;
        let group = *group;
        let waker = Waker::from(Arc::new(TaskWaker { id, wakes: Arc::clone(&self.wakes) }));
        if let Poll::Ready(()) = task.as_mut().poll(&mut Context::from_waker(&waker)) {
            self.tasks.remove(&id);
        }
        for task in self.spawned.take() {
            self.spawn(group, task);
        }
        Some(group)
    }

    /// Drops the tasks of one group, wherever they are.
    pub fn crash(&mut self, group: Group) {
        self.tasks.retain(|_, (of, _)| *of != group);
    }

    /// Drops all tasks.
    pub fn crash_all(&mut self) {
        self.tasks.clear();
        drop(self.spawned.take());
    }

    /// Whether any runner has tasks.
    pub fn has_runners(&self) -> bool {
        self.tasks.values().any(|(of, _)| matches!(of, Group::Runner(_)))
    }

    /// Whether a group has tasks.
    pub fn runs(&self, group: Group) -> bool {
        self.tasks.values().any(|(of, _)| *of == group)
    }
}
