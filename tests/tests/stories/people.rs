//! The people and programs of a story, with accounts, at a server of their own.

use orderflow_tests::{Answer, Client, Server, Stage};
use serde_json::json;

const ADMIN: (&str, &str) = ("ada@example.com", "pale-otter-43-lamp");
const PASSWORD: &str = "brown-heron-71-kite";

/// A server with accounts, and its first admin.
pub struct Shop {
    stage: Stage,
    pub server: Server,
    pub admin: Client,
}

impl Shop {
    /// Starts a server with this pipeline, a file or a name.
    #[track_caller]
    pub fn open(pipeline: &str) -> Self {
        let stage = Stage::new().with("admin_email", ADMIN.0).with("admin_password", ADMIN.1);
        let stage = stage.pipeline(pipeline);
        let server = stage.serve_with_accounts();
        let admin = log_in(&server, ADMIN.0, ADMIN.1);
        Self { stage, server, admin }
    }

    /// Registers a customer and logs them in.
    #[track_caller]
    pub fn customer(&self, name: &str) -> Client {
        let email = format!("{}@example.com", name.to_lowercase().replace(' ', "."));
        let body = json!({ "email": email, "name": name, "password": PASSWORD });
        Client::new(self.server.address).post("/auth/register", &body).is(201);
        log_in(&self.server, &email, PASSWORD)
    }

    /// Makes a machine client in the role of couriers. Returns its id and the client with its token.
    #[track_caller]
    pub fn courier(&self, name: &str) -> (String, Client) {
        let body = json!({ "name": name, "role": "courier" });
        let made = self.admin.post("/clients", &body).is(201);
        let (id, secret) = (text(&made, "id"), text(&made, "client_secret"));
        let form = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
        let client =
            Client::new(self.server.address).with("content-type", "application/x-www-form-urlencoded");
        let answer = client.send("POST", "/oauth/token", form.as_bytes()).is(200);
        (id, self.server.bearer(&text(&answer, "access_token")))
    }

    /// Stops the server and verifies its data.
    #[track_caller]
    pub fn close(self) {
        self.server.stop();
        self.stage.verify_clean();
    }
}

/// Logs in. Returns a client with the access token.
#[track_caller]
pub fn log_in(server: &Server, login: &str, password: &str) -> Client {
    let body = json!({ "login": login, "password": password });
    let answer = Client::new(server.address).post("/auth/login", &body).is(200);
    server.bearer(&text(&answer, "access_token"))
}

/// A member of the response that is a text.
#[track_caller]
pub fn text(answer: &Answer, name: &str) -> String {
    answer.json()[name].as_str().unwrap_or_else(|| panic!("no {name}: {}", answer.text())).to_owned()
}
