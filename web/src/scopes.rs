//! The scopes of access tokens, RFC 6749, section 3.3: what a token may be used for, apart from its role.

use std::fmt::{self, Write};

use orderflow_schemas::Role;

/// A part of the API that a token may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// See orders and their history.
    OrdersRead,
    /// Place single orders, and change orders.
    OrdersWrite,
    /// Place orders in batches.
    OrdersBatch,
    /// See stock levels and the catalogue.
    StockRead,
    /// Receive and adjust stock, and change the catalogue.
    StockWrite,
    /// Report the events of shipments.
    ShipmentsWrite,
    /// Search orders.
    Search,
    /// Query in SQL.
    Sql,
    /// Read the log itself.
    TopicsRead,
}

impl Scope {
    /// Every scope, in the order in which they are written.
    pub const ALL: [Self; 9] = [
        Self::OrdersRead,
        Self::OrdersWrite,
        Self::OrdersBatch,
        Self::StockRead,
        Self::StockWrite,
        Self::ShipmentsWrite,
        Self::Search,
        Self::Sql,
        Self::TopicsRead,
    ];

    /// The name of the scope in tokens and requests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OrdersRead => "orders:read",
            Self::OrdersWrite => "orders:write",
            Self::OrdersBatch => "orders:batch",
            Self::StockRead => "stock:read",
            Self::StockWrite => "stock:write",
            Self::ShipmentsWrite => "shipments:write",
            Self::Search => "search",
            Self::Sql => "sql",
            Self::TopicsRead => "topics:read",
        }
    }
}

impl schemars::JsonSchema for Scope {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Scope".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "enum": Self::ALL.map(Self::as_str) })
    }
}

/// A set of scopes, written as their names with spaces between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes(u16);

/// The text is not a list of scopes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a scope")]
pub struct UnknownScope(pub String);

impl Scopes {
    /// All scopes.
    pub const ALL: Self = Self((1 << Scope::ALL.len()) - 1);

    /// The scopes that a role can use.
    pub fn of_role(role: Role) -> Self {
        use Scope::{
            OrdersBatch, OrdersRead, OrdersWrite, Search, ShipmentsWrite, Sql, StockRead, StockWrite,
        };
        let scopes: &[Scope] = match role {
            Role::Customer => &[OrdersRead, OrdersWrite, StockRead],
            Role::Admin => return Self::ALL,
            Role::Courier => &[OrdersRead, OrdersWrite, StockRead, ShipmentsWrite],
            Role::Service => {
                &[OrdersRead, OrdersWrite, OrdersBatch, StockRead, StockWrite, ShipmentsWrite, Search]
            }
            Role::Analyst => &[OrdersRead, StockRead, Search, Sql],
            Role::System => &[],
        };
        scopes.iter().copied().collect()
    }

    /// Parses names with single spaces between. A name that is not a scope is an error: a scope that was dropped
    /// silently would be missing later.
    pub fn parse(text: &str) -> Result<Self, UnknownScope> {
        let scope = |name: &str| {
            let known = Scope::ALL.into_iter().find(|scope| scope.as_str() == name);
            known.ok_or_else(|| UnknownScope(name.chars().take(40).collect()))
        };
        if text.is_empty() {
            return Ok(Self::default());
        }
        text.split(' ').map(scope).collect()
    }

    /// Whether the set contains this scope.
    pub fn contains(self, scope: Scope) -> bool {
        self.0 & bit(scope) != 0
    }

    /// Whether every scope of this set is in the other.
    pub fn is_subset_of(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// The scopes that both sets contain.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The scopes of the set, in the order in which they are written.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.contains(*scope))
    }
}

const fn bit(scope: Scope) -> u16 {
    1 << scope as u16
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | bit(scope)))
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, scope) in self.iter().enumerate() {
            if number > 0 {
                f.write_char(' ')?;
            }
            f.write_str(scope.as_str())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Action, ROLES};

    #[test]
    fn scopes_are_written_as_they_are_read() {
        for scopes in ["", "orders:read", "orders:read orders:write sql", "search topics:read"] {
            assert_eq!(Scopes::parse(scopes).unwrap().to_string(), scopes);
        }
        assert_eq!(Scopes::parse(&Scopes::ALL.to_string()), Ok(Scopes::ALL));
        for wrong in ["orders", "orders:read  sql", "orders:read everything", " sql", "Sql"] {
            assert!(Scopes::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_role_has_the_scopes_of_the_actions_that_it_may_perform() {
        for role in ROLES {
            for action in Action::EVERY {
                let Some(scope) = action.scope() else { continue };
                let may = action.reach(role).is_some();
                assert!(!may || Scopes::of_role(role).contains(scope), "{role:?} {action:?}");
            }
        }
    }
}
