//! How long checking an access token takes: the first time, and from the cache.

use std::{hint::black_box, sync::Arc};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use orderflow_accounts::{Accounts, AccountsSettings, NewClient, StoreLocation};
use orderflow_schemas::Role;
use orderflow_web::Scopes;
use orderflow_world::TokioWorld;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Accounts in a file, and a token of a machine client.
async fn accounts(store: &StoreLocation, settings: AccountsSettings) -> (Arc<Accounts>, String) {
    let accounts = Accounts::new(TokioWorld::new(), store, settings, None).expect("the settings are fine");
    accounts.load().await.expect("the store can be made");
    let scopes = Scopes::of_role(Role::Service);
    let new = NewClient {
        name: "the shop".to_owned(),
        role: Role::Service,
        scopes: Some(scopes),
        requests_per_second: None,
    };
    let added = accounts.add_client(new, "benchmark").await.expect("the store takes a client");
    let token = accounts.client_token(&added.client, scopes).await.expect("a token can be signed");
    (accounts, token.access_token)
}

fn check(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be started");
    let folder = tempfile::tempdir().expect("temporary folders can be made");
    let store = StoreLocation::File(folder.path().join("accounts.sqlite"));
    let settings = AccountsSettings { revocations_age_s_max: 3_600, ..AccountsSettings::default() };
    let (cached, token) = runtime.block_on(accounts(&store, settings.clone()));
    criterion.bench_function("a token from the cache", |bencher| {
        bencher.iter(|| cached.authenticator().check(black_box(&token)).is_ok());
    });
    // A cache with one entry forgets a token as soon as another one comes.
    let (small, one) =
        runtime.block_on(accounts(&store, AccountsSettings { cached_tokens_max: 1, ..settings }));
    let (_, other) = runtime.block_on(accounts(&store, AccountsSettings::default()));
    runtime.block_on(small.load()).expect("the store can be read");
    criterion.bench_function("a token that is first seen", |bencher| {
        bencher.iter_batched(
            || drop(small.authenticator().check(&other)),
            |()| small.authenticator().check(black_box(&one)).is_ok(),
            BatchSize::PerIteration,
        );
    });
}

criterion_group!(tokens, check);
criterion_main!(tokens);
