//! The whole document.

use std::collections::BTreeMap;

use http::{HeaderName, StatusCode};
use serde_json::Value;
use utoipa::openapi::{
    Components, HttpMethod, Info, OpenApiBuilder, OpenApiVersion, PathItem, Paths, SecurityRequirement, Tag,
    security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
};

use super::{Operation, Schemas};
use crate::{
    Action, Reach, Route,
    access::ROLES,
    authenticate::{ROLE_HEADER, SUBJECT_HEADER},
    headers::title,
};

/// How the callers of a server are determined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callers {
    /// By access tokens.
    Tokens,
    /// By headers that are trusted.
    TrustedHeaders,
}

/// A description of the API in OpenAPI 3.1.
#[derive(Debug)]
pub struct Document(Value);

/// The groups of operations, in the order in which a page shows them.
const TAGS: [(&str, &str); 10] = [
    ("orders", "Placing, changing and reading orders"),
    ("shipments", "Couriers, what they report, and what comes back"),
    ("stock", "The units of each SKU"),
    ("catalogue", "Products and their prices"),
    ("account", "The own account"),
    ("tokens", "Logging in and out, and what tokens are worth"),
    ("users", "The accounts of people, for admins"),
    ("clients", "Machine clients, for admins"),
    ("operation", "Health, metrics and the log"),
    ("reference", "This document"),
];

const TOKEN: &str = "access_token";
const ROLE: &str = "role";
const SUBJECT: &str = "subject";

impl Document {
    /// Describes these routes.
    ///
    /// # Panics
    /// If two schemas have the same name.
    pub fn of(routes: &[Route], callers: Callers, description: &str, version: &str) -> Self {
        let mut schemas = Schemas::default();
        let mut paths = Paths::new();
        let mut responses = BTreeMap::new();
        for route in routes {
            let mut operation = Operation::new(&mut schemas, &route.method, route.path);
            (route.takes)(&mut operation);
            common(&mut operation, route.action, callers);
            (route.describe)(&mut operation);
            if let Some(action) = route.action {
                operation.says(&allowed(action));
            }
            let mut operation = operation.build(&mut responses);
            if let Some(action) = route.action {
                operation = operation.securities(Some(required(action, callers)));
            }
            let method = method(&route.method);
            let item = PathItem::new(method, operation.build());
            match paths.paths.get_mut(route.path) {
                Some(known) => known.merge_operations(item),
                None => drop(paths.paths.insert(route.path.to_owned(), item)),
            }
        }
        let mut info = Info::new("orderflow", version);
        info.description = Some(description.to_owned());
        let mut components = Components::new();
        components.responses = responses;
        components.security_schemes = schemes(callers).into_iter().collect();
        let document = OpenApiBuilder::new().openapi(OpenApiVersion::Version31).info(info).paths(paths);
        let tags = TAGS.map(|(name, description)| {
            let mut tag = Tag::new(name);
            tag.description = Some(description.to_owned());
            tag
        });
        let document = document.components(Some(components)).tags(Some(tags)).build();
        let mut document = serde_json::to_value(document).expect("a document has string keys");
        document["components"]["schemas"] = Value::Object(schemas.into_map());
        Self(document)
    }

    /// The document as JSON, the same for the same routes, with a line for each value.
    pub fn to_pretty_json(&self) -> String {
        serde_json::to_string_pretty(&self.0).expect("a document has string keys") + "\n"
    }

    /// The document as JSON.
    pub fn as_json(&self) -> &Value {
        &self.0
    }
}

fn method(method: &http::Method) -> HttpMethod {
    match *method {
        http::Method::GET => HttpMethod::Get,
        http::Method::POST => HttpMethod::Post,
        http::Method::PUT => HttpMethod::Put,
        http::Method::PATCH => HttpMethod::Patch,
        http::Method::DELETE => HttpMethod::Delete,
        ref other => unreachable!("no route has the method {other}"),
    }
}

/// The answers that every route has, and those of routes that need a caller.
fn common(operation: &mut Operation<'_>, action: Option<Action>, callers: Callers) {
    operation
        .fails(StatusCode::BAD_REQUEST, "invalid-header")
        .fails(StatusCode::NOT_ACCEPTABLE, "not-acceptable")
        .fails(StatusCode::INTERNAL_SERVER_ERROR, "internal")
        .fails(StatusCode::SERVICE_UNAVAILABLE, "overloaded");
    let Some(action) = action else { return };
    operation
        .fails(StatusCode::FORBIDDEN, "forbidden")
        .fails(StatusCode::TOO_MANY_REQUESTS, "too-many-requests");
    match callers {
        Callers::Tokens => operation
            .fails(StatusCode::UNAUTHORIZED, "unauthenticated")
            .fails(StatusCode::UNAUTHORIZED, "invalid-token")
            .fails(StatusCode::SERVICE_UNAVAILABLE, "accounts-unavailable"),
        Callers::TrustedHeaders => operation
            .fails(StatusCode::BAD_REQUEST, "invalid-role")
            .fails(StatusCode::BAD_REQUEST, "invalid-subject"),
    };
    if (action.scope().is_some() || action.needs_all_scopes()) && callers == Callers::Tokens {
        operation.fails(StatusCode::FORBIDDEN, "insufficient-scope");
    }
}

/// Who may perform an action, for people.
fn allowed(action: Action) -> String {
    let role = |role| match action.reach(role)? {
        Reach::Handed => Some(format!("{} (orders that are handed to them)", role.as_str())),
        Reach::Own => Some(format!("{} (what is their own)", role.as_str())),
        Reach::All => Some(role.as_str().to_owned()),
    };
    let roles: Vec<String> = ROLES.into_iter().filter_map(role).collect();
    let scope = match action.scope() {
        Some(scope) => format!(" Scope: `{}`.", scope.as_str()),
        None if action.needs_all_scopes() => " Scopes: all of the role.".to_owned(),
        None => String::new(),
    };
    format!("Roles: {}.{scope}", roles.join(", "))
}

fn schemes(callers: Callers) -> Vec<(String, utoipa::openapi::RefOr<SecurityScheme>)> {
    let header = |name: &HeaderName, description: &str| {
        let value = ApiKeyValue::with_description(title(name), description.to_owned());
        SecurityScheme::ApiKey(ApiKey::Header(value))
    };
    match callers {
        Callers::Tokens => {
            let scheme =
                HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").description(Some(
                    "An access token of `POST /auth/login`, or of `POST /oauth/token` for a machine client.",
                ));
            vec![(TOKEN.to_owned(), SecurityScheme::Http(scheme.build()).into())]
        }
        Callers::TrustedHeaders => vec![
            (ROLE.to_owned(), header(&ROLE_HEADER, "The role of the caller; admin if absent.").into()),
            (
                SUBJECT.to_owned(),
                header(&SUBJECT_HEADER, "The account of the caller; the role if absent.").into(),
            ),
        ],
    }
}

/// What a caller must have for an action: any one of these requirements.
fn required(action: Action, callers: Callers) -> Vec<SecurityRequirement> {
    let scope = action.scope().map(|scope| scope.as_str());
    match callers {
        Callers::Tokens => vec![SecurityRequirement::new(TOKEN, scope)],
        Callers::TrustedHeaders => {
            let none: [&str; 0] = [];
            vec![SecurityRequirement::new(ROLE, none).add(SUBJECT, none), SecurityRequirement::default()]
        }
    }
}
