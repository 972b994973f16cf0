//! TLS: both versions of HTTP, replaced certificates, and clients that do not finish their handshake.

use std::{io::Read, net::TcpStream, os::unix::fs::symlink, path::PathBuf};

use orderflow_tests::{Certificate, Http, Server, Stage, exchange, request, wait_until};

/// The files of a stage's certificate.
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

/// A stage whose servers have this certificate.
fn stage(certificate: &Certificate) -> (Stage, Files) {
    let stage = Stage::new();
    let folder = stage.folder.path();
    let files = Files { certificate: folder.join("tls.crt"), key: folder.join("tls.key") };
    certificate.write_certificate(&files.certificate);
    certificate.write_key(&files.key);
    let stage = stage.with("tls_cert", files.certificate.display()).with("tls_key", files.key.display());
    (stage, files)
}

fn health(server: &Server, trusted: &Certificate) -> Result<serde_json::Value, String> {
    let answer = exchange(server.address, Some(trusted), Http::One, request("GET", "/health", &[], ""))?;
    Ok(serde_json::from_slice(answer.body()).unwrap())
}

#[test]
fn tls_carries_both_versions_of_http() {
    let certificate = Certificate::new("first");
    let (stage, _) = stage(&certificate);
    let server = stage.serve();
    assert!(server.stderr().contains(" on https://127.0.0.1:"), "{}", server.stderr());
    for version in [Http::One, Http::Two] {
        let body = r#"{"quantity":5}"#;
        let headers = [("content-type", "application/json")];
        let receipt = request("POST", "/inventory/tea/receipts", &headers, body);
        let answer = exchange(server.address, Some(&certificate), version, receipt).unwrap();
        assert_eq!(answer.status(), 200, "{answer:?}");
        assert_eq!(answer.headers()["strict-transport-security"], "max-age=31536000");
    }
    let stranger = Certificate::new("first");
    assert!(health(&server, &stranger).unwrap_err().contains("certificate"));
    server.stop();
    stage.verify_clean();
}

#[test]
fn a_new_certificate_is_used_once_both_of_its_files_are_there() {
    let (first, second, third) =
        (Certificate::new("first"), Certificate::new("second"), Certificate::new("third"));
    let (stage, files) = stage(&first);
    let server = stage.serve();
    wait_until("the first is used", || health(&server, &first).ok());
    second.write_certificate(&files.certificate);
    let waits = |status: &str| {
        let health = health(&server, &first).or_else(|_| health(&server, &second)).unwrap();
        (health["parts"]["certificate"]["status"] == status).then_some(())
    };
    wait_until("the health shows a certificate without its key", || waits("waiting"));
    health(&server, &first).unwrap();
    // Log lines are written beside what they tell.
    let is_told = || server.stderr().contains("does not belong to the certificate").then_some(());
    wait_until("the log says what is wrong", is_told);
    second.write_key(&files.key);
    wait_until("the second is used", || health(&server, &second).ok());
    wait_until("the health is good again", || waits("ready"));
    assert!(health(&server, &first).is_err());
    // Files that come as links to a folder that is swapped.
    let folder = stage.folder.path().join("third");
    std::fs::create_dir(&folder).unwrap();
    third.write_certificate(&folder.join("tls.crt"));
    third.write_key(&folder.join("tls.key"));
    for (file, name) in [(&files.key, "tls.key"), (&files.certificate, "tls.crt")] {
        let link = stage.folder.path().join("link");
        symlink(folder.join(name), &link).unwrap();
        std::fs::rename(&link, file).unwrap();
    }
    wait_until("the third is used", || health(&server, &third).ok());
    server.stop();
}

#[test]
fn files_that_are_no_pair_are_refused_at_the_start() {
    let (stage, files) = stage(&Certificate::new("first"));
    let (certificate, key) = (files.certificate.to_str().unwrap(), files.key.to_str().unwrap());
    let start = || stage.start(&["--insecure-no-auth"]).wait();
    Certificate::new("second").write_key(&files.key);
    start().fails_naming(&["does not belong to", certificate, key]);
    std::fs::write(&files.key, "nothing").unwrap();
    start().fails_naming(&["no private key", key]);
    std::fs::remove_file(&files.certificate).unwrap();
    start().fails_naming(&["cannot read the certificate", certificate]);
    let alone = Stage::new().with("tls_cert", certificate);
    alone.start(&["--insecure-no-auth"]).wait().fails_naming(&["--tls-cert", "--tls-key"]);
}

#[test]
fn clients_that_do_not_finish_their_handshake_stop_nobody_and_are_closed() {
    let certificate = Certificate::new("first");
    let (stage, _) = stage(&certificate);
    let stage = stage.with("network_head_within_s", 2);
    let server = stage.serve();
    let mut silent: Vec<_> = (0..50).map(|_| TcpStream::connect(server.address).unwrap()).collect();
    for version in [Http::One, Http::Two] {
        let answer =
            exchange(server.address, Some(&certificate), version, request("GET", "/health", &[], ""));
        assert_eq!(answer.unwrap().status(), 200);
    }
    for stream in &mut silent {
        // The server may close with an alert, or without a word.
        let _ = stream.read_to_end(&mut Vec::new());
    }
    server.stop();
}
