//! A scheduler with one thread, whose caller chooses which task is polled next.
//!
//! Tasks wake each other as on any runtime. A woken task is ready, and stays ready until it is polled. Tasks belong
//! to groups, and a task that another one spawns belongs to the same group. Dropping a group is the crash of one
//! part.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Wake, Waker},
};

use orderflow_world::Task;

/// A part of the system that can crash separately.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// A runner, by a number that no other runner has.
    Runner(u64),
    /// The sink driver.
    Sink,
    /// The tasks that answer clients.
    Ingest,
}

/// The number of a task, unique in a run.
pub type TaskId = u64;

/// The tasks that were woken since the executor last looked.
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

/// Tasks that were spawned and that the executor has not taken yet. Clones share the list.
#[derive(Clone, Default)]
pub struct Spawned(Arc<Mutex<Vec<Task>>>);

impl Spawned {
    /// Adds a task.
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
    /// An executor that takes the tasks that are pushed to `spawned` while a task is polled.
    pub fn new(spawned: Spawned) -> Self {
        Self { spawned, ..Self::default() }
    }

    /// Adds a task, which is ready at once.
    pub fn spawn(&mut self, group: Group, task: Task) {
        self.last += 1;
        self.tasks.insert(self.last, (group, task));
        self.wakes.0.lock().unwrap_or_else(PoisonError::into_inner).insert(self.last);
    }

    /// Adds the tasks that were pushed while no task was polled.
    pub fn adopt(&mut self, group: Group) {
        for task in self.spawned.take() {
            self.spawn(group, task);
        }
    }

    /// The numbers of the ready tasks, in order.
    pub fn ready(&self) -> Vec<TaskId> {
        let mut wakes = self.wakes.0.lock().unwrap_or_else(PoisonError::into_inner);
        wakes.retain(|id| self.tasks.contains_key(id));
        wakes.iter().copied().collect()
    }

    /// Polls a task once. Returns its group, if the task exists.
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

    /// Drops all tasks of one group, including those not taken yet.
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
