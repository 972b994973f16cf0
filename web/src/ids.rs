//! Ids in paths, checked: a text that cannot be an id is a 400, not a 404.

use std::str::FromStr;

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;
use orderflow_schemas::{CustomerId, OrderId, Partition, Sku, Topic, TopicPartition};

use crate::{
    Problem,
    path::{PathPart, not_text},
};

/// A value in a path, and the slug of the problem for a text that is not such a value.
pub trait InPath: FromStr<Err: std::fmt::Display> {
    /// The slug of the problem for an invalid text.
    const INVALID: &'static str;
}

impl InPath for OrderId {
    const INVALID: &'static str = "invalid-id";
}

impl InPath for CustomerId {
    const INVALID: &'static str = "invalid-id";
}

impl InPath for Sku {
    const INVALID: &'static str = "invalid-sku";
}

impl PathPart {
    /// The path part as a value; the 400 says why it is none.
    pub fn parse<T: InPath>(&self) -> Result<T, Problem> {
        let Self(text) = self;
        let invalid = |error| Problem::bad_request(T::INVALID, format!("`{text}` in the path: {error}"));
        text.parse().map_err(invalid)
    }
}

/// The one value of a path, parsed.
pub struct Id<T>(pub T);

impl<T: InPath, S: Send + Sync> FromRequestParts<S> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        PathPart::from_request_parts(parts, state).await?.parse().map(Self)
    }
}

/// The topic and the partition in a path; 404 if there is no such topic, 400 if the partition is not a number.
pub struct At(pub TopicPartition);

impl<S: Send + Sync> FromRequestParts<S> for At {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        let Path((topic, partition)) = path.map_err(|error| not_text(&error))?;
        let topic: Topic = topic.parse().map_err(|error: orderflow_schemas::UnknownTopic| {
            Problem::not_found("unknown-topic", error.to_string())
        })?;
        let number = partition.parse().map_err(|_| {
            Problem::bad_request("invalid-partition", format!("`{partition}` is not a partition number"))
        })?;
        Ok(Self(TopicPartition { topic, partition: Partition(number) }))
    }
}
