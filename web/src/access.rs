//! Access control: one table of actions, roles, ownership and scopes. A caller may perform an action if both the role
//! and the scopes of the token allow it.
//!
//! A route is declared with its action ([`crate::Routes`]), and the layer around all routes checks it
//! ([`crate::authenticate`]). A handler asks the table only whose objects the caller may touch. A test of each API sends
//! every role through every route and compares the responses with the table.

use orderflow_schemas::Role;
use schemars::JsonSchema;

use crate::scopes::Scope;

/// An action that a caller may be allowed to perform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Place an order.
    PlaceOrder,
    /// Place orders in batches.
    PlaceOrders,
    /// Move an order to another state. The lifecycle decides which states.
    MoveOrder,
    /// Name the courier of an order.
    AssignCourier,
    /// Report events of shipments.
    ReportShipment,
    /// Take back units of an order.
    TakeReturns,
    /// See an order and its history.
    ReadOrder,
    /// See the shipment of an order.
    ReadShipment,
    /// List orders.
    ListOrders,
    /// See stock levels and the catalogue.
    ReadStock,
    /// Receive and adjust stock, and change the catalogue.
    KeepStock,
    /// Read the log itself.
    ReadLog,
    /// See and change the own account.
    OwnAccount,
    /// Ask whether a token is valid.
    InspectToken,
    /// See, make, change and erase the accounts of people.
    ManageUsers,
    /// See, add and remove machine clients.
    ManageClients,
}

/// The objects on which a role may perform an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Objects that belong to the caller.
    Own,
    /// Orders that the lifecycle hands to couriers, unless they name another courier.
    Handed,
    /// Objects of every owner.
    All,
}

/// The roles that clients can have, in the order of the columns of [`Action::reaches`].
pub const ROLES: [Role; 5] = [Role::Customer, Role::Admin, Role::Courier, Role::Service, Role::Analyst];

/// The name of a role that clients can have, in a document.
#[derive(Clone, Copy, Debug)]
pub struct RoleName;

impl JsonSchema for RoleName {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RoleName".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "enum": ROLES.map(Role::as_str) })
    }
}

const ALL: Option<Reach> = Some(Reach::All);
const OWN: Option<Reach> = Some(Reach::Own);
const HANDED: Option<Reach> = Some(Reach::Handed);
const NO: Option<Reach> = None;

impl Action {
    /// Every action.
    pub const EVERY: [Self; 16] = [
        Self::PlaceOrder,
        Self::PlaceOrders,
        Self::MoveOrder,
        Self::AssignCourier,
        Self::ReportShipment,
        Self::TakeReturns,
        Self::ReadOrder,
        Self::ReadShipment,
        Self::ListOrders,
        Self::ReadStock,
        Self::KeepStock,
        Self::ReadLog,
        Self::OwnAccount,
        Self::InspectToken,
        Self::ManageUsers,
        Self::ManageClients,
    ];

    /// The table: the reach of this action for each role, in the order of [`ROLES`].
    const fn reaches(self) -> [Option<Reach>; 5] {
        match self {
            //                   customer, admin, courier, service, analyst
            Self::PlaceOrder => [OWN, ALL, NO, ALL, NO],
            Self::PlaceOrders => [NO, ALL, NO, ALL, NO],
            Self::MoveOrder => [OWN, ALL, HANDED, ALL, NO],
            Self::AssignCourier => [NO, ALL, NO, ALL, NO],
            Self::ReportShipment => [NO, ALL, HANDED, ALL, NO],
            Self::TakeReturns => [NO, ALL, NO, ALL, NO],
            Self::ReadOrder => [OWN, ALL, HANDED, ALL, ALL],
            Self::ReadShipment => [OWN, ALL, HANDED, ALL, NO],
            Self::ListOrders => [OWN, ALL, NO, ALL, ALL],
            Self::ReadStock => [ALL, ALL, ALL, ALL, ALL],
            Self::KeepStock => [NO, ALL, NO, ALL, NO],
            Self::ReadLog => [NO, ALL, NO, NO, NO],
            Self::OwnAccount => [ALL, ALL, ALL, ALL, ALL],
            Self::InspectToken => [NO, ALL, NO, ALL, NO],
            Self::ManageUsers => [NO, ALL, NO, NO, NO],
            Self::ManageClients => [NO, ALL, NO, NO, NO],
        }
    }

    /// The scope that a token must have for this action; `None` if any token will do.
    pub const fn scope(self) -> Option<Scope> {
        match self {
            Self::PlaceOrder | Self::MoveOrder | Self::AssignCourier | Self::TakeReturns => {
                Some(Scope::OrdersWrite)
            }
            Self::ReportShipment => Some(Scope::ShipmentsWrite),
            Self::PlaceOrders => Some(Scope::OrdersBatch),
            Self::ReadOrder | Self::ReadShipment | Self::ListOrders => Some(Scope::OrdersRead),
            Self::ReadStock => Some(Scope::StockRead),
            Self::KeepStock => Some(Scope::StockWrite),
            Self::ReadLog => Some(Scope::TopicsRead),
            Self::OwnAccount | Self::InspectToken | Self::ManageUsers | Self::ManageClients => None,
        }
    }

    /// Whether a token must have all scopes of its role. A token that was narrowed to some scopes does not make others
    /// that have all of them.
    pub const fn needs_all_scopes(self) -> bool {
        matches!(self, Self::ManageUsers | Self::ManageClients)
    }

    /// The reach of this action for a role; `None` if the role may not perform it.
    pub fn reach(self, role: Role) -> Option<Reach> {
        let column = ROLES.iter().position(|known| *known == role)?;
        self.reaches()[column]
    }

    /// The roles that may perform this action, at least on their own objects.
    pub fn roles(self) -> impl Iterator<Item = Role> {
        ROLES.into_iter().filter(move |role| self.reach(*role).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn admins_may_do_everything_and_the_pipeline_itself_is_no_caller() {
        for action in Action::EVERY {
            assert_eq!(action.reach(Role::Admin), Some(Reach::All), "{action:?}");
            assert_eq!(action.reach(Role::System), None, "{action:?}");
        }
    }

    #[test]
    fn only_customers_own_orders_and_only_couriers_are_handed_some() {
        for action in Action::EVERY {
            for role in ROLES {
                let reach = action.reach(role);
                assert!(reach != Some(Reach::Own) || role == Role::Customer, "{action:?} {role:?}");
                assert!(reach != Some(Reach::Handed) || role == Role::Courier, "{action:?} {role:?}");
            }
        }
    }
}
