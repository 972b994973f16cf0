use std::{collections::BTreeSet, fs};

use clap::{Args, Command, FromArgMatches};

use super::{pipeline_file::BUILT_IN, *};

fn pipeline(settings: &str) -> Result<PipelineFile> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), format!("{}\n{settings}\n", BUILT_IN[1].1)).unwrap();
    PipelineFile::read(Some(file.path()))
}

fn flags(arguments: &[&str]) -> Result<Overrides, clap::Error> {
    let command = Overrides::augment_args(Command::new("test").no_binary_name(true));
    Overrides::from_arg_matches(&command.try_get_matches_from(arguments)?)
}

fn configure(settings: &str, arguments: &[&str]) -> Result<Configuration> {
    let file = pipeline(settings)?;
    Configuration::new(file.settings(flags(arguments)?)?, file.lifecycle)
}

#[test]
fn flags_win_over_the_file_and_the_file_over_defaults() {
    let file = "[settings]\norder_partitions = 7\nkeys_max = 5000\n[settings.ingest]\nwaiters_max = 9\nline_bytes_max = 99";
    let configuration = configure(file, &["--keys-max", "9000", "--ingest-waiters-max=8"]).unwrap();
    assert_eq!((configuration.order_partitions, configuration.stock_partitions), (7, 4));
    assert_eq!((configuration.keys_max, configuration.lifecycle.name.as_str()), (9_000, "reservation"));
    assert_eq!((configuration.ingest.waiters_max, configuration.ingest.line_bytes_max), (8, 99));
    assert_eq!(configuration.ingest.queue_requests_max, IngestSettings::default().queue_requests_max);
}

#[test]
fn a_server_with_tls_a_proxy_or_loopback_alone_is_not_open_to_eavesdroppers() {
    let is_open = |arguments: &[&str]| configure("", arguments).unwrap().is_open_to_eavesdroppers();
    assert!(is_open(&["--listen", "0.0.0.0:8080"]) && is_open(&["--listen", "[2001:db8::1]:8080"]));
    for listen in ["127.0.0.1:8080", "[::1]:8080", "[::ffff:127.0.0.1]:8080"] {
        assert!(!is_open(&["--listen", listen]), "{listen}");
    }
    assert!(!is_open(&["--listen", "0.0.0.0:8080", "--tls-cert", "a", "--tls-key", "b"]));
    assert!(!is_open(&["--listen", "0.0.0.0:8080", "--trusted-proxies", "10.0.0.0/8"]));
}

#[test]
fn proxies_name_the_client_in_one_of_two_headers() {
    let configured = configure("[settings.network]\nforwarded_header = \"x-forwarded-for\"", &[]).unwrap();
    assert_eq!(configured.network.forwarded_header, orderflow_web::ForwardedHeader::XForwardedFor);
    let error = configure("", &["--forwarded-header", "X-Real-IP"]).unwrap_err().to_string();
    assert!(error.contains("X-Forwarded-For"), "{error}");
}

#[test]
fn a_burst_needs_a_limit() {
    assert!(configure("", &["--requests-burst", "5", "--requests-per-second", "1"]).is_ok());
    let error = configure("", &["--requests-burst", "5"]).unwrap_err().to_string();
    assert!(error.contains("network.requests_per_second"), "{error}");
}

/// A value for a setting without a default.
fn example(flag: &str) -> &str {
    match flag {
        "metrics-listen" => "127.0.0.1:0",
        "trusted-proxies" => "10.0.0.0/8,::1",
        "cors-origins" => "https://shop.example,http://localhost:3000",
        _ => "134217728",
    }
}

#[test]
fn every_setting_can_be_given_as_a_flag_and_in_the_file() {
    let mut flags_seen = BTreeSet::new();
    for setting in catalog::all() {
        assert!(flags_seen.insert(&setting.flag), "--{} means two settings", setting.flag);
        assert!(!setting.help.is_empty(), "--{} says nothing", setting.flag);
        let value = setting.default.clone().unwrap_or_else(|| example(&setting.flag).to_owned());
        let given = flags(&[&format!("--{}", setting.flag), &value]).unwrap();
        let mut table = toml::Table::new();
        given.apply_to(&mut table);
        let read = Settings::from_table(table.clone());
        assert!(read.is_ok(), "--{} {value}: {read:?}", setting.flag);
        let text = toml::to_string(&toml::Table::from_iter([("settings".to_owned(), table.into())])).unwrap();
        assert!(pipeline(&text).is_ok(), "{text}");
    }
    let exist = [
        "data",
        "listen",
        "database",
        "topics",
        "roles",
        "order-partitions",
        "stock-partitions",
        "segment-bytes",
        "log-bytes-max",
        "cache-bytes",
        "retention-age-s",
        "retention-bytes",
        "keys-max",
        "change-keys-max",
        "snapshot-every",
        "decision-within-s",
        "body-bytes-max",
        "connections-max",
        "tls-cert",
        "tls-key",
        "metrics-listen",
        "trusted-proxies",
        "cors-origins",
        "connections-per-address-max",
        "bytes-in-flight-max",
    ];
    let common = catalog::all().iter().filter(|setting| setting.is_common);
    let common: BTreeSet<_> = common.map(|setting| setting.flag.as_str()).collect();
    for flag in exist {
        assert!(common.contains(flag), "--{flag} is gone");
    }
}

#[test]
fn unknown_keys_and_stores_of_other_versions_are_errors() {
    for (text, word) in [
        ("[settings]\ncolour = 1", "colour"),
        ("[settings.log]\ncolour = 1", "log"),
        ("[settings.log]\nsegment_bytes = \"many\"", "log.segment_bytes"),
        ("[settings]\nlisten = \"everywhere\"", "listen"),
        ("settings = 1", "settings"),
    ] {
        let error = format!("{:#}", pipeline(text).unwrap_err());
        assert!(error.contains(word), "{text}: {error}");
    }
    for (flag, value, word) in [("--database", "mysql://x", "mysql"), ("--topics", "kafka://x", "kafka")] {
        assert!(configure("", &[flag, value]).unwrap_err().to_string().contains(word));
    }
}

#[test]
fn a_text_that_a_setting_does_not_take_is_a_usage_error() {
    for (flag, value) in [
        ("--listen", "everywhere"),
        ("--roles", "ingest,search"),
        ("--keys-max", "many"),
        ("--trusted-proxies", "10.0.0.0/33"),
        ("--cors-origins", "shop.example"),
    ] {
        let error = flags(&[flag, value]).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(flag) && text.contains(value), "{text}");
        assert_eq!(error.exit_code(), 2);
    }
}

#[test]
fn no_setting_switches_a_promise_off() {
    for (flag, value, name) in [
        ("--keys-max", "0", "keys_max"),
        ("--keys-max", "999", "keys_max"),
        ("--change-keys-max", "999", "change_keys_max"),
        ("--snapshot-every", "0", "snapshot_every"),
        ("--decision-within-s", "0", "decision_within_s"),
        ("--decision-within-s", "61", "decision_within_s"),
        ("--body-bytes-max", "0", "body_bytes_max"),
        ("--connections-max", "0", "connections_max"),
        ("--connections-per-address-max", "0", "connections_per_address_max"),
        ("--bytes-in-flight-max", "1048575", "bytes_in_flight_max"),
        ("--network-head-within-s", "0", "head_within_s"),
        ("--network-requests-in-flight-max", "0", "requests_in_flight_max"),
        ("--network-connections-reserved", "0", "connections_reserved"),
        ("--tls-cert", "certificate.pem", "--tls-key"),
        ("--retention-age-s", "0", "age_s"),
        ("--retention-bytes", "0", "retention.bytes"),
        ("--segment-bytes", "0", "segment_bytes"),
        ("--order-partitions", "0", "1 to 256"),
        ("--stock-partitions", "257", "1 to 256"),
    ] {
        let refused = configure("", &[flag, value]).unwrap_err();
        assert!(refused.to_string().contains(name), "{name}: {refused}");
    }
    assert!(pipeline("[settings]\nkeys_max = 1").is_err(), "the file has the same bounds");
}

#[test]
fn no_output_shows_a_database_url() {
    let url = "postgres://me:secret@db/shop";
    let file = pipeline(&format!("[settings]\ndatabase = {url:?}")).unwrap();
    let settings = file.settings(flags(&["--database", url]).unwrap()).unwrap();
    let shown = format!("{settings:?} {}", serde_json::to_string(&settings).unwrap());
    assert!(!shown.contains("secret"), "{shown}");
    let broken = pipeline(&format!("[settings]\ndatabase = {url:?} x")).unwrap_err();
    assert!(!format!("{broken:#}").contains("secret"), "{broken:#}");
}

#[test]
fn every_built_in_pipeline_can_be_named() {
    for (name, _) in BUILT_IN {
        assert_eq!(PipelineFile::read(Some(name.as_ref())).unwrap().lifecycle.name, name);
    }
}
