//! The scope of a key: a key is one request's within its scope, and may be another's in another scope.

use orderflow_schemas::{
    Actor, CustomerId, IdempotencyKey,
    commands::{ChangeKey, Idempotency},
    events::{KeyDigest, UsedKey},
};

/// The key of an order to place. Its scope is the customer, whoever places the order.
pub(crate) fn of_placing(customer: &CustomerId, idempotency: &Idempotency) -> UsedKey {
    let digest = digest_of_placing(customer, &idempotency.key);
    UsedKey { digest, fingerprint: idempotency.fingerprint }
}

/// The digest of the key of an order to place.
pub(crate) fn digest_of_placing(customer: &CustomerId, key: &IdempotencyKey) -> KeyDigest {
    digest(&[customer.as_str().as_bytes()], key.as_str())
}

/// The key of a change of `object`, an order or a SKU. Its scope is the caller, the call and the object.
pub(crate) fn of_change(by: &Actor, object: &[u8], key: &ChangeKey) -> UsedKey {
    let scope = [by.role.as_str().as_bytes(), by.subject.as_bytes(), key.call.as_bytes(), object];
    UsedKey { digest: digest(&scope, key.key.as_str()), fingerprint: key.fingerprint }
}

/// The digest of a key within its scope. Each part of the scope is preceded by its length, so two scopes never have the
/// same bytes.
pub(super) fn digest(scope: &[&[u8]], key: &str) -> KeyDigest {
    let mut hasher = blake3::Hasher::new();
    for part in scope {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.update(key.as_bytes());
    let mut bits = [0; 16];
    hasher.finalize_xof().fill(&mut bits);
    KeyDigest(u128::from_le_bytes(bits))
}

#[cfg(test)]
mod tests {
    use orderflow_schemas::{Role, commands::Fingerprint};

    use super::*;

    fn change(role: Role, subject: &str, call: &str, object: &str, key: &str) -> KeyDigest {
        let key = IdempotencyKey::new(key).unwrap();
        let key = ChangeKey { key, call: call.into(), fingerprint: Fingerprint(1) };
        of_change(&Actor { role, subject: subject.into() }, object.as_bytes(), &key).digest
    }

    #[test]
    fn scope_and_key_cannot_be_confused() {
        assert_ne!(digest(&[b"ab"], "c"), digest(&[b"a"], "bc"));
        assert_ne!(digest(&[b"a", b"bc"], "d"), digest(&[b"ab", b"c"], "d"));
    }

    #[test]
    fn a_key_of_a_change_belongs_to_its_caller_call_and_object() {
        let one = change(Role::Admin, "ann", "PUT /products/{sku}", "tea", "k");
        assert_eq!(one, change(Role::Admin, "ann", "PUT /products/{sku}", "tea", "k"));
        for other in [
            change(Role::Service, "ann", "PUT /products/{sku}", "tea", "k"),
            change(Role::Admin, "bob", "PUT /products/{sku}", "tea", "k"),
            change(Role::Admin, "ann", "POST /products/batch", "tea", "k"),
            change(Role::Admin, "ann", "PUT /products/{sku}", "jam", "k"),
            change(Role::Admin, "ann", "PUT /products/{sku}", "tea", "l"),
        ] {
            assert_ne!(one, other);
        }
    }
}
