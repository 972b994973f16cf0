//! Does what a page says.

use orderflow_tests::{Stage, settle};

use super::{answers, page::Page, people::log_in, shell::Shell};

/// Starts the server as the page says, runs all of the page's commands, and compares what they print with what the page
/// shows. Verifies the data at the end.
///
/// A reader takes longer to the next block than the database takes to follow the log. The test instead waits until the
/// server has nothing left to decide or show.
#[track_caller]
pub fn follow(name: &str) {
    let page = Page::read(name);
    let mut stage = Stage::new().pipeline(&page.pipeline);
    for (name, value) in &page.environment {
        stage.set(name.strip_prefix("ORDERFLOW_").expect("a setting of the server"), value);
    }
    let server = stage.serve_with_accounts();
    let [email, password] = ["ORDERFLOW_ADMIN_EMAIL", "ORDERFLOW_ADMIN_PASSWORD"].map(|wanted| {
        let found = page.environment.iter().find(|(name, _)| name == wanted);
        found.unwrap_or_else(|| panic!("{name}: the server has no {wanted}")).1.as_str()
    });
    let admin = log_in(&server, email, password);
    let mut shell = Shell::open(&server.url());
    for step in &page.steps {
        let at = format!("docs/stories/{name}.md, line {}", step.line);
        let printed = shell.run(step, &at);
        match &step.shown {
            Some(shown) => answers::compare(shown, &printed, &at),
            None => assert!(printed.is_empty(), "{at}: the page shows nothing of {printed}"),
        }
        settle(&admin);
    }
    server.stop();
    stage.verify_clean();
}
