-- People. `generation` counts up whenever a right is taken away; tokens of an earlier generation are refused.
CREATE TABLE users (
    id            TEXT PRIMARY KEY,
    email         TEXT NOT NULL,
    email_key     TEXT NOT NULL UNIQUE,
    username      TEXT,
    username_key  TEXT UNIQUE,
    name          TEXT NOT NULL,
    name_key      TEXT NOT NULL,
    role          TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    disabled      BIGINT NOT NULL,
    generation    BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    last_login    BIGINT
);

-- Machine clients.
CREATE TABLE clients (
    id                  TEXT PRIMARY KEY,
    name                TEXT NOT NULL,
    role                TEXT NOT NULL,
    scopes              TEXT NOT NULL,
    secret_hash         BYTEA NOT NULL,
    requests_per_second BIGINT,
    created_at          BIGINT NOT NULL,
    last_login          BIGINT
);

-- Families of refresh tokens. Only the token of the current generation is valid; tokens are derived and not stored.
CREATE TABLE sessions (
    id         TEXT PRIMARY KEY,
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    generation BIGINT NOT NULL,
    rotated_at BIGINT NOT NULL,
    scopes     TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_of_users ON sessions (user_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

-- One-time codes for a forgotten password, stored hashed.
CREATE TABLE resets (
    user_id    TEXT PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    code_hash  BYTEA NOT NULL,
    expires_at BIGINT NOT NULL
);

-- Revoked tokens, and the least generation of a subject's tokens that are accepted. A row matters until `expires_at`,
-- when all tokens that it is about have expired.
CREATE TABLE revocations (
    number     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    token_id   TEXT,
    subject    TEXT,
    generation BIGINT,
    expires_at BIGINT NOT NULL
);
CREATE INDEX revocations_by_expiry ON revocations (expires_at);

-- Who changed which fields of which account, and when; never values.
CREATE TABLE audit (
    number  BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    time    BIGINT NOT NULL,
    actor   TEXT NOT NULL,
    action  TEXT NOT NULL,
    subject TEXT NOT NULL,
    fields  TEXT NOT NULL
);

-- Keys that sign access tokens, in PKCS#8.
CREATE TABLE signing_keys (
    id          TEXT PRIMARY KEY,
    private_key BYTEA NOT NULL,
    signs_from  BIGINT NOT NULL,
    created_at  BIGINT NOT NULL
);

-- Other keys of the store, by name.
CREATE TABLE secrets (
    name  TEXT PRIMARY KEY,
    value BYTEA NOT NULL
);
