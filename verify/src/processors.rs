//! Runs all processors of a log again, and compares the messages between them.

use std::sync::Arc;

use anyhow::Result;
use orderflow_processors::{OrderProcessor, StockProcessor, orders::Orders, stock::Stock};
use orderflow_runner::processing::Snapshots;
use orderflow_schemas::{Source, Topic, TopicPartition};
use orderflow_topics::partitions_of;

use super::{
    Report, Subject,
    decisions::{Decided, decide_again},
    holdings::compare_holdings,
    letters::{Unreadable, compare_letters},
    messages::{Sent, compare_messages},
    parallel,
};

/// Decides the whole log again and compares events, messages, snapshots, dead letters and holdings.
pub(super) async fn compare_processors(subject: &Subject, report: &mut Report) -> Result<()> {
    let topics = &subject.topics;
    let mut known = Known::default();
    let orders: Option<Vec<Orders>> = known.take(decide_orders(subject).await?, report);
    let stock: Option<Vec<Stock>> = known.take(decide_stock(subject).await?, report);
    if report.undecided == 0
        && let (Some(orders), Some(stock)) = (orders, stock)
    {
        compare_holdings(&orders, &stock, &mut report.differences);
    }
    report.absorb(compare_letters(topics.clone(), &known.unreadable).await?);
    let sent = Arc::new(known.sent);
    let commands = [Topic::OrdersCommands, Topic::StockCommands]
        .into_iter()
        .flat_map(|topic| partitions_of(&**topics, topic));
    let jobs =
        commands.map(|topic_partition| compare_messages(topics.clone(), topic_partition, sent.clone()));
    for messages in parallel::all(jobs).await? {
        report.absorb(messages);
    }
    Ok(())
}

async fn decide_orders(subject: &Subject) -> Result<Vec<Decided<Orders>>> {
    let Subject { topics, rules, .. } = subject;
    let processor = OrderProcessor {
        lifecycle: rules.lifecycle.clone(),
        stock_partitions: topics.partitions(Topic::StockCommands),
        keys_max: rules.keys_max,
        change_keys_max: rules.change_keys_max,
    };
    let jobs = partitions_of(&**topics, Topic::OrdersCommands).map(|topic_partition| {
        decide_again(
            topics.clone(),
            processor.clone(),
            topic_partition.partition,
            snapshots(subject, topic_partition),
        )
    });
    parallel::all(jobs).await
}

async fn decide_stock(subject: &Subject) -> Result<Vec<Decided<Stock>>> {
    let Subject { topics, rules, .. } = subject;
    let processor = |topic_partition: TopicPartition| StockProcessor {
        partition: topic_partition.partition,
        order_partitions: topics.partitions(Topic::OrdersCommands),
        change_keys_max: rules.change_keys_max,
        resolved_max: rules.resolved_max,
    };
    let jobs = partitions_of(&**topics, Topic::StockCommands).map(|topic_partition| {
        decide_again(
            topics.clone(),
            processor(topic_partition),
            topic_partition.partition,
            snapshots(subject, topic_partition),
        )
    });
    parallel::all(jobs).await
}

fn snapshots(subject: &Subject, input: TopicPartition) -> Snapshots {
    Snapshots::new(subject.snapshots.clone(), subject.topics.id(), input)
}

/// The messages and unreadable commands that follow from deciding again.
#[derive(Default)]
struct Known {
    sent: Sent,
    unreadable: Unreadable,
}

impl Known {
    /// Adds the results for the partitions of one topic. Returns the states if every partition could be followed to
    /// the end.
    fn take<S>(&mut self, decided: Vec<Decided<S>>, report: &mut Report) -> Option<Vec<S>> {
        let mut states = Vec::with_capacity(decided.len());
        for one in decided {
            report.absorb(one.report);
            self.sent.digests.extend(one.sent);
            if one.whole {
                self.sent.known.insert(Source::processor(one.input));
                self.unreadable.insert(one.input, one.letters);
            }
            states.push(one.state);
        }
        states.into_iter().collect()
    }
}
