//! The OAuth 2.0 token endpoint (RFC 6749, with the advice of RFC 9700), token introspection (RFC 7662), and the key
//! set (RFC 7517). The token endpoint has errors of its own form, which client libraries read.

use std::{borrow::Cow, sync::Arc};

use axum::{
    body::{Bytes, to_bytes},
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use orderflow_web::{Caller, ClientAddress, NoKey, Problem, Scopes, body::require_media_type, headers, json};
use schemars::JsonSchema;
use serde::Serialize;

use super::auth::{count_login, secret, tokens};
use crate::{Accounts, Client, service::RefreshError, tokens::AccessToken};

/// The most bytes of a form.
const FORM_BYTES_MAX: usize = 16 << 10;

/// An error of the token endpoint, RFC 6749, section 5.2.
#[derive(Debug)]
pub struct OAuthError {
    status: StatusCode,
    error: &'static str,
    description: Cow<'static, str>,
    /// Whether the client has tried to authenticate with the header `Authorization`.
    challenges: bool,
    problem: Option<Problem>,
}

impl OAuthError {
    fn new(error: &'static str, description: impl Into<Cow<'static, str>>) -> Self {
        let status = StatusCode::BAD_REQUEST;
        Self { status, error, description: description.into(), challenges: false, problem: None }
    }

    fn invalid_client(challenges: bool) -> Self {
        let status = if challenges { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
        let description = "no client has this id and this secret".into();
        Self { status, error: "invalid_client", description, challenges, problem: None }
    }
}

impl From<Problem> for OAuthError {
    /// Failures that have no word of their own in OAuth: too many attempts, an unavailable store, a fault.
    fn from(problem: Problem) -> Self {
        let error = match problem.status() {
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => "temporarily_unavailable",
            StatusCode::INTERNAL_SERVER_ERROR => "server_error",
            StatusCode::FORBIDDEN => "unauthorized_client",
            _ => "invalid_request",
        };
        let description = problem.detail().to_owned().into();
        Self { status: problem.status(), error, description, challenges: false, problem: Some(problem) }
    }
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OAuthError")]
pub(super) struct ErrorBody<'a> {
    /// The error code of RFC 6749, section 5.2.
    error: &'a str,
    /// What is wrong with the request.
    error_description: &'a str,
    /// The type of the problem that other endpoints would answer, if there is one.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    slug: Option<&'a str>,
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let slug = self.problem.as_ref().map(Problem::slug);
        let body = ErrorBody { error: self.error, error_description: &self.description, slug };
        let mut response = secret(json(self.status, &body));
        if self.challenges {
            let challenge = HeaderValue::from_static("Basic realm=\"orderflow\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(problem) = self.problem {
            let known = problem.into_response();
            if let Some(retry_after) = known.headers().get(header::RETRY_AFTER) {
                response.headers_mut().insert(header::RETRY_AFTER, retry_after.clone());
            }
        }
        response
    }
}

/// The parameters of a form. A parameter that comes twice is an error, RFC 6749, section 3.2; an empty one counts as
/// absent.
struct Form(Vec<(String, String)>);

impl Form {
    async fn read(request: Request) -> Result<Self, OAuthError> {
        require_media_type(request.headers(), "application/x-www-form-urlencoded")
            .map_err(|problem| OAuthError::new("invalid_request", problem.detail().to_owned()))?;
        let body = to_bytes(request.into_body(), FORM_BYTES_MAX).await;
        let body: Bytes =
            body.map_err(|_| OAuthError::new("invalid_request", "the form is too large or incomplete"))?;
        let pairs: Vec<(String, String)> = serde_urlencoded::from_bytes(&body)
            .map_err(|_| OAuthError::new("invalid_request", "the body is no form in UTF-8"))?;
        for (number, (name, _)) in pairs.iter().enumerate() {
            if pairs[..number].iter().any(|(other, _)| other == name) {
                return Err(OAuthError::new("invalid_request", "a parameter is there twice"));
            }
        }
        Ok(Self(pairs))
    }

    fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(other, value)| other == name && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    }

    fn scopes(&self) -> Result<Option<Scopes>, OAuthError> {
        let scopes = self.get("scope").map(Scopes::parse).transpose();
        scopes.map_err(|error| OAuthError::new("invalid_scope", error.to_string()))
    }
}

/// The id and secret of a client, from `Authorization: Basic` or from the form, never from both.
struct Credentials {
    id: String,
    secret: String,
    from_header: bool,
}

impl Credentials {
    fn read(given: &HeaderMap, form: &Form) -> Result<Option<Self>, OAuthError> {
        let value = headers::single(given, &header::AUTHORIZATION)
            .map_err(|problem| OAuthError::new("invalid_request", problem.detail().to_owned()))?;
        let basic = value.and_then(|value| value.split_once(' '));
        let basic = basic.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"));
        match (basic, form.get("client_id"), form.get("client_secret")) {
            (Some(_), _, Some(_)) => {
                Err(OAuthError::new("invalid_request", "the client authenticates in two ways at once"))
            }
            (Some((_, encoded)), named, None) => {
                let decoded = Self::decode(encoded).ok_or_else(|| OAuthError::invalid_client(true))?;
                if named.is_some_and(|named| named != decoded.id) {
                    return Err(OAuthError::new(
                        "invalid_request",
                        "the form and the header name different clients",
                    ));
                }
                Ok(Some(decoded))
            }
            (None, Some(id), Some(secret)) => {
                Ok(Some(Self { id: id.to_owned(), secret: secret.to_owned(), from_header: false }))
            }
            (None, _, _) => Ok(None),
        }
    }

    /// Id and secret are form-encoded before they are joined and encoded in base64: RFC 6749, section 2.3.1.
    fn decode(encoded: &str) -> Option<Self> {
        let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
        let (id, secret) = text.split_once(':')?;
        let plain = |text: &str| {
            let pairs: Vec<(String, String)> = serde_urlencoded::from_str(&format!("x={text}")).ok()?;
            pairs.into_iter().next().map(|(_, value)| value)
        };
        Some(Self { id: plain(id)?, secret: plain(secret)?, from_header: true })
    }
}

async fn authenticate(
    accounts: &Accounts,
    credentials: Credentials,
    address: ClientAddress,
) -> Result<Client, OAuthError> {
    let Credentials { id, secret, from_header } = credentials;
    let client = accounts.authenticate_client(&id, &secret, address).await?;
    count_login(client.is_some());
    client.ok_or_else(|| OAuthError::invalid_client(from_header))
}

/// The form of the token endpoint, as the document describes it.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only the schema is used")]
pub(super) struct TokenForm {
    /// How the client proves what it may have.
    #[schemars(extend("enum" = ["client_credentials", "refresh_token"]))]
    grant_type: String,
    /// The id of the client, unless `Authorization: Basic` has it.
    client_id: Option<String>,
    /// The secret of the client, unless `Authorization: Basic` has it.
    client_secret: Option<String>,
    /// The refresh token, for the grant of that name.
    refresh_token: Option<String>,
    /// Scopes with spaces between, fewer than the client or the session has.
    scope: Option<String>,
}

/// The form of token introspection, RFC 7662, section 2.1.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only the schema is used")]
pub(super) struct IntrospectionForm {
    /// The access token.
    #[schemars(length(min = 1))]
    token: String,
    /// Not needed, and not looked at.
    token_type_hint: Option<String>,
}

/// The public keys that tokens are signed with, RFC 7517.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only the schema is used")]
pub(super) struct KeySet {
    /// The keys.
    keys: Vec<std::collections::BTreeMap<String, String>>,
}

/// `POST /oauth/token`: the grants `client_credentials` and `refresh_token`.
pub async fn token(
    State(accounts): State<Arc<Accounts>>,
    address: ClientAddress,
    key: Result<NoKey, Problem>,
    request: Request,
) -> Result<Response, OAuthError> {
    key.map_err(|problem| OAuthError::new("invalid_request", problem.detail().to_owned()))?;
    let headers = request.headers().clone();
    let form = Form::read(request).await?;
    let credentials = Credentials::read(&headers, &form)?;
    match form.get("grant_type") {
        Some("client_credentials") => {
            let credentials = credentials.ok_or_else(|| OAuthError::invalid_client(true))?;
            let client = authenticate(&accounts, credentials, address).await?;
            let scopes = form.scopes()?.unwrap_or(client.scopes);
            if !scopes.is_subset_of(client.scopes) {
                return Err(OAuthError::new(
                    "invalid_scope",
                    format!("the client can have: {}", client.scopes),
                ));
            }
            Ok(tokens(&accounts.client_token(&client, scopes).await?))
        }
        Some("refresh_token") => {
            let Some(text) = form.get("refresh_token") else {
                return Err(OAuthError::new("invalid_request", "the parameter refresh_token is missing"));
            };
            match accounts.refresh(text, form.scopes()?).await {
                Ok(refreshed) => Ok(tokens(&refreshed)),
                Err(RefreshError::Invalid) => {
                    Err(OAuthError::new("invalid_grant", "the refresh token is not valid, or not any more"))
                }
                Err(RefreshError::Scope) => {
                    Err(OAuthError::new("invalid_scope", "the session has not all of these scopes"))
                }
                Err(RefreshError::Problem(problem)) => Err(problem.into()),
            }
        }
        Some(_) => Err(OAuthError::new(
            "unsupported_grant_type",
            "the grants are client_credentials and refresh_token; people log in at /auth/login",
        )),
        None => Err(OAuthError::new("invalid_request", "the parameter grant_type is missing")),
    }
}

/// The answer of token introspection, RFC 7662, section 2.2.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Introspection")]
pub(super) struct Introspection<'a> {
    /// Whether the token is valid now. If it is not, the answer says nothing else.
    active: bool,
    #[serde(flatten)]
    token: Option<ActiveToken<'a>>,
}

#[derive(Serialize, JsonSchema)]
struct ActiveToken<'a> {
    token_type: &'static str,
    scope: &'a str,
    sub: &'a str,
    role: &'a str,
    iss: &'a str,
    iat: i64,
    exp: i64,
    jti: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
}

/// `POST /auth/verify`: whether an access token is valid now. Only admins and services may ask. An unknown kind of token
/// is answered like an invalid one, and `token_type_hint` is not needed.
pub async fn introspect(
    State(accounts): State<Arc<Accounts>>,
    _: Caller,
    _: NoKey,
    request: Request,
) -> Result<Response, OAuthError> {
    let form = Form::read(request).await?;
    let Some(text) = form.get("token") else {
        return Err(OAuthError::new("invalid_request", "the parameter token is missing"));
    };
    let checked = match accounts.authenticator().check(text) {
        Ok(token) => Some(token),
        Err(crate::Refused::Token(_)) => None,
        Err(refused @ crate::Refused::List(_)) => return Err(Problem::from(refused).into()),
    };
    let active = checked.as_deref().map(|AccessToken { claims, .. }| ActiveToken {
        token_type: "Bearer",
        scope: &claims.scope,
        sub: &claims.sub,
        role: &claims.role,
        iss: &claims.iss,
        iat: claims.iat,
        exp: claims.exp,
        jti: claims.jti.to_string(),
        client_id: claims.client_id.as_deref(),
    });
    Ok(secret(json(StatusCode::OK, &Introspection { active: active.is_some(), token: active })))
}

/// `GET /.well-known/jwks.json`: the public keys with which tokens are checked.
pub async fn jwks(State(accounts): State<Arc<Accounts>>) -> Response {
    let mut response = json(StatusCode::OK, &accounts.authenticator().keys().jwks());
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=30"));
    response
}
