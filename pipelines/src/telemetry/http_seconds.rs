//! The histogram of how long requests take, by method, route and class of status.
//!
//! Each thread keeps the series it has used: to look a series up in the recorder costs more than to record in it.

use std::{cell::RefCell, collections::HashMap, time::Duration};

use http::{Method, StatusCode};
use metrics::Histogram;

use super::metrics::HTTP_SECONDS;

/// The series of one method and one class of status, by route.
type Routes = HashMap<String, Histogram>;

thread_local! {
    static SERIES: RefCell<HashMap<(&'static str, &'static str), Routes>> = RefCell::default();
}

/// Records a request that took this long. A request without a status is one whose client left before the response.
pub fn record(method: &Method, route: &str, status: Option<StatusCode>, elapsed: Duration) {
    let (method, status) = (known_method(method), class_of(status));
    SERIES.with_borrow_mut(|series| {
        let routes = series.entry((method, status)).or_default();
        if let Some(histogram) = routes.get(route) {
            return histogram.record(elapsed);
        }
        let histogram = metrics::histogram!(
            HTTP_SECONDS.name, "method" => method, "route" => route.to_owned(), "status" => status
        );
        histogram.record(elapsed);
        routes.insert(route.to_owned(), histogram);
    });
}

/// The method as a label: other methods become one label, because a client can send any text.
fn known_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// The class of a status, as a label.
fn class_of(status: Option<StatusCode>) -> &'static str {
    match status.map(|status| status.as_u16() / 100) {
        None => "none",
        Some(1) => "1xx",
        Some(2) => "2xx",
        Some(3) => "3xx",
        Some(4) => "4xx",
        Some(_) => "5xx",
    }
}
