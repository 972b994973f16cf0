//! Sessions against a server that counts what it is asked.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::*;
use crate::{
    login::stored::{Account, Tokens},
    remote::Origin,
};

/// A server of accounts that gives the answers of a list, and the same tokens beyond it.
#[derive(Clone)]
struct Stand {
    url: String,
    asked: Arc<Mutex<Vec<(String, Value)>>>,
    answers: Arc<Mutex<VecDeque<u16>>>,
}

impl Stand {
    async fn start(answers: &[u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answers = Arc::new(Mutex::new(answers.iter().copied().collect()));
        let stand = Self { url, asked: Arc::default(), answers };
        let serving = stand.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let stand = serving.clone();
                let answer = service_fn(move |request| stand.clone().answer(request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
            }
        });
        stand
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, std::io::Error> {
        let path = request.uri().path().to_owned();
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&body).unwrap_or_else(|_| String::from_utf8_lossy(&body).into());
        let number = {
            let mut asked = self.asked.lock().unwrap();
            asked.push((path, body));
            asked.len()
        };
        let status = self.answers.lock().unwrap().pop_front().unwrap_or(200);
        if status == 0 {
            return Err(std::io::Error::other("the connection breaks"));
        }
        let body = match status {
            200 => {
                json!({ "access_token": format!("access-{number}"), "refresh_token": format!("refresh-{number}"),
                           "expires_in": 900 })
            }
            _ => json!({ "detail": "no" }),
        };
        let response = Response::builder().status(StatusCode::from_u16(status).unwrap());
        Ok(response.body(Full::new(body.to_string().into())).unwrap())
    }

    fn asked(&self) -> Vec<(String, Value)> {
        self.asked.lock().unwrap().clone()
    }

    fn server(&self) -> Server {
        Server::at(&self.url, None).unwrap()
    }
}

fn person() -> Account {
    Account::Person { login: "ada".to_owned(), refresh_token: "refresh-0".to_owned().into() }
}

fn client(secret: Option<&str>) -> Account {
    let secret = secret.map(|secret| secret.to_owned().into());
    Account::Client { id: "shop".to_owned(), secret }
}

/// Stores a log-in whose token was asked for so many seconds ago, of the 900 that it is valid for.
async fn store(folder: &Path, stand: &Stand, account: Account, age: u64) -> LoginFile {
    let file = LoginFile::locate(Some(PathBuf::from(folder).join("logins.json"))).unwrap();
    let tokens = Tokens { access_token: "access-0".to_owned().into(), expires_in: 900, refresh_token: None };
    let locked = file.lock().await.unwrap();
    let mut logins = locked.read().unwrap();
    logins.insert(&Origin::parse(&stand.url).unwrap(), StoredLogin::new(account, tokens, now() - age));
    locked.replace(&logins).unwrap();
    drop(locked);
    file
}

fn open(stand: &Stand, file: &LoginFile) -> Session {
    Session::open(stand.server(), file.clone()).unwrap().unwrap()
}

fn token(text: &str) -> Token {
    text.parse().unwrap()
}

#[tokio::test]
async fn a_fresh_token_is_used_without_asking() {
    let (folder, stand) = (tempfile::tempdir().unwrap(), Stand::start(&[]).await);
    let session = open(&stand, &store(folder.path(), &stand, person(), 0).await);
    assert_eq!(session.token().await.unwrap(), token("access-0"));
    assert_eq!(stand.asked(), []);
}

#[tokio::test]
async fn of_commands_side_by_side_one_renews_and_the_others_take_its_tokens() {
    let (folder, stand) = (tempfile::tempdir().unwrap(), Stand::start(&[]).await);
    let file = store(folder.path(), &stand, person(), 800).await;
    let sessions: Vec<_> = (0..4).map(|_| Arc::new(open(&stand, &file))).collect();
    let mut tasks = tokio::task::JoinSet::new();
    for session in sessions.iter().chain(&sessions) {
        let session = session.clone();
        tasks.spawn(async move { session.token().await.unwrap() });
    }
    while let Some(renewed) = tasks.join_next().await {
        assert_eq!(renewed.unwrap(), token("access-1"));
    }
    assert_eq!(stand.asked(), [("/auth/refresh".to_owned(), json!({ "refresh_token": "refresh-0" }))]);
    // The next renewal uses the next refresh token.
    sessions[0].instead_of(&token("access-1")).await.unwrap();
    assert_eq!(stand.asked()[1].1, json!({ "refresh_token": "refresh-1" }));
    // Another command that was refused with the same token takes what the first one has got.
    assert_eq!(sessions[1].instead_of(&token("access-1")).await.unwrap(), token("access-2"));
    assert_eq!(stand.asked().len(), 2);
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_with_the_same_token() {
    let (folder, stand) = (tempfile::tempdir().unwrap(), Stand::start(&[0]).await);
    let session = open(&stand, &store(folder.path(), &stand, person(), 800).await);
    assert_eq!(session.token().await.unwrap(), token("access-2"));
    let asked = stand.asked();
    assert_eq!((asked.len(), &asked[0]), (2, &asked[1]));
}

#[tokio::test]
async fn a_server_that_cannot_renew_now_is_asked_again_later_while_the_token_is_valid() {
    let (folder, stand) = (tempfile::tempdir().unwrap(), Stand::start(&[503]).await);
    let file = store(folder.path(), &stand, person(), 800).await;
    let session = open(&stand, &file);
    for _ in 0..3 {
        assert_eq!(session.token().await.unwrap(), token("access-0"));
    }
    assert_eq!(stand.asked().len(), 1);
    assert_eq!(open(&stand, &file).token().await.unwrap(), token("access-2"));
    // An expired token is not used.
    let (folder, stand) = (tempfile::tempdir().unwrap(), Stand::start(&[503]).await);
    let session = open(&stand, &store(folder.path(), &stand, person(), 900).await);
    let error = session.token().await.unwrap_err();
    assert!(error.to_string().contains("cannot be renewed now") && !error.is::<LoginEnded>(), "{error}");
    assert_eq!(session.token().await.unwrap(), token("access-2"));
}

#[tokio::test]
async fn a_refused_renewal_ends_the_session_and_says_what_to_do() {
    for status in [400, 401, 403] {
        let (folder, stand) = (tempfile::tempdir().unwrap(), Stand::start(&[status]).await);
        let session = open(&stand, &store(folder.path(), &stand, person(), 800).await);
        for _ in 0..2 {
            let error = session.token().await.unwrap_err();
            assert!(error.is::<LoginEnded>(), "{error}");
            let wanted = format!("run `orderflow login --url {}` again", stand.url);
            assert!(error.to_string().contains(&wanted), "{error}");
        }
        assert_eq!(stand.asked().len(), 1, "a refused token was sent again");
    }
}

#[tokio::test]
async fn a_log_in_that_another_command_has_ended_or_replaced_is_over() {
    let (folder, stand) = (tempfile::tempdir().unwrap(), Stand::start(&[]).await);
    let file = store(folder.path(), &stand, person(), 800).await;
    let session = open(&stand, &file);
    store(folder.path(), &stand, client(Some("secret")), 0).await;
    assert!(session.token().await.unwrap_err().is::<LoginEnded>(), "a command became another caller");
    assert_eq!(stand.asked(), []);
}

#[tokio::test]
async fn a_client_is_renewed_with_its_secret_and_without_it_ends_with_its_token() {
    let (folder, stand) = (tempfile::tempdir().unwrap(), Stand::start(&[]).await);
    let session = open(&stand, &store(folder.path(), &stand, client(Some("a&b c")), 800).await);
    assert_eq!(session.token().await.unwrap(), token("access-1"));
    let form = "grant_type=client_credentials&client_id=shop&client_secret=a%26b+c";
    assert_eq!(stand.asked(), [("/oauth/token".to_owned(), json!(form))]);
    let (folder, stand) = (tempfile::tempdir().unwrap(), Stand::start(&[]).await);
    let file = store(folder.path(), &stand, client(None), 800).await;
    assert_eq!(open(&stand, &file).token().await.unwrap(), token("access-0"));
    let file = store(folder.path(), &stand, client(None), 900).await;
    let error = open(&stand, &file).token().await.unwrap_err();
    assert!(error.to_string().contains("--keep-secret"), "{error}");
    assert_eq!(stand.asked(), []);
}
