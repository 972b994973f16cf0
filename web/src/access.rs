//! Access control: one table of actions, roles and ownership.
//!
//! A route is declared with its action ([`crate::Routes`]), and its handler checks the action ([`crate::Caller::may`])
//! before it does anything else. A test of each API sends every role through every route and compares the responses
//! with the table.

use orderflow_schemas::Role;

/// An action that a caller may be allowed to perform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Place an order.
    PlaceOrder,
    /// Place orders in batches.
    PlaceOrders,
    /// Move an order to another state. The lifecycle decides which states.
    MoveOrder,
    /// See an order and its history.
    ReadOrder,
    /// List orders.
    ListOrders,
    /// See stock levels and the catalogue.
    ReadStock,
    /// Receive and adjust stock, and change the catalogue.
    KeepStock,
    /// Read the log itself.
    ReadLog,
}

/// The objects on which an action may be performed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Objects that belong to the caller.
    Own,
    /// Objects of every owner.
    All,
}

/// The roles that clients can have, in the order of the columns of [`Action::scopes`].
pub const ROLES: [Role; 5] = [Role::Customer, Role::Admin, Role::Courier, Role::Service, Role::Analyst];

const ALL: Option<Scope> = Some(Scope::All);
const OWN: Option<Scope> = Some(Scope::Own);
const NO: Option<Scope> = None;

impl Action {
    /// Every action.
    pub const EVERY: [Self; 8] = [
        Self::PlaceOrder,
        Self::PlaceOrders,
        Self::MoveOrder,
        Self::ReadOrder,
        Self::ListOrders,
        Self::ReadStock,
        Self::KeepStock,
        Self::ReadLog,
    ];

    /// The table: the scope of this action for each role, in the order of [`ROLES`].
    const fn scopes(self) -> [Option<Scope>; 5] {
        match self {
            //                   customer, admin, courier, service, analyst
            Self::PlaceOrder => [OWN, ALL, NO, ALL, NO],
            Self::PlaceOrders => [NO, ALL, NO, ALL, NO],
            Self::MoveOrder => [OWN, ALL, ALL, ALL, NO],
            Self::ReadOrder => [OWN, ALL, NO, ALL, ALL],
            Self::ListOrders => [OWN, ALL, NO, ALL, ALL],
            Self::ReadStock => [ALL, ALL, ALL, ALL, ALL],
            Self::KeepStock => [NO, ALL, NO, ALL, NO],
            Self::ReadLog => [NO, ALL, NO, NO, NO],
        }
    }

    /// The scope of this action for a role; `None` if the role may not perform it.
    pub fn scope(self, role: Role) -> Option<Scope> {
        let column = ROLES.iter().position(|known| *known == role)?;
        self.scopes()[column]
    }

    /// The roles that may perform this action, at least on their own objects.
    pub fn roles(self) -> impl Iterator<Item = Role> {
        ROLES.into_iter().filter(move |role| self.scope(*role).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn admins_may_do_everything_and_the_pipeline_itself_is_no_caller() {
        for action in Action::EVERY {
            assert_eq!(action.scope(Role::Admin), Some(Scope::All), "{action:?}");
            assert_eq!(action.scope(Role::System), None, "{action:?}");
        }
    }

    #[test]
    fn only_customers_own_orders() {
        for action in Action::EVERY {
            for role in ROLES {
                let own = action.scope(role) == Some(Scope::Own);
                assert!(!own || role == Role::Customer, "{action:?} {role:?}");
            }
        }
    }
}
