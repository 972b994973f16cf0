//! The description of the API for clients: `/openapi.json`, and `/docs`, which shows it and loads nothing from elsewhere.

use std::{
    borrow::Cow,
    sync::{Arc, LazyLock, OnceLock},
};

use axum::{
    body::{Body, Bytes},
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use orderflow_web::{
    PathPart, Problem, Route, Routes,
    openapi::{Callers, Document, Operation},
};
use utoipa_swagger_ui::Config;

/// What the document says before it describes the routes.
const DESCRIPTION: &str = "A real-time order pipeline.\n\n\
    Every write is durable before it is answered, and says with `Orderflow-Position` how far a read must be to see it: \
    a read that sends it back as `Orderflow-Min-Position` waits for it. Errors are problem details (RFC 9457) with a \
    `type` that never changes. Lists are read part by part with `next_cursor`. Bodies may be sent and are answered in \
    `gzip` and `zstd`. Times are RFC 3339; amounts of money are integers in minor units of their currency. A name, such \
    as a SKU, an id or a key, is visible characters in Unicode normalization form C, compared as given.";

/// The page loads its own files only. Swagger UI sets styles in elements, and has pictures in its style sheet.
const LOADS_ITS_OWN_FILES: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; \
     frame-ancestors 'none'",
);
const A_WHILE: HeaderValue = HeaderValue::from_static("public, max-age=300");

static PAGE: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
    // Without this, Swagger UI sends the document to a validator in the network.
    Arc::new(Config::from("/openapi.json").validator_url("none").filter(true))
});

/// What the routes of this module need to know. The document is made when it is first asked for.
#[derive(Debug)]
struct Reference {
    routes: Vec<Route>,
    callers: Callers,
    json: OnceLock<Bytes>,
}

/// The document of these routes.
fn document(routes: &[Route], callers: Callers) -> Document {
    let mut routes = routes.to_vec();
    routes.sort_by_key(|route| (route.path, route.method.to_string()));
    Document::of(&routes, callers, DESCRIPTION, env!("CARGO_PKG_VERSION"))
}

/// The declarations of all routes of the program.
pub fn all_routes() -> Vec<Route> {
    let own = unbound().declared().to_vec();
    [orderflow_ingest::declared(), orderflow_api::declared(), orderflow_accounts::declared(), own].concat()
}

/// The document of all routes of the program, for callers with access tokens.
pub fn of_all_routes() -> Document {
    document(&all_routes(), Callers::Tokens)
}

/// The given routes, and those that describe all of them.
pub fn with_reference(routes: Routes, callers: Callers) -> Routes {
    let reference = unbound();
    let declared = [routes.declared(), reference.declared()].concat();
    let state = Reference { routes: declared, callers, json: OnceLock::new() };
    routes.merge(reference.with_state(Arc::new(state)))
}

fn unbound() -> Routes<Arc<Reference>> {
    Routes::new()
        .open(Method::GET, "/openapi.json", show_document, describe_document)
        .open(Method::GET, "/docs", to_page, describe_redirect)
        .open(Method::GET, "/docs/", show_page, describe_page)
        .open(Method::GET, "/docs/{file}", show_file, describe_file)
        .sends("/docs/", &["text/html"])
        .sends("/docs/{file}", &["text/html", "text/css", "text/javascript", "image/png"])
}

async fn show_document(State(reference): State<Arc<Reference>>) -> Response {
    let json =
        reference.json.get_or_init(|| document(&reference.routes, reference.callers).to_pretty_json().into());
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CACHE_CONTROL, A_WHILE),
    ];
    (headers, json.clone()).into_response()
}

fn describe_document(operation: &mut Operation<'_>) {
    operation
        .is("reference", "See this document", "OpenAPI 3.1, for the routes of this server.")
        .answers::<serde_json::Map<String, serde_json::Value>>(StatusCode::OK, "The document.");
}

async fn to_page() -> Response {
    (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, HeaderValue::from_static("/docs/"))]).into_response()
}

fn describe_redirect(operation: &mut Operation<'_>) {
    operation
        .is("reference", "Go to the page of this document", "")
        .answers_nothing(StatusCode::PERMANENT_REDIRECT, "The page is at `/docs/`.")
        .with_header(StatusCode::PERMANENT_REDIRECT, &header::LOCATION, "`/docs/`");
}

async fn show_page() -> Result<Response, Problem> {
    file("index.html")
}

fn describe_page(operation: &mut Operation<'_>) {
    operation.is("reference", "See this document as a page", "").answers_text(
        StatusCode::OK,
        "text/html",
        "The page.",
    );
}

async fn show_file(PathPart(name): PathPart) -> Result<Response, Problem> {
    file(&name)
}

fn describe_file(operation: &mut Operation<'_>) {
    operation
        .is("reference", "See a file of the page", "")
        .path_variable::<String>("file", "the name of the file")
        .answers_text(StatusCode::OK, "*/*", "The file.")
        .fails(StatusCode::BAD_REQUEST, "invalid-path")
        .fails(StatusCode::NOT_FOUND, "no-such-route");
}

fn file(name: &str) -> Result<Response, Problem> {
    let file = utoipa_swagger_ui::serve(name, PAGE.clone()).map_err(Problem::internal)?;
    let file =
        file.ok_or_else(|| Problem::not_found("no-such-route", format!("there is nothing at /docs/{name}")))?;
    let media_type = HeaderValue::try_from(file.content_type).map_err(Problem::internal)?;
    let headers: [(HeaderName, HeaderValue); 3] = [
        (header::CONTENT_TYPE, media_type),
        (header::CACHE_CONTROL, A_WHILE),
        (header::CONTENT_SECURITY_POLICY, LOADS_ITS_OWN_FILES),
    ];
    let body = match file.bytes {
        Cow::Borrowed(bytes) => Body::from(bytes),
        Cow::Owned(bytes) => Body::from(bytes),
    };
    Ok((headers, body).into_response())
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    /// `ORDERFLOW_WRITE_DOCUMENTS=1` writes the file anew.
    #[test]
    fn the_committed_document_is_that_of_the_program() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
        let document = of_all_routes().to_pretty_json();
        if std::env::var_os("ORDERFLOW_WRITE_DOCUMENTS").is_some() {
            fs::write(&path, &document).unwrap();
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == document,
            "docs/openapi.json is out of date: ORDERFLOW_WRITE_DOCUMENTS=1 writes it anew"
        );
    }

    #[test]
    fn every_route_is_described() {
        for callers in [Callers::Tokens, Callers::TrustedHeaders] {
            let document = document(&all_routes(), callers);
            let paths = document.as_json()["paths"].as_object().unwrap().clone();
            let operations = paths.values().flat_map(|path| path.as_object().unwrap().values());
            for operation in operations {
                let id = &operation["operationId"];
                assert!(!operation["summary"].as_str().unwrap().is_empty(), "{id} has no summary");
                let tags = document.as_json()["tags"].as_array().unwrap();
                assert!(tags.iter().any(|tag| tag["name"] == operation["tags"][0]), "{id} has no tag");
                let statuses: Vec<_> = operation["responses"].as_object().unwrap().keys().collect();
                assert!(statuses.iter().any(|status| status.starts_with(['2', '3'])), "{id}: {statuses:?}");
            }
            let schemes = document.as_json()["components"]["securitySchemes"].as_object().unwrap();
            let expected: &[&str] = match callers {
                Callers::Tokens => &["access_token"],
                Callers::TrustedHeaders => &["role", "subject"],
            };
            assert!(schemes.keys().eq(expected), "{schemes:?}");
        }
    }

    #[test]
    fn the_page_and_its_files_are_in_the_program() {
        for name in ["index.html", "swagger-ui.css", "swagger-ui-bundle.js", "swagger-initializer.js"] {
            assert_eq!(file(name).unwrap().status(), StatusCode::OK, "{name}");
        }
        assert_eq!(file("other.html").unwrap_err().status(), StatusCode::NOT_FOUND);
    }
}
