//! An unavailable log is waited for by loops, and by no other caller.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use orderflow_schemas::{Offset, Topic, TopicPartition};
use orderflow_topics::{LogError, Patient, Topics, Visibility, memory::MemoryTopics};
use orderflow_world::TokioWorld;

const AT: TopicPartition = TopicPartition::new(Topic::OrdersEvents, 0);

#[tokio::test(start_paused = true)]
async fn reads_and_waits_of_a_log_that_is_away_are_made_again_and_it_is_reported() {
    let log = MemoryTopics::with_partitions(1);
    log.put(AT, [Bytes::from_static(b"a")]);
    let reports: Arc<Mutex<Vec<bool>>> = Arc::default();
    let noted = reports.clone();
    let report = Box::new(move |away| noted.lock().unwrap().push(away));
    let patient = Patient::new(log.clone(), TokioWorld::new(), report);
    log.be_away(20);
    assert_eq!(patient.read(AT, Offset(0), 1, Visibility::Durable).await.unwrap().records.len(), 1);
    log.be_away(3);
    patient.wait_beyond(AT, Offset(0), Visibility::Durable).await.unwrap();
    assert_eq!(*reports.lock().unwrap(), [true, false, true, false]);
    log.be_away(1);
    let bare = log.read(AT, Offset(0), 1, Visibility::Durable).await;
    assert!(matches!(bare, Err(LogError::Away(_))), "the log itself says so at once");
    log.close();
    let closed = patient.wait_beyond(AT, Offset(9), Visibility::Durable).await;
    assert!(matches!(closed, Err(LogError::Unavailable(_))), "what is for good is not waited for");
}
