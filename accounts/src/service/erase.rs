//! Erasing a person: what identifies the person is gone from the store; the orders stay, under an id that nobody can
//! resolve any more.

use orderflow_web::Problem;
use uuid::Uuid;

use super::{
    Accounts,
    people::{last_admin, no_such_person},
};
use crate::{revocations::GONE, store::sql};

impl Accounts {
    /// Erases a person. Tokens of the person are refused from then on. 409 if no admin who can log in would be left.
    pub async fn erase_person(&self, id: Uuid, actor: &str) -> Result<(), Problem> {
        let key = id.to_string();
        let delete = sql!(
            "DELETE FROM users WHERE id = $1 AND (NOT (role = 'admin' AND disabled = 0) \
             OR EXISTS (SELECT 1 FROM users AS other WHERE other.role = 'admin' AND other.disabled = 0 AND other.id <> $1)) \
             RETURNING id",
            key.as_str(),
        );
        let then = vec![self.revocation_of_gone(&key), self.audit(actor, "erase", &key, &[])];
        if self.store.transact(delete, then).await?.is_empty() {
            let rows = self.store.fetch(sql!("SELECT id FROM users WHERE id = $1", key.as_str())).await?;
            return Err(if rows.is_empty() { no_such_person(id) } else { last_admin() });
        }
        self.revoke_account(&key, GONE);
        // The rows are gone. What they have left in files is removed at once, and again at the next upkeep if this
        // fails.
        if let Err(error) = self.store.scrub().await {
            tracing::warn!(%error, "what an erased person has left in the files of the store is removed later");
        }
        Ok(())
    }
}
