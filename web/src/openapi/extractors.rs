//! What the parameters of a handler say about its route.

use axum::extract::{Request, State};
use http::{HeaderMap, Method, Uri};

use super::Operation;
use crate::PathPart;

/// An extractor that describes what it takes from a request, and how it fails. By default it says nothing.
pub trait Describe {
    /// Adds what the extractor takes and its problems.
    fn describe(operation: &mut Operation<'_>) {
        let _ = operation;
    }
}

impl<T> Describe for State<T> {}
impl Describe for HeaderMap {}
impl Describe for Method {}
impl Describe for PathPart {}
impl Describe for Request {}
impl Describe for Uri {}

impl<T: Describe, E> Describe for Result<T, E> {
    fn describe(operation: &mut Operation<'_>) {
        T::describe(operation);
    }
}

impl<A: Describe, B: Describe> Describe for (A, B) {
    fn describe(operation: &mut Operation<'_>) {
        A::describe(operation);
        B::describe(operation);
    }
}

/// A handler whose parameters `T` describe themselves.
pub trait Signature<T> {
    /// Describes all parameters.
    fn describe(operation: &mut Operation<'_>);
}

// Functions of different numbers of parameters have no trait in common.
macro_rules! signature {
    ($($parameter:ident)*) => {
        impl<F, O, $($parameter: Describe),*> Signature<($($parameter,)*)> for F
        where
            F: Fn($($parameter),*) -> O,
        {
            fn describe(operation: &mut Operation<'_>) {
                let _ = &operation;
                $($parameter::describe(operation);)*
            }
        }
    };
}

signature!();
signature!(A);
signature!(A B);
signature!(A B C);
signature!(A B C D);
signature!(A B C D E);
signature!(A B C D E G);
signature!(A B C D E G H);
signature!(A B C D E G H I);
