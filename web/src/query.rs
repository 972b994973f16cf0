//! Strict query strings: an unknown or malformed parameter is a 400 that names it.

use std::error::Error;

use axum::extract::FromRequestParts;
use http::{StatusCode, request::Parts};
use percent_encoding::percent_decode_str;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::{
    Problem,
    openapi::{Describe, Operation},
};

/// The parameters of a query string. `T` denies unknown fields, so that a mistyped name does not silently become a
/// default.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let pairs = parts.uri.query().unwrap_or_default().split('&');
        if let Some(pair) = pairs.into_iter().find(|pair| percent_decode_str(pair).decode_utf8().is_err()) {
            let (name, _) = pair.split_once('=').unwrap_or((pair, ""));
            let name = percent_decode_str(name).decode_utf8();
            return Err(invalid(name.as_deref().unwrap_or("?"), "is not UTF-8 once it is decoded"));
        }
        match axum::extract::Query::<T>::try_from_uri(&parts.uri) {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(error) => Err(invalid_parameter(&innermost(&error))),
        }
    }
}

/// 400 `invalid-parameter` for a parameter whose value is wrong in a way that its type cannot express.
pub fn invalid(name: &str, detail: impl std::fmt::Display) -> Problem {
    Problem::bad_request("invalid-parameter", format!("parameter `{name}`: {detail}"))
        .with_member("parameter", name)
}

/// The problem for a parser's message, which either is `name: what is wrong` or names the parameter in back-quotes.
fn invalid_parameter(message: &str) -> Problem {
    let is_name = |text: &str| !text.contains([' ', '`']);
    match message.split_once(": ").filter(|(name, _)| is_name(name)) {
        Some((name, detail)) => invalid(name, detail),
        None => match message.split('`').nth(1) {
            Some(name) => invalid(name, message),
            None => Problem::bad_request("invalid-parameter", message),
        },
    }
}

fn innermost(error: &dyn Error) -> String {
    match error.source() {
        // Of the errors in the chain, the last one with the path in its message is the one before the parser's own.
        Some(source) if source.source().is_some() => innermost(source),
        Some(source) => source.to_string(),
        None => error.to_string(),
    }
}

impl<T: JsonSchema> Describe for Query<T> {
    fn describe(operation: &mut Operation<'_>) {
        operation.query::<T>().fails(StatusCode::BAD_REQUEST, "invalid-parameter");
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Params {
        limit: Option<u32>,
        order: String,
    }

    #[tokio::test]
    async fn errors_name_the_parameter() {
        for (uri, name) in [
            ("/?order=x&limit=many", "limit"),
            ("/?order=x&limit=-1", "limit"),
            ("/?order=x&bogus=1", "bogus"),
            ("/?order=x&order=y", "order"),
            ("/?limit=1", "order"),
            ("/?order=caf%E9", "order"),
            ("/?order=x&limit=%ff", "limit"),
            ("/?order=x&caf%C3%A9=%ff", "café"),
            ("/?order=x&%ff=1", "?"),
        ] {
            let (mut parts, ()) = http::Request::get(uri).body(()).unwrap().into_parts();
            let problem = Query::<Params>::from_request_parts(&mut parts, &()).await.unwrap_err();
            assert!(problem.detail().starts_with(&format!("parameter `{name}`")), "{uri}: {problem}");
        }
    }
}
