//! The description of one operation: a method on a path.

use std::collections::{BTreeMap, BTreeSet};

use http::{HeaderName, Method, StatusCode};
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};
use utoipa::openapi::{
    Content, Header, Ref, RefOr, Required, Response,
    content::ContentBuilder,
    example::ExampleBuilder,
    link::LinkBuilder,
    path::{OperationBuilder, Parameter, ParameterBuilder, ParameterIn},
    request_body::{RequestBody, RequestBodyBuilder},
};

use super::Schemas;
use crate::problem::title;

const JSON: &str = "application/json";

/// The description of an operation while it is put together.
#[derive(Debug)]
pub struct Operation<'a> {
    schemas: &'a mut Schemas,
    path: &'static str,
    id: String,
    summary: String,
    description: String,
    tag: &'static str,
    parameters: Vec<Parameter>,
    body: Option<RequestBody>,
    responses: BTreeMap<u16, Response>,
    problems: BTreeMap<u16, BTreeSet<&'static str>>,
    has_own_errors: bool,
}

impl<'a> Operation<'a> {
    pub(super) fn new(schemas: &'a mut Schemas, method: &Method, path: &'static str) -> Self {
        Self {
            schemas,
            path,
            id: id(method, path),
            summary: String::new(),
            description: String::new(),
            tag: "",
            parameters: Vec::new(),
            body: None,
            responses: BTreeMap::new(),
            problems: BTreeMap::new(),
            has_own_errors: false,
        }
    }

    /// Says what the operation does: in a few words, and in sentences.
    pub fn is(&mut self, tag: &'static str, summary: &str, description: &str) -> &mut Self {
        self.tag = tag;
        self.summary = summary.to_owned();
        self.description = description.to_owned();
        self
    }

    /// Adds a paragraph to the description.
    pub(super) fn says(&mut self, text: &str) {
        if !self.description.is_empty() {
            self.description.push_str("\n\n");
        }
        self.description.push_str(text);
    }

    /// The variable parts of the path.
    pub fn path_variables(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.path.split('{').skip(1).filter_map(|part| part.split_once('}').map(|(name, _)| name))
    }

    /// Adds a variable part of the path.
    pub fn path_variable<T: JsonSchema>(&mut self, name: &str, description: &str) -> &mut Self {
        let schema = self.schemas.of::<T>(&format!("{}Parameter", pascal(name)));
        self.parameter(ParameterIn::Path, name, schema, true, description)
    }

    /// Adds the parameters of the query.
    pub fn query<T: JsonSchema>(&mut self) -> &mut Self {
        for (name, mut schema, required) in self.schemas.properties::<T>() {
            let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
            let description = description.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
            let schema = self.schemas.refer(&format!("{}Parameter", pascal(&name)), schema);
            self.parameter(ParameterIn::Query, &name, schema, required, &description);
        }
        self
    }

    /// Adds an optional request header.
    pub fn takes_header(&mut self, name: &HeaderName, schema: Schema, description: &str) -> &mut Self {
        let title = crate::headers::title(name);
        let schema = self.schemas.refer(&format!("{}Header", pascal(name.as_str())), schema.to_value());
        self.parameter(ParameterIn::Header, &title, schema, false, description)
    }

    fn parameter(
        &mut self,
        place: ParameterIn,
        name: &str,
        schema: Ref,
        required: bool,
        description: &str,
    ) -> &mut Self {
        let required = if required { Required::True } else { Required::False };
        let parameter =
            ParameterBuilder::new().name(name).parameter_in(place).required(required).schema(Some(schema));
        let description = (!description.is_empty()).then_some(description);
        self.parameters.push(parameter.description(description).build());
        self
    }

    /// The operation takes a JSON body.
    pub fn takes<T: JsonSchema>(&mut self, required: bool) -> &mut Self {
        let schema = self.schemas.of::<T>("Body");
        self.takes_body(JSON, schema, required, "")
    }

    /// The operation takes a form, RFC 6749, appendix B.
    pub fn takes_form<T: JsonSchema>(&mut self) -> &mut Self {
        let schema = self.schemas.of::<T>("Form");
        self.takes_body("application/x-www-form-urlencoded", schema, true, "")
    }

    /// The operation takes lines of JSON, each a `T`.
    pub fn takes_lines<T: JsonSchema>(&mut self, description: &str) -> &mut Self {
        // The description of a line is in the text: its schema cannot be that of the whole body.
        self.schemas.of::<T>("Line");
        let schema = self.schemas.refer("Lines", json!({ "type": "string", "format": "ndjson" }));
        self.takes_body("application/x-ndjson", schema, true, description)
    }

    fn takes_body(&mut self, media_type: &str, schema: Ref, required: bool, description: &str) -> &mut Self {
        let required = if required { Required::True } else { Required::False };
        let body = RequestBodyBuilder::new()
            .content(media_type, Content::new(Some(schema)))
            .required(Some(required));
        let description = (!description.is_empty()).then_some(description);
        self.body = Some(body.description(description).build());
        self
    }

    /// Shows a request body.
    ///
    /// # Panics
    /// If the operation takes no body.
    pub fn example(&mut self, example: Value) -> &mut Self {
        let body = self.body.as_mut().expect("an example is of a body");
        for content in body.content.values_mut() {
            if let RefOr::T(content) = content {
                *content = ContentBuilder::from(content.clone()).example(Some(example.clone())).build();
            }
        }
        self
    }

    /// The operation answers with this status and a JSON body.
    pub fn answers<T: JsonSchema>(&mut self, status: StatusCode, description: &str) -> &mut Self {
        let schema = self.schemas.of::<T>("Answer");
        self.answer(status, JSON, schema, description)
    }

    /// The operation answers with this status and a text of this media type.
    pub fn answers_text(&mut self, status: StatusCode, media_type: &str, description: &str) -> &mut Self {
        let schema = self.schemas.refer("Text", json!({ "type": "string" }));
        self.answer(status, media_type, schema, description)
    }

    fn answer(&mut self, status: StatusCode, media_type: &str, schema: Ref, description: &str) -> &mut Self {
        let mut response = Response::new(description);
        response.content.insert(media_type.to_owned(), Content::new(Some(schema)).into());
        self.responses.insert(status.as_u16(), response);
        self
    }

    /// The operation answers with this status and no body.
    pub fn answers_nothing(&mut self, status: StatusCode, description: &str) -> &mut Self {
        self.responses.insert(status.as_u16(), Response::new(description));
        self
    }

    /// The answer with this status has a header.
    ///
    /// # Panics
    /// If no such answer was described before.
    pub fn with_header(&mut self, status: StatusCode, name: &HeaderName, description: &str) -> &mut Self {
        let schema = self.schemas.refer("HeaderText", json!({ "type": "string" }));
        let mut header = Header::new(schema);
        header.description = Some(description.to_owned());
        let response = self.responses.get_mut(&status.as_u16()).expect("a header is that of an answer");
        response.headers.insert(crate::headers::title(name), header.into());
        self
    }

    /// The answer with this status has the id of an object; the operation `operation` takes it as `parameter`.
    ///
    /// # Panics
    /// If no such answer was described before.
    pub fn leads_to(
        &mut self,
        status: StatusCode,
        operation: &str,
        parameter: &str,
        value: &str,
    ) -> &mut Self {
        let link = LinkBuilder::new().operation_id(operation).parameter(parameter, value).build();
        let response = self.responses.get_mut(&status.as_u16()).expect("a link is that of an answer");
        response.links.insert(operation.to_owned(), link.into());
        self
    }

    /// The operation can fail with a problem of this type.
    pub fn fails(&mut self, status: StatusCode, problem: &'static str) -> &mut Self {
        self.problems.entry(status.as_u16()).or_default().insert(problem);
        self
    }

    /// The operation answers failures also in a form of its own, as its answers with these statuses say.
    pub fn has_own_errors(&mut self) -> &mut Self {
        self.has_own_errors = true;
        self
    }

    /// The finished description. Answers with problems go to `shared`: many operations have the same.
    pub(super) fn build(mut self, shared: &mut BTreeMap<String, RefOr<Response>>) -> OperationBuilder {
        let description = (!self.description.is_empty()).then_some(self.description);
        let mut builder = OperationBuilder::new()
            .operation_id(Some(self.id))
            .tag(self.tag)
            .summary(Some(self.summary))
            .description(description)
            .request_body(self.body);
        for parameter in self.parameters {
            builder = builder.parameter(parameter);
        }
        // Where a route has errors of a form of its own, those of what surrounds the routes still are problems.
        for status in self.problems.keys().filter(|_| self.has_own_errors) {
            if let Some(response) = self.responses.get_mut(status) {
                let schema = self.schemas.of::<ProblemDocument>("Problem");
                let content = Content::new(Some(schema)).into();
                response.content.insert("application/problem+json".to_owned(), content);
            }
        }
        for (status, problems) in &self.problems {
            if !(self.has_own_errors && self.responses.contains_key(status)) {
                let slugs: Vec<_> = problems.iter().copied().collect();
                let name = format!("{status}.{}", slugs.join("."));
                let reference = Ref::new(format!("#/components/responses/{name}"));
                shared.entry(name).or_insert_with(|| problem_response(self.schemas, *status, &slugs).into());
                builder = builder.response(status.to_string(), RefOr::Ref(reference));
            }
        }
        for (status, response) in self.responses {
            if self.has_own_errors || !self.problems.contains_key(&status) {
                builder = builder.response(status.to_string(), response);
            }
        }
        builder
    }
}

/// The answer with a problem of one of these types.
fn problem_response(schemas: &mut Schemas, status: u16, slugs: &[&'static str]) -> Response {
    let schema = schemas.of::<ProblemDocument>("Problem");
    let examples = slugs.iter().map(|slug| {
        let example =
            json!({ "type": slug, "title": title(slug), "status": status, "detail": "what is wrong" });
        (*slug, ExampleBuilder::new().value(Some(example)).build())
    });
    let content = ContentBuilder::new().schema(Some(schema)).examples_from_iter(examples);
    let slugs: Vec<_> = slugs.iter().map(|slug| format!("`{slug}`")).collect();
    let mut response = Response::new(format!("A problem of type {}.", slugs.join(" or ")));
    response.content.insert("application/problem+json".to_owned(), content.build().into());
    let retry_after = ("Retry-After", "the seconds after which the request may succeed");
    let headers: &[(&str, &str)] = match status {
        401 => &[("WWW-Authenticate", "how to authenticate")],
        429 => &[
            retry_after,
            ("RateLimit-Policy", "the requests `q` that are allowed in `w` seconds"),
            ("RateLimit", "the requests `r` that are left, and the seconds `t` until there are more"),
        ],
        503 => &[retry_after],
        _ => &[],
    };
    for (name, description) in headers {
        let mut header = Header::new(schemas.refer("HeaderText", json!({ "type": "string" })));
        header.description = Some((*description).to_owned());
        response.headers.insert((*name).to_owned(), header.into());
    }
    response
}

/// An error, RFC 9457. Some types have more members, such as `order` or `allowed`.
#[derive(JsonSchema)]
#[schemars(rename = "Problem")]
#[expect(dead_code, reason = "only the schema is used")]
struct ProblemDocument {
    /// The kind of the error: a slug that never changes.
    #[schemars(rename = "type")]
    slug: String,
    /// The kind of the error in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What is wrong with this request.
    detail: String,
    /// The fields that are wrong.
    #[schemars(default)]
    errors: Vec<FieldProblem>,
}

/// What is wrong with a field of the request.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only the schema is used")]
struct FieldProblem {
    /// JSON pointer to the field, RFC 6901.
    pointer: String,
    /// What is wrong with the field.
    detail: String,
}

/// The id of an operation: its method and its path, such as `get_orders_id`.
fn id(method: &Method, path: &str) -> String {
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let words: Vec<_> = std::iter::once(method.as_str()).chain(words).map(str::to_ascii_lowercase).collect();
    words.join("_")
}

/// `customer_id` as `CustomerId`.
fn pascal(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for word in name.split(['_', '-']) {
        let mut letters = word.chars();
        text.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        text.push_str(letters.as_str());
    }
    text
}
