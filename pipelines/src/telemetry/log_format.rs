//! The form of log lines: text for people, or JSON. Both carry the ids of the current request.

use std::{
    cell::RefCell,
    fmt::{self, Write},
};

use orderflow_world::wall_clock;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormatFields, FormattedFields,
        format::{Format, Json, Writer},
    },
    registry::LookupSpan,
};

use super::request_context::write_current;

thread_local! {
    /// The line that is being formatted; kept for its memory.
    static LINE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// `TIME LEVEL span{fields}: target: message name=value … request_id=… trace_id=…`
///
/// The text format of `tracing-subscriber` without colours, in half the time: every request has a line.
pub struct TextLines;

impl<S, N> FormatEvent<S, N> for TextLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        LINE.with_borrow_mut(|line| {
            line.clear();
            write!(line, "{}", wall_clock())?;
            let metadata = event.metadata();
            line.push(' ');
            line.push_str(metadata.level().as_str());
            line.push(' ');
            for span in context.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
                line.push_str(span.name());
                let extensions = span.extensions();
                if let Some(fields) =
                    extensions.get::<FormattedFields<N>>().filter(|fields| !fields.is_empty())
                {
                    write!(line, "{{{fields}}}")?;
                }
                line.push_str(": ");
            }
            line.push_str(metadata.target());
            line.push(':');
            event.record(&mut TextFields(line));
            write_current(line, " request_id=", " trace_id=", "");
            line.push('\n');
            writer.write_str(line)
        })
    }
}

/// Adds the fields of an event to a line: the message as it is, the others with their names.
struct TextFields<'l>(&'l mut String);

impl TextFields<'_> {
    fn push_name(&mut self, field: &Field) {
        self.0.push(' ');
        if field.name() != "message" {
            self.0.push_str(field.name());
            self.0.push('=');
        }
    }
}

impl Visit for TextFields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.push_name(field);
        // A text that could forge a line or a field is quoted and escaped.
        let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"';
        if value.bytes().all(is_plain) {
            self.0.push_str(value);
        } else {
            write!(self.0, "{value:?}").expect("memory takes all text");
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push_name(field);
        self.0.push_str(itoa::Buffer::new().format(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.push_name(field);
        write!(self.0, "{value:?}").expect("memory takes all text");
    }
}

/// One JSON object a line, with the fields of the event at its top level.
pub struct JsonLines(pub Format<Json>);

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        LINE.with_borrow_mut(|line| {
            line.clear();
            self.0.format_event(context, Writer::new(line), event)?;
            let open = line.trim_end().strip_suffix('}').map_or(line.len(), str::len);
            line.truncate(open);
            // The ids contain no character that JSON would escape.
            write_current(line, ",\"request_id\":\"", "\",\"trace_id\":\"", "\"");
            line.push_str("}\n");
            writer.write_str(line)
        })
    }
}
