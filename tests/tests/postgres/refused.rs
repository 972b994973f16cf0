//! Databases that the server cannot work with: one clear sentence at the start, and never the password.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
};

use orderflow_tests::{Cluster, Database, Ran, Running, Stage, settle, supply};

/// Starts a server that must refuse to run with a message that contains all these words.
#[track_caller]
fn is_refused(stage: &Stage, words: &[&str]) -> Ran {
    stage.start(&["--insecure-no-auth"]).wait().fails_naming(words)
}

#[test]
fn a_wrong_password_is_refused_and_not_shown() {
    let cluster = Cluster::shared();
    let database = cluster.database();
    let wrong = database.with_password("wrong-3c9e");
    let stage = Stage::new().with("log", "debug").database(&wrong);
    let ran = is_refused(&stage, &["the database cannot be opened", "password authentication failed"]);
    assert!(!ran.stderr.contains("wrong-3c9e"), "{}", ran.stderr);
    // The correct password is not shown either, even with all log lines enabled.
    let stage = Stage::new().with("log", "trace").database(&database);
    let server = stage.serve();
    database.is_not_told(&server.stop().stderr);
}

#[test]
fn a_database_that_is_not_there_is_named() {
    let cluster = Cluster::shared();
    let there = cluster.database();
    let missing = Database { url: there.url.replace("/test_", "/missing_") };
    let ran = is_refused(&Stage::new().database(&missing), &["missing_", "does not exist"]);
    there.is_not_told(&ran.stderr);
}

#[test]
fn tables_of_a_newer_program_are_refused() {
    let cluster = Cluster::shared();
    let database = cluster.database();
    let stage = Stage::new().database(&database);
    let server = stage.serve();
    supply(&server.admin(), "tea", 100, 1);
    server.stop();
    database.execute(
        "INSERT INTO orderflow._sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (99, 'of the future', true, '', 0)",
    );
    is_refused(&stage, &["schema version 99", "newer"]);
}

#[test]
fn the_database_of_another_log_is_refused() {
    let cluster = Cluster::shared();
    let database = cluster.database();
    let stage = Stage::new().database(&database);
    let server = stage.serve();
    supply(&server.admin(), "tea", 100, 1);
    // A database with nothing stored belongs to no log.
    settle(&server.admin());
    server.stop();
    stage.verify_clean();
    is_refused(&Stage::new().database(&database), &["do not belong together"]);
    let empty = stage.database(&cluster.database());
    empty.verify().fails_naming(&["does not have the tables"]);
}

/// Responds on every connection as Postgres 9.6 would after a correct password.
fn pretend_to_be_old(listener: &TcpListener) {
    let greet = |mut stream: TcpStream| -> std::io::Result<()> {
        let message = |stream: &mut TcpStream| {
            let mut length = [0; 4];
            stream.read_exact(&mut length)?;
            let mut body = vec![0; u32::from_be_bytes(length) as usize - 4];
            stream.read_exact(&mut body).map(|()| body)
        };
        // The client first asks for TLS, which is declined. Then it sends the user name and the database.
        if message(&mut stream)?.len() == 4 {
            stream.write_all(b"N")?;
            message(&mut stream)?;
        }
        let status = b"server_version\x009.6.24\0";
        let length = u32::try_from(status.len() + 4).unwrap().to_be_bytes();
        let answer = [b"R\0\0\0\x08\0\0\0\0S", &length[..], status, b"Z\0\0\0\x05I"].concat();
        stream.write_all(&answer)?;
        // Further messages are never answered.
        stream.read_to_end(&mut Vec::new()).map(drop)
    };
    for stream in listener.incoming().map_while(Result::ok) {
        // A client may close the connection at any time.
        let _ = greet(stream);
    }
}

#[test]
fn a_postgres_that_is_too_old_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || pretend_to_be_old(&listener));
    let stage = Stage::new().with("database", format!("postgres://me:secret-5b1d@{address}/shop"));
    let ran = is_refused(&stage, &["9", "13"]);
    assert!(!ran.stderr.contains("secret-5b1d"), "{}", ran.stderr);
}

#[test]
fn help_does_not_show_the_url_that_the_environment_has() {
    let settings = [("ORDERFLOW_DATABASE".to_owned(), "postgres://me:secret-5b1d@db/shop".to_owned())];
    for command in ["serve", "verify", "demo"] {
        let ran = Running::start(&[command, "--help"], &settings).wait().exits(0);
        assert!(ran.stdout.contains("--database"), "{}", ran.stdout);
        assert!(!ran.stdout.contains("secret-5b1d"), "{}", ran.stdout);
    }
}
