//! Ids in paths, checked: a text that cannot be an id is a 400, not a 404.

use std::str::FromStr;

use axum::extract::{FromRequestParts, Path};
use http::{StatusCode, request::Parts};
use orderflow_schemas::{CustomerId, OrderId, Partition, Sku, Topic, TopicPartition};
use schemars::JsonSchema;
use uuid::Uuid;

use crate::{
    Problem,
    openapi::{Describe, Operation},
    path::{PathPart, not_text},
};

/// A value in a path, and the slug of the problem for a text that is not such a value.
pub trait InPath: FromStr<Err: std::fmt::Display> + JsonSchema {
    /// The slug of the problem for an invalid text.
    const INVALID: &'static str;
    /// What the value is.
    const IS: &'static str;
}

impl InPath for OrderId {
    const INVALID: &'static str = "invalid-id";
    const IS: &'static str = "the id of the order";
}

impl InPath for CustomerId {
    const INVALID: &'static str = "invalid-id";
    const IS: &'static str = "the id of the customer";
}

impl InPath for Sku {
    const INVALID: &'static str = "invalid-sku";
    const IS: &'static str = "the SKU";
}

/// The id of an account in a path: a UUID in its canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(transparent)]
pub struct AccountId(#[schemars(with = "String", extend("format" = "uuid"))] pub Uuid);

/// The text is not the id of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no id")]
pub struct InvalidAccountId;

impl FromStr for AccountId {
    type Err = InvalidAccountId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let canonical = Uuid::try_parse(text).ok().filter(|id| id.to_string() == *text);
        canonical.map(Self).ok_or(InvalidAccountId)
    }
}

impl InPath for AccountId {
    const INVALID: &'static str = "invalid-id";
    const IS: &'static str = "the id of the account";
}

impl PathPart {
    /// The path part as a value; the 400 says why it is none.
    fn parse<T: InPath>(&self) -> Result<T, Problem> {
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

impl<T: InPath> Describe for Id<T> {
    fn describe(operation: &mut Operation<'_>) {
        for name in operation.path_variables() {
            operation.path_variable::<T>(name, T::IS);
        }
        operation.fails(StatusCode::BAD_REQUEST, "invalid-path").fails(StatusCode::BAD_REQUEST, T::INVALID);
    }
}

impl Describe for At {
    fn describe(operation: &mut Operation<'_>) {
        operation
            .path_variable::<Topic>("topic", "the topic")
            .path_variable::<Partition>("partition", "the number of the partition, from 0")
            .fails(StatusCode::BAD_REQUEST, "invalid-path")
            .fails(StatusCode::BAD_REQUEST, "invalid-partition")
            .fails(StatusCode::NOT_FOUND, "unknown-topic");
    }
}
