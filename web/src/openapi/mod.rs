//! The description of the API in OpenAPI 3.1, made from the declarations of its routes.
//!
//! What a route takes is known from the parameters of its handler: each extractor describes itself ([`Describe`]), so the
//! document has a header if and only if a handler reads it. What the route answers is written beside its declaration.
//! JSON Schemas are those of the types, as in the schemas of records.

mod document;
mod extractors;
mod operation;
mod schemas;

pub use document::{Callers, Document};
pub use extractors::{Describe, Signature};
pub use operation::Operation;
pub use schemas::Schemas;
