# The daily commands. Continuous integration runs `ci`; each is plain cargo or bash, so `just` is a convenience.
# Always --workspace: another set of packages means other features of the dependencies, and so another build of them.

# List the commands.
default:
    @just --list

# All that must hold before a change is merged.
ci:
    bash .ci/run

# All tests, or with arguments those of `cargo test --workspace`.
test *args:
    bash .ci/test {{ args }}

# Format the code.
fmt:
    cargo fmt --all

# Lints, denied as in ci.
lint:
    cargo clippy --workspace --all-targets --locked -- -D warnings

# A whole system with a simulated market, verified at the end.
demo duration="20s":
    cargo run --bin orderflow -- demo --for {{ duration }}

# Try the promises with fresh seeds for as long as one wants; a seed that breaks one is printed.
simulate duration="10m" *args:
    cargo run --release --bin orderflow-simulate -- --for {{ duration }} {{ args }}

# Serve from ./data on 127.0.0.1:8080, callers from headers.
serve *args:
    cargo run --bin orderflow -- serve --insecure-no-auth {{ args }}

# All benchmarks, each beside its limit; see benches/RESULTS.md.
bench:
    cargo bench --workspace

# Write the published JSON Schemas anew.
schemas:
    ORDERFLOW_WRITE_SCHEMAS=1 cargo test --workspace published_schemas

# A data directory of today's formats, kept as a fixture under this name.
fixture name:
    ORDERFLOW_WRITE_FIXTURE={{ name }} cargo test --workspace --test main data_directories

# The OpenAPI document of the program, written anew.
openapi:
    ORDERFLOW_WRITE_DOCUMENTS=1 cargo test --workspace the_committed_document
